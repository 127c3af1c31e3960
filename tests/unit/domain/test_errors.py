"""What an error carries for its caller."""

import pytest

from nod.domain.errors import InvalidInput, OutOfRange, TooMany, about


def test_too_many_says_what_to_do_and_when_there_is_room_again() -> None:
    error = TooMany("try again later", retry_after=7)
    assert (error.detail, str(error), error.retry_after) == ("try again later",) * 2 + (7,)


def test_the_field_at_fault_stands_before_what_is_wrong_with_it() -> None:
    error = OutOfRange("timeout_s", 1, 60, 61)
    assert error.detail == "timeout_s must be between 1 and 60; got 61"
    assert (error.field, error.problem) == ("timeout_s", "must be between 1 and 60; got 61")


def test_a_sentence_of_its_own_is_about_a_field_too_and_the_nearest_name_counts() -> None:
    with pytest.raises(InvalidInput) as refused, about("when"):
        raise InvalidInput("that time has passed")
    assert (refused.value.field, refused.value.detail) == ("when", "that time has passed")
    with pytest.raises(InvalidInput) as refused, about("when"):
        raise InvalidInput("is none", field="timezone")
    assert (refused.value.field, refused.value.detail) == ("timezone", "timezone is none")
