"""Policies: catching up, overlaps, retries and webhook attempts."""

from dataclasses import replace
from itertools import accumulate

import pytest

from nod.domain.instant import DAY, HOUR, MINUTE, SECOND, Instant, parse_rfc3339
from nod.domain.limits import Limits
from nod.domain.policy import (
    CatchUp,
    Hold,
    Overlap,
    OverlapDecision,
    PlannedFire,
    decide_overlap,
    default_catch_up_window_s,
    default_overlap,
    hold,
    may_retry,
    notify_delay_s,
    plan_fires,
    retry_after_s,
    retry_delay_s,
    webhook_delay_s,
)
from nod.domain.schedule import TriggerType

LIMITS = Limits()
NOW: Instant = parse_rfc3339("2025-09-01T10:00:00Z", "test")
STANDS = "missed; a later fire stands for it"


@pytest.mark.parametrize(
    ("kind", "catch_up", "period_s", "window_s"),
    [
        ("scheduled", "latest", 3600, 1800),
        ("scheduled", "latest", 60, 120),
        ("scheduled", "latest", 86_400, 7200),
        ("scheduled", "latest", 4 * 3600, 7200),
        ("scheduled", "latest", 301, 150),
        ("scheduled", "skip", 3600, 1800),
        ("scheduled", "all", 3600, 86_400),
        ("event", "latest", None, 120),
        ("once", "latest", None, 86_400),
        ("once", "all", None, 86_400),
        ("once", "skip", None, 86_400),
    ],
)
def test_the_window_is_half_the_period_within_bounds(
    kind: TriggerType, catch_up: CatchUp, period_s: int | None, window_s: int
) -> None:
    assert default_catch_up_window_s(kind, catch_up, period_s, LIMITS) == window_s


def test_the_windows_come_from_the_limits() -> None:
    limits = replace(
        LIMITS, catch_up_once_s=1, catch_up_all_s=2, catch_up_min_s=300, catch_up_max_s=400
    )
    assert default_catch_up_window_s("once", "all", None, limits) == 1
    assert default_catch_up_window_s("scheduled", "all", 60, limits) == 2
    assert default_catch_up_window_s("scheduled", "latest", 60, limits) == 300
    assert default_catch_up_window_s("scheduled", "latest", 86_400, limits) == 400


def reasons(planned: list[PlannedFire]) -> list[str | None]:
    return [fire.skip_reason for fire in planned]


@pytest.mark.parametrize("catch_up", ["latest", "all", "skip"])
def test_a_fire_on_time_runs_under_every_policy(catch_up: CatchUp) -> None:
    for late in (0, 1, 30 * SECOND):
        planned = plan_fires([NOW - late], NOW, catch_up, 0, LIMITS)
        assert planned == [PlannedFire(NOW - late, None)]


@pytest.mark.parametrize("catch_up", ["latest", "all", "skip"])
def test_no_fires_make_no_plan(catch_up: CatchUp) -> None:
    assert plan_fires([], NOW, catch_up, 3600, LIMITS) == []


def test_latest_runs_the_newest_missed_fire_for_all() -> None:
    missed = [NOW - 3 * HOUR, NOW - 2 * HOUR, NOW - HOUR]
    planned = plan_fires(missed, NOW, "latest", 3 * 3600, LIMITS)
    assert [fire.scheduled_for for fire in planned] == missed
    assert reasons(planned) == [STANDS, STANDS, None]


def test_a_fire_older_than_the_window_is_skipped_and_says_by_how_much() -> None:
    missed = [NOW - 4 * HOUR, NOW - 3 * HOUR - 12 * MINUTE]
    assert reasons(plan_fires(missed, NOW, "latest", 7200, LIMITS)) == [
        "missed by 4 h, more than the catch-up window of 2 h",
        "missed by 3 h 12 min, more than the catch-up window of 2 h",
    ]


