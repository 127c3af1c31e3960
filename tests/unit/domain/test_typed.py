"""What a form shows of a task reads back to exactly the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nod.domain.errors import InvalidInput
from nod.domain.instant import Instant, parse_rfc3339, rfc3339
from nod.domain.phrases import When, read_when
from nod.domain.typed import clock_typed, length_typed, read_clock, read_length, schedule_typed
from support.clock import MONDAY_9

BERLIN = "Europe/Berlin"
LAST: Instant = parse_rfc3339("2199-12-30T00:00:00Z", "test")
ZONES = st.sampled_from([BERLIN, "America/St_Johns", "Australia/Lord_Howe", "UTC"])


def at(text: str) -> Instant:
    return parse_rfc3339(text, "test")


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        ("0 9 * * 1-5", "every weekday at 09:00"),
        ("0 9,12,17 * * *", "every day at 09:00, 12:00 and 17:00"),
        ("30 14 * * 5L", "on the last Friday of every month at 14:30"),
        ("*/7 3 1-9 * *", "*/7 3 1-9 * *"),
        ("event", "when something calls"),
    ],
)
def test_a_schedule_is_shown_in_words_where_they_mean_the_same(schedule: str, words: str) -> None:
    assert schedule_typed(schedule, None, BERLIN) == words
    assert read_when(words, BERLIN, MONDAY_9) == When(schedule)


@pytest.mark.parametrize(
    ("moment", "words"),
    [
        ("2030-12-24T17:00:00Z", "24 December 2030 at 18:00"),
        ("2030-12-24T17:00:30Z", "2030-12-24 18:00:30+01:00"),
        # the second time that the clock shows it
        ("2030-10-27T01:30:00Z", "2030-10-27 02:30:00+01:00"),
    ],
)
def test_a_moment_is_shown_in_the_tasks_zone_as_one_would_type_it(moment: str, words: str) -> None:
    assert schedule_typed("once", at(moment), BERLIN) == words
    assert read_when(words, BERLIN, MONDAY_9) == When("once", at(moment))


@given(st.integers(MONDAY_9 // 1000 + 1, LAST // 1000), ZONES)
def test_every_moment_reads_back_to_itself(seconds: int, zone: str) -> None:
    moment = seconds * 1000
    words = schedule_typed("once", moment, zone)
    assert read_when(words, zone, MONDAY_9) == When("once", moment)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90 min", 5400),
        ("1 h 30 min", 5400),
        ("1.5 hours", 5400),
        ("1h30m", 5400),
        (" 2 Days ", 172_800),
        ("1 hour, 1 second", 3601),
        ("0 s", 0),
    ],
)
def test_a_length_of_time_is_read_as_people_write_it(text: str, seconds: int) -> None:
    assert read_length(text, "timeout_s") == seconds


@pytest.mark.parametrize("text", ["", "90", "-5 min", "soon", "5 minuets", "1 h and a bit", "٣ h"])
def test_what_is_no_length_of_time_is_refused_with_examples(text: str) -> None:
    with pytest.raises(InvalidInput, match='"90 min" or "2 h"') as refused:
        read_length(text, "timeout_s")
    assert refused.value.field == "timeout_s"


@given(st.integers(0, 366 * 86_400))
def test_every_length_reads_back_to_itself(seconds: int) -> None:
    assert read_length(length_typed(seconds), "timeout_s") == seconds


@pytest.mark.parametrize(
    ("moment", "shown"),
    [
        ("2030-12-01T08:00:00Z", "2030-12-01T09:00"),
        ("2030-12-01T08:00:30Z", "2030-12-01T09:00:30"),
        ("2030-12-01T08:00:30.25Z", "2030-12-01T09:00:30.250"),
    ],
)
def test_a_bound_is_shown_by_the_clock_of_the_zone(moment: str, shown: str) -> None:
    assert clock_typed(at(moment), BERLIN) == shown
    assert read_clock(shown, BERLIN, "ends_at") == at(moment)


def test_a_bound_that_the_clock_skips_is_right_after_the_change() -> None:
    assert rfc3339(read_clock("2030-03-31T02:30", BERLIN, "ends_at")) == "2030-03-31T01:00:00Z"


@pytest.mark.parametrize(
    "text",
    ["soon", "2030-13-01T09:00", "2030-12-01T09:00Z", "0001-01-01T00:00", "9999-01-01T00:00"],
)
def test_what_is_no_bound_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="such as 2030-12-24T18:00") as refused:
        read_clock(text, BERLIN, "ends_at")
    assert refused.value.field == "ends_at"
