"""Until when a fire's result is wanted: durations and times of day."""

import pytest

from nod.domain.errors import InvalidInput
from nod.domain.instant import HOUR, MINUTE, SECOND, Instant, parse_rfc3339, rfc3339
from nod.domain.policy import parse_useful_until, useful_until_at


def at(text: str) -> Instant:
    return parse_rfc3339(text, "test")


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("1s", "1s"),
        ("1s".rjust(40, "0"), "1s"),
        ("90s", "90s"),
        ("120s", "2m"),
        ("30m", "30m"),
        (" 2H ", "2h"),
        ("24h", "1d"),
        ("1h30m", "90m"),
        ("366d", "366d"),
        ("PT2H", "2h"),
        ("pt2h30m", "150m"),
        ("P1D", "1d"),
        ("P1DT12H", "36h"),
        ("P2W", "14d"),
        ("PT90S", "90s"),
        ("10:00", "10:00"),
        ("9:05", "09:05"),
        ("00:00", "00:00"),
        ("23:59", "23:59"),
    ],
)
def test_a_duration_or_a_time_of_day_is_put_in_its_normal_form(written: str, normal: str) -> None:
    assert parse_useful_until(written) == normal
    assert parse_useful_until(normal) == normal


@pytest.mark.parametrize(
    "written",
    [
        "",
        "0s",
        "PT0S",
        "-5m",
        "2",
        "2 hours",
        "m",
        "1.5h",
        "30m1h",
        "P",
        "PT",
        "P1DT",
        "P1M",
        "P1Y",
        "P2W1D",
        "367d",
        "31622401s",
        "1s".rjust(41, "0"),
        "1s".rjust(40, "0") + " and more",
        "9" * 5000 + "s",
        "24:00",
        "10:60",
        "10:00:00",
        "10:00Z",
        "٣m",
        "P٣D",
        "P٣W",
        "1٣:00",
        "2025-09-01T10:30:00Z",
    ],
)
def test_anything_else_is_refused_with_examples(written: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_useful_until(written)
    assert '"30m", "2h" or "PT2H", or a time of day such as "10:00"' in refused.value.detail
    assert len(refused.value.detail) < 250
    assert refused.value.field == "useful_until"


@pytest.mark.parametrize(
    ("spec", "length"), [("90s", 90 * SECOND), ("45m", 45 * MINUTE), ("2h", 2 * HOUR)]
)
def test_a_duration_counts_from_the_fire(spec: str, length: int) -> None:
    fire = at("2025-09-01T10:30:00Z")
    assert useful_until_at(spec, fire, "Europe/Berlin") == fire + length


def test_a_duration_counts_elapsed_time_over_a_change_of_the_clock() -> None:
    fire = at("2025-03-29T12:00:00Z")
    assert useful_until_at("1d", fire, "Europe/Berlin") == fire + 24 * HOUR


@pytest.mark.parametrize(
    ("fire", "timezone", "spec", "expected"),
    [
        # later the same day, and on the next day
        ("2025-09-01T07:00:00Z", "Europe/Berlin", "10:00", "2025-09-01T08:00:00Z"),
        ("2025-09-01T09:00:00Z", "Europe/Berlin", "10:00", "2025-09-02T08:00:00Z"),
        # strictly after the fire
        ("2025-09-01T08:00:00Z", "Europe/Berlin", "10:00", "2025-09-02T08:00:00Z"),
        ("2025-09-01T07:59:59Z", "Europe/Berlin", "10:00", "2025-09-01T08:00:00Z"),
        # the date in the zone is not the date in UTC
        ("2025-09-01T23:00:00Z", "Asia/Tokyo", "08:30", "2025-09-01T23:30:00Z"),
        ("2025-09-01T02:00:00Z", "America/Los_Angeles", "20:00", "2025-09-01T03:00:00Z"),
        # skipped: right after the change
        ("2025-03-30T00:30:00Z", "Europe/Berlin", "02:30", "2025-03-30T01:00:00Z"),
        ("2025-03-30T01:00:00Z", "Europe/Berlin", "02:30", "2025-03-31T00:30:00Z"),
        # repeated: the first that is still to come
        ("2025-10-25T23:00:00Z", "Europe/Berlin", "02:30", "2025-10-26T00:30:00Z"),
        ("2025-10-26T00:45:00Z", "Europe/Berlin", "02:30", "2025-10-26T01:30:00Z"),
        ("2025-10-26T01:30:00Z", "Europe/Berlin", "02:30", "2025-10-27T01:30:00Z"),
        # repeated over midnight: the time comes again on the date before
        ("2006-10-29T02:30:30Z", "America/St_Johns", "23:30", "2006-10-29T03:00:00Z"),
        ("2006-10-29T02:45:00Z", "America/St_Johns", "23:30", "2006-10-29T03:00:00Z"),
        # a date that does not exist
        ("2011-12-30T09:59:00Z", "Pacific/Apia", "09:00", "2011-12-30T10:00:00Z"),
        ("2011-12-30T10:00:00Z", "Pacific/Apia", "09:00", "2011-12-30T19:00:00Z"),
    ],
)
def test_a_time_of_day_is_its_first_occurrence_after_the_fire(
    fire: str, timezone: str, spec: str, expected: str
) -> None:
    assert rfc3339(useful_until_at(spec, at(fire), timezone)) == expected