def test_the_window_includes_its_end() -> None:
    planned = plan_fires([NOW - 7200 * SECOND], NOW, "latest", 7200, LIMITS)
    assert reasons(planned) == [None]
    planned = plan_fires([NOW - 7200 * SECOND - 1], NOW, "latest", 7200, LIMITS)
    assert reasons(planned) == ["missed by 2 h, more than the catch-up window of 2 h"]


def test_all_runs_every_missed_fire_within_the_window() -> None:
    missed = [NOW - 3 * HOUR, NOW - 2 * HOUR, NOW - HOUR, NOW]
    assert reasons(plan_fires(missed, NOW, "all", 2 * 3600, LIMITS)) == [
        "missed by 3 h, more than the catch-up window of 2 h",
        None,
        None,
        None,
    ]


def test_all_runs_no_more_than_the_limit_and_those_are_the_newest() -> None:
    limits = replace(LIMITS, catch_up_runs=2)
    missed = [NOW - 2 * DAY, NOW - 3 * MINUTE, NOW - 2 * MINUTE, NOW - MINUTE]
    assert reasons(plan_fires(missed, NOW, "all", 3600, limits)) == [
        "missed by 2 d, more than the catch-up window of 1 h",
        "missed; only the newest 2 fires are run",
        None,
        None,
    ]


def test_skip_runs_only_what_is_on_time() -> None:
    missed = [NOW - 2 * MINUTE, NOW - MINUTE, NOW - 30 * SECOND]
    assert reasons(plan_fires(missed, NOW, "skip", 86_400, LIMITS)) == [
        "missed by 2 min, and the task does not catch up",
        "missed by 1 min, and the task does not catch up",
        None,
    ]


def test_what_is_on_time_comes_from_the_limits() -> None:
    limits = replace(LIMITS, on_time_s=90)
    missed = [NOW - 2 * MINUTE, NOW - MINUTE]
    planned = plan_fires(missed, NOW, "skip", 0, limits)
    assert reasons(planned)[1] is None
    assert reasons(planned)[0] == "missed by 2 min, and the task does not catch up"
    assert reasons(plan_fires(missed, NOW, "latest", 0, limits))[1] is None


@pytest.mark.parametrize(
    ("kind", "overlap"), [("scheduled", "skip"), ("once", "skip"), ("event", "queue")]
)
def test_events_queue_by_default_and_schedules_skip(kind: TriggerType, overlap: Overlap) -> None:
    assert default_overlap(kind) == overlap


@pytest.mark.parametrize(
    ("overlap", "kind", "active", "queued", "decision"),
    [
        ("skip", "scheduled", 0, 0, "run"),
        ("skip", "scheduled", 1, 0, "skip"),
        ("queue", "scheduled", 0, 0, "run"),
        ("queue", "scheduled", 1, 0, "queue"),
        ("queue", "scheduled", 1, 1, "skip"),
        ("queue", "once", 1, 1, "skip"),
        ("queue", "event", 1, 99, "queue"),
        ("queue", "event", 1, 100, "skip"),
        ("queue", "event", 0, 3, "queue"),
        ("allow", "scheduled", 7, 3, "run"),
        ("cancel_previous", "scheduled", 0, 0, "run"),
        ("cancel_previous", "scheduled", 1, 0, "cancel_previous"),
        ("cancel_previous", "scheduled", 0, 1, "cancel_previous"),
    ],
)
def test_a_fire_during_a_run_follows_the_tasks_overlap(
    overlap: Overlap, kind: TriggerType, active: int, queued: int, decision: OverlapDecision
) -> None:
    assert decide_overlap(overlap, kind, active, queued, LIMITS) == decision


def test_the_room_of_a_queue_comes_from_the_limits() -> None:
    limits = replace(LIMITS, queue_scheduled=3, queue_event=2)
    assert decide_overlap("queue", "scheduled", 1, 2, limits) == "queue"
    assert decide_overlap("queue", "scheduled", 1, 3, limits) == "skip"
    assert decide_overlap("queue", "event", 1, 2, limits) == "skip"


