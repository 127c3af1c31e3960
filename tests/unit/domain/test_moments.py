"""Times and lengths as a person reads them, in their zone."""

import pytest

from nod.domain.instant import parse_rfc3339
from nod.domain.moments import day_time_words, length_words, since_words, time_words
from support.clock import MONDAY_9

NOW = parse_rfc3339("2026-11-24T08:00:00Z", "now")  # a Tuesday


def test_a_time_is_that_of_the_persons_zone() -> None:
    assert time_words(MONDAY_9, "Europe/Berlin") == "10:00:00"
    assert day_time_words(MONDAY_9, "Europe/Berlin") == "Mon 2 Mar 10:00"


@pytest.mark.parametrize(
    ("then", "words"),
    [
        ("2026-11-24T06:30:00Z", "07:30"),
        ("2026-11-24T09:00:00Z", "10:00"),
        ("2026-11-23T23:00:00Z", "00:00"),
        ("2026-11-23T22:59:00Z", "yesterday"),
        ("2026-11-18T08:00:00Z", "Wednesday"),
        ("2026-11-17T08:00:00Z", "17 Nov"),
        ("2025-11-24T08:00:00Z", "24 Nov 2025"),
    ],
)
def test_the_past_is_named_by_how_near_it_is(then: str, words: str) -> None:
    assert since_words(parse_rfc3339(then, "then"), NOW, "Europe/Berlin") == words


def test_a_length_is_exact_below_a_second_and_never_negative() -> None:
    assert length_words(0, 999) == "999 ms"
    assert length_words(0, 150_000) == "2 min 30 s"
    assert length_words(5, 0) == "0 ms"
