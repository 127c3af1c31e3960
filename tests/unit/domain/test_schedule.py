"""Fires of a schedule away from changes of the clock, periods, spreads and previews."""

import subprocess
import sys
from datetime import UTC, datetime
from itertools import islice, pairwise

import pytest

from nod.domain.errors import InvalidInput
from nod.domain.instant import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    Instant,
    from_datetime,
    parse_rfc3339,
    rfc3339,
)
from nod.domain.schedule import (
    all_fires,
    fires,
    newest_fires,
    next_fire,
    period_s,
    preview,
    spread_offset_s,
    trigger_type,
)

# From sha256; another number would move the fires of every fleet.
SPREAD_OF_A_KNOWN_ID = 523
END_OF_TIME = from_datetime(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC))


def at(text: str) -> Instant:
    return parse_rfc3339(text, "test")


@pytest.mark.parametrize(
    ("schedule", "kind"),
    [("once", "once"), ("event", "event"), ("0 9 * * *", "scheduled"), ("Once", "scheduled")],
)
def test_the_words_once_and_event_are_no_cron(schedule: str, kind: str) -> None:
    assert trigger_type(schedule) == kind


@pytest.mark.parametrize(
    ("cron", "after", "expected"),
    [
        ("0 9 * * 1-5", "2025-09-05T08:59:59Z", "2025-09-05T09:00:00Z"),
        ("0 9 * * 1-5", "2025-09-05T09:00:00Z", "2025-09-08T09:00:00Z"),
        ("0 9 * * MON-FRI", "2025-09-06T00:00:00Z", "2025-09-08T09:00:00Z"),
        ("*/20 * * * *", "2025-09-05T23:40:00Z", "2025-09-06T00:00:00Z"),
        ("5/20 * * * *", "2025-09-05T23:06:00Z", "2025-09-05T23:25:00Z"),
        ("0 5-5/2 * * *", "2025-09-05T05:00:00Z", "2025-09-06T05:00:00Z"),
        ("0 0 * * MON-1/2,3", "2025-09-02T00:00:00Z", "2025-09-03T00:00:00Z"),
        ("0 0 * * MON-1/2,3", "2025-09-03T00:00:00Z", "2025-09-08T00:00:00Z"),
        ("0 0 29 2 *", "2025-01-01T00:00:00Z", "2028-02-29T00:00:00Z"),
        ("0 0 29 2 *", "2096-03-01T00:00:00Z", "2104-02-29T00:00:00Z"),
        ("0 0 L * *", "2025-02-01T00:00:00Z", "2025-02-28T00:00:00Z"),
        ("0 0 LW * *", "2025-08-01T00:00:00Z", "2025-08-29T00:00:00Z"),
        ("0 0 * * 5L", "2025-09-01T00:00:00Z", "2025-09-26T00:00:00Z"),
        ("0 0 * * 1#2", "2025-09-01T00:00:00Z", "2025-09-08T00:00:00Z"),
        ("0 0 * * 7", "2025-09-01T00:00:00Z", "2025-09-07T00:00:00Z"),
        ("0 0 1 * 1", "2025-09-02T00:00:00Z", "2025-09-08T00:00:00Z"),
        ("0 0 1 * 1", "2025-09-29T00:00:00Z", "2025-10-01T00:00:00Z"),
        ("0 0 */2 * 1", "2025-09-02T00:00:00Z", "2025-09-15T00:00:00Z"),
        ("@yearly", "2025-09-02T00:00:00Z", "2026-01-01T00:00:00Z"),
        ("@weekly", "2025-09-02T00:00:00Z", "2025-09-07T00:00:00Z"),
        ("@hourly", "2025-09-02T00:00:00Z", "2025-09-02T01:00:00Z"),
    ],
)
def test_the_next_fire_is_the_first_strictly_after(cron: str, after: str, expected: str) -> None:
    fire = next_fire(cron, "UTC", at(after))
    assert fire is not None
    assert rfc3339(fire) == expected


def test_a_fraction_of_a_second_changes_nothing() -> None:
    nine = at("2025-09-05T09:00:00Z")
    assert next_fire("0 9 * * *", "UTC", nine - 1) == nine
    assert next_fire("0 9 * * *", "UTC", nine) == nine + DAY
    assert next_fire("0 9 * * *", "UTC", nine + 1) == nine + DAY


def test_an_interval_excludes_its_start_and_includes_its_end() -> None:
    nine = at("2025-09-05T09:00:00Z")
    assert list(fires("0 9 * * *", "UTC", nine, nine + DAY)) == [nine + DAY]
    assert newest_fires("0 9 * * *", "UTC", nine, nine + DAY, 5) == ([nine + DAY], False)