@pytest.mark.parametrize(
    ("overlap", "paused", "by_hand", "underway", "held"),
    [
        ("skip", False, False, 0, None),
        ("skip", False, False, 1, "overlap"),
        ("queue", False, False, 1, "overlap"),
        ("queue", False, True, 1, "overlap"),
        ("cancel_previous", False, False, 1, "overlap"),
        ("allow", False, False, 3, None),
        ("allow", True, False, 0, "paused"),
        ("queue", True, False, 1, "paused"),
        ("queue", True, True, 1, "overlap"),
        ("queue", True, True, 0, None),
    ],
)
def test_a_run_that_was_made_earlier_waits_for_its_turn_and_for_the_end_of_a_pause(
    overlap: Overlap, paused: bool, by_hand: bool, underway: int, held: Hold | None
) -> None:
    assert hold(overlap, paused=paused, by_hand=by_hand, underway=underway) == held


def test_a_run_nobody_took_up_is_retried_until_its_attempts_are_used_up() -> None:
    assert may_retry(1, 2, idempotent=False, taken_up=False)
    assert not may_retry(2, 2, idempotent=False, taken_up=False)
    assert not may_retry(1, 1, idempotent=True, taken_up=False)


def test_a_run_that_was_taken_up_is_retried_only_when_the_task_is_idempotent() -> None:
    assert not may_retry(1, 3, idempotent=False, taken_up=True)
    assert may_retry(1, 3, idempotent=True, taken_up=True)


def test_retries_come_after_5_15_and_then_each_30_minutes() -> None:
    assert [retry_delay_s(attempt) for attempt in range(1, 6)] == [300, 900, 1800, 1800, 1800]


def attempts_at(event_type: str) -> list[float]:
    """When the attempts happen, in seconds after the first, without jitter."""
    delays: list[float] = [0]
    while (delay := webhook_delay_s(event_type, len(delays), 0)) is not None:
        delays.append(delay)
    return list(accumulate(delays))


@pytest.mark.parametrize("event_type", ["task_due", "task_trigger"])
def test_a_runs_webhook_is_tried_for_a_day_every_two_hours_at_last(event_type: str) -> None:
    hours = [hour * 3600 for hour in (1, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24)]
    assert attempts_at(event_type) == [0, 5, 30, 120, 600, 1800, *hours]


@pytest.mark.parametrize("event_type", ["user_message", "decision_resolved", "anything"])
def test_another_webhook_is_tried_ten_times_in_a_day(event_type: str) -> None:
    hours = [hour * 3600 for hour in (2, 5, 10, 14, 20, 24)]
    assert attempts_at(event_type) == [0, 5, 300, 1800, *hours]


def test_a_persons_target_is_tried_again_after_longer_and_longer_up_to_an_hour() -> None:
    delays = [notify_delay_s(failures, 0) for failures in range(1, 7)]
    assert delays == [10, 60, 300, 1800, 3600, 3600]
    assert notify_delay_s(1, 1) == pytest.approx(12)


def test_jitter_moves_an_attempt_by_up_to_a_fifth() -> None:
    assert webhook_delay_s("task_due", 1, 1) == pytest.approx(6)
    assert webhook_delay_s("task_due", 1, -1) == pytest.approx(4)
    assert webhook_delay_s("task_due", 2, 0.5) == pytest.approx(27.5)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        (" 120 ", 120),
        ("86400", 86_400),
        ("86401", 86_400),
        ("9" * 5000, 86_400),
        ("Mon, 01 Sep 2025 10:00:30 GMT", 30),
        ("Monday, 01-Sep-25 10:00:30 GMT", 30),
        ("Mon Sep  1 10:00:30 2025", 30),
        ("Mon, 01 Sep 2025 12:00:30 +0200", 30),
        ("Mon, 01 Sep 2025 09:00:00 GMT", 0),
        ("Mon, 01 Sep 2031 09:00:00 GMT", 86_400),
        ("", None),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("٣", None),
        ("Mon, 99 Sep 2025 10:00:30 GMT", None),
        ("Mon, 01 Sep 2025 10:00:30 +9999999999", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_bounded_to_a_day(
    header: str, seconds: float | None
) -> None:
    assert retry_after_s(header, NOW) == seconds
