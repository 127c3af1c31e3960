"""What an error carries for its caller."""

from nod.domain.errors import TooMany


def test_too_many_says_what_to_do_and_when_there_is_room_again() -> None:
    error = TooMany("try again later", retry_after=7)
    assert (error.detail, str(error), error.retry_after) == ("try again later",) * 2 + (7,)