def test_an_empty_or_reversed_interval_has_no_fires() -> None:
    nine = at("2025-09-05T09:00:00Z")
    assert list(fires("* * * * *", "UTC", nine, nine)) == []
    assert list(fires("* * * * *", "UTC", nine, nine - HOUR)) == []
    assert newest_fires("* * * * *", "UTC", nine, nine - HOUR, 5) == ([], False)


def test_the_newest_fires_say_whether_there_are_older_ones() -> None:
    until = at("2025-09-05T09:00:00Z")
    newest = [until - 2 * MINUTE, until - MINUTE, until]
    assert newest_fires("* * * * *", "UTC", until - 3 * MINUTE, until, 3) == (newest, False)
    assert newest_fires("* * * * *", "UTC", until - 4 * MINUTE, until, 3) == (newest, True)
    assert newest_fires("* * * * *", "UTC", until - MINUTE, until, 0) == ([], True)


def test_the_newest_of_a_century_of_minutes_are_found_without_walking_it() -> None:
    until = at("2099-12-31T23:59:30Z")
    found, more = newest_fires("* * * * *", "Europe/Berlin", 0, until, 2)
    assert [rfc3339(fire) for fire in found] == ["2099-12-31T23:58:00Z", "2099-12-31T23:59:00Z"]
    assert more


def test_fires_begin_with_1970_and_end_with_2199() -> None:
    assert next_fire("0 0 * * *", "UTC", -END_OF_TIME) == 0
    assert next_fire("0 0 * * *", "UTC", at("2199-12-31T00:00:00Z")) is None
    assert next_fire("0 0 * * *", "UTC", END_OF_TIME) is None
    newest, more = newest_fires("0 0 * * *", "UTC", -END_OF_TIME, END_OF_TIME, 1)
    assert ([rfc3339(fire) for fire in newest], more) == (["2199-12-31T00:00:00Z"], True)
    assert all_fires("0 0 31 12 *", "UTC", at("2199-01-01T00:00:00Z"), 1 << 60) == newest
    assert newest_fires("0 0 * * *", "UTC", -END_OF_TIME, -1, 1) == ([], False)
    assert newest_fires("0 0 * * *", "UTC", -END_OF_TIME, DAY, 5) == ([0, DAY], False)


@pytest.mark.parametrize("timezone", ["Pacific/Kiritimati", "Pacific/Niue"])
def test_both_ends_of_the_supported_time_are_the_same_in_both_directions(timezone: str) -> None:
    ascending = list(fires("0 */6 1 1 *", timezone, -END_OF_TIME, END_OF_TIME))
    assert newest_fires("0 */6 1 1 *", timezone, -END_OF_TIME, END_OF_TIME, 10_000) == (
        ascending,
        False,
    )
    assert len(ascending) == 4 * 230


def test_the_very_last_fire_counts_also_when_the_clock_moves_it_to_the_next_date() -> None:
    # 2199-03-30 is the day on which Greenland's clock skips the hour before midnight.
    found = list(fires("30 23 30 3 *", "America/Nuuk", at("2198-12-31T00:00:00Z"), END_OF_TIME))
    assert [rfc3339(fire) for fire in found] == ["2199-03-31T01:00:00Z"]
    assert newest_fires("30 23 30 3 *", "America/Nuuk", 0, END_OF_TIME, 1) == (found, True)


def test_each_call_refuses_an_expression_or_a_zone_it_cannot_use() -> None:
    for cron, timezone in [("0 25 * * *", "UTC"), ("0 9 * * *", "Europe/Berlln")]:
        with pytest.raises(InvalidInput):
            next_fire(cron, timezone, 0)
        with pytest.raises(InvalidInput):
            list(fires(cron, timezone, 0, DAY))
        with pytest.raises(InvalidInput):
            newest_fires(cron, timezone, 0, DAY, 1)
        with pytest.raises(InvalidInput):
            period_s(cron, timezone, 0)
        with pytest.raises(InvalidInput):
            preview(cron, timezone, 0, 1)


@pytest.mark.parametrize(
    ("cron", "seconds"),
    [
        ("* * * * *", 60),
        ("*/15 9-16 * * 1-5", 900),
        ("0 9 * * 1-5", 86_400),
        ("0 9,17 * * *", 8 * 3600),
        ("0 9 * * 1", 7 * 86_400),
        ("0 0 29 2 *", 4 * 365 * 86_400 + 86_400),
    ],
)
def test_the_period_is_the_usual_gap(cron: str, seconds: int) -> None:
    # A Friday, and two days before the clock changes in Berlin: neither counts as usual.
    assert period_s(cron, "Europe/Berlin", at("2025-03-28T12:00:00Z")) == seconds


