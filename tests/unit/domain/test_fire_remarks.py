"""What is said beside a fire in a list."""

import pytest

from nod.domain.fire_remarks import fire_remarks
from nod.domain.instant import Instant, parse_rfc3339

BERLIN = "Europe/Berlin"
SOON = "clock change soon"


def at(*texts: str) -> list[Instant]:
    return [parse_rfc3339(f"{each}Z", "test") for each in texts]


def test_the_last_fire_before_a_change_of_the_clock_says_so() -> None:
    fridays = at("2027-01-29T13:30:00", "2027-02-26T13:30:00", "2027-03-26T13:30:00")
    assert fire_remarks(fridays, BERLIN) == ("", "", SOON)
    days = at("2027-03-26T08:00:00", "2027-03-27T08:00:00", "2027-03-28T07:00:00")
    assert fire_remarks(days, BERLIN) == ("", SOON, "")


def test_a_change_that_is_weeks_away_is_not_soon() -> None:
    months = at("2027-02-01T08:00:00", "2027-03-01T08:00:00", "2027-04-01T07:00:00")
    assert fire_remarks(months, BERLIN) == ("", "", "")


def test_after_the_last_of_the_list_the_next_is_expected_as_far_away_as_the_one_before() -> None:
    minutes = at("2027-03-27T08:00:00", "2027-03-27T08:01:00")
    assert fire_remarks(minutes, BERLIN) == ("", "")


@pytest.mark.parametrize("texts", [(), ("2027-03-26T13:30:00",)])
def test_a_fire_that_comes_alone_is_followed_by_no_other(texts: tuple[str, ...]) -> None:
    assert fire_remarks(at(*texts), BERLIN) == ("",) * len(texts)


def test_a_zone_without_changes_has_no_remarks() -> None:
    fridays = at("2027-03-19T13:30:00", "2027-03-26T13:30:00")
    assert fire_remarks(fridays, "Asia/Tokyo") == ("", "")
