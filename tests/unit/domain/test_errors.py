"""What a caller can do about an error, by its kind."""

import pytest

from nod.domain.errors import (
    Conflict,
    Forbidden,
    InvalidInput,
    NodError,
    NotAuthenticated,
    NotFound,
    TooLarge,
    TooMany,
    Unavailable,
)


@pytest.mark.parametrize(
    ("error", "retryable"),
    [
        (InvalidInput("do"), False),
        (NotAuthenticated("do"), False),
        (Forbidden("do"), False),
        (NotFound("do"), False),
        (Conflict("do"), False),
        (TooLarge("do"), False),
        (TooMany("do", retry_after=7), True),
        (Unavailable("do"), True),
    ],
)
def test_an_error_says_what_to_do_and_whether_trying_again_helps(
    error: NodError, retryable: bool
) -> None:
    assert (error.detail, str(error)) == ("do", "do")
    assert error.retryable is retryable


def test_too_many_says_when_there_is_room_again() -> None:
    assert TooMany("do", retry_after=7).retry_after == 7