def test_the_period_is_that_around_the_instant() -> None:
    # Daily in the first days of a month, on Mondays after them.
    assert period_s("0 0 1-6 * 1", "UTC", at("2025-09-04T00:00:00Z")) == 86_400
    assert period_s("0 0 1-6 * 1", "UTC", at("2025-09-20T00:00:00Z")) == 2 * 86_400


def test_a_long_pause_is_not_the_usual_gap() -> None:
    assert period_s("* * * 1 *", "UTC", at("2025-01-10T00:00:00Z")) == 60
    assert period_s("* * * 1 *", "UTC", at("2025-06-10T00:00:00Z")) == 60


def test_a_spread_is_fixed_per_task_and_within_its_bounds() -> None:
    offsets = [spread_offset_s(f"tsk_{number:04x}", 600) for number in range(2000)]
    assert offsets == [spread_offset_s(f"tsk_{number:04x}", 600) for number in range(2000)]
    assert min(offsets) < 10
    assert 590 < max(offsets) <= 600
    assert {spread_offset_s(f"tsk_{number}", 1) for number in range(50)} == {0, 1}
    assert spread_offset_s("tsk_1", 0) == 0


def test_a_spread_is_the_same_in_every_process_and_release() -> None:
    assert spread_offset_s("tsk_0123456789abcdef", 600) == SPREAD_OF_A_KNOWN_ID
    code = (
        "from nod.domain.schedule import spread_offset_s;"
        "print(spread_offset_s('tsk_0123456789abcdef', 600), end='')"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert answer.stdout == str(SPREAD_OF_A_KNOWN_ID)


def test_a_preview_of_cron_has_words_utc_and_local_times() -> None:
    shown = preview(" 0  9 * * mon-fri", "Europe/Berlin", at("2025-03-28T12:00:00Z"), 2)
    assert shown.schedule == "0 9 * * MON-FRI"
    assert shown.timezone == "Europe/Berlin"
    assert shown.description == "Every weekday at 09:00"
    assert shown.next == (at("2025-03-31T07:00:00Z"), at("2025-04-01T07:00:00Z"))
    assert shown.local == ("2025-03-31T09:00:00+02:00", "2025-04-01T09:00:00+02:00")
    assert shown.notes == ()


def test_a_preview_shows_a_fire_that_daylight_saving_moves_and_says_so() -> None:
    shown = preview("30 2 * * *", "Europe/Berlin", at("2025-03-29T12:00:00Z"), 1)
    assert shown.local == ("2025-03-30T03:00:00+02:00",)
    assert shown.notes[0].startswith("On 2025-03-30 the clock skips 02:00 to 03:00")


def test_a_preview_of_a_one_time_task_shows_its_time() -> None:
    run_at = at("2025-03-30T01:00:00Z")
    shown = preview("once", "Europe/Berlin", run_at - 1, 5, run_at)
    assert shown.description == "Once, on 2025-03-30 at 03:00 (Europe/Berlin)"
    assert (shown.next, shown.local) == ((run_at,), ("2025-03-30T03:00:00+02:00",))
    assert preview("once", "Europe/Berlin", run_at, 5, run_at).next == ()
    untimed = preview("once", "UTC", run_at, 5)
    assert (untimed.description, untimed.next) == ("Once, at its run_at time", ())


def test_a_preview_of_an_event_task_has_no_times() -> None:
    shown = preview("event", "UTC", 0, 5)
    assert shown.description == "Each time its trigger address is called"
    assert (shown.next, shown.local, shown.notes) == ((), (), ())


@pytest.mark.parametrize("schedule", ["once", "event", "0 9 * * *"])
def test_a_preview_refuses_a_zone_that_does_not_exist(schedule: str) -> None:
    with pytest.raises(InvalidInput):
        preview(schedule, "Mars/Olympus", 0, 1)


def test_fires_can_be_taken_one_by_one_from_an_endless_interval() -> None:
    first = list(islice(fires("*/5 * * * *", "UTC", 0, END_OF_TIME), 4))
    assert [after - before for before, after in pairwise(first)] == [300 * SECOND] * 3


def test_the_last_day_of_a_month_is_met_from_a_month_without_fires() -> None:
    since, until = at("2025-01-01T12:00:00Z"), at("2025-04-01T12:00:00Z")
    found = [at("2025-01-31T00:00:00Z")]
    assert newest_fires("0 0 31 1 *", "UTC", since, until, 5) == (found, False)
    assert list(fires("0 0 31 1 *", "UTC", since, until)) == found
