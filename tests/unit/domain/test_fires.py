"""When a task fires: schedule, bounds and spread together, and what has come due."""

from dataclasses import replace
from itertools import takewhile
from typing import Any

import pytest

from nod.domain.fires import (
    Due,
    catch_up_window_s,
    due_fires,
    fires_after,
    fires_between,
    next_fire_of,
    paused_reason,
)
from nod.domain.instant import DAY, HOUR, MINUTE, SECOND, Instant
from nod.domain.limits import Limits
from nod.domain.model import Task
from nod.domain.policy import PlannedFire
from support.clock import MONDAY_9
from support.values import make_task

LIMITS = Limits()
TEN = MONDAY_9 + HOUR
# With a spread of 600 seconds, the task of this id fires 523 seconds after its schedule.
SPREAD_ID, SPREAD = "tsk_0123456789abcdef", 523 * SECOND


def task(schedule: str = "0 * * * *", **given: Any) -> Task:
    return make_task(schedule=schedule, timezone="UTC", **given)


def due(task: Task, now: Instant, limits: Limits = LIMITS) -> Due:
    return due_fires(task, now, limits)


def ran(found: Due) -> list[Instant]:
    return [fire.scheduled_for for fire in found.fires if fire.skip_reason is None]


# the next fire


def test_the_next_fire_is_strictly_after_the_instant() -> None:
    assert next_fire_of(task(), TEN - 1) == TEN
    assert next_fire_of(task(), TEN) == TEN + HOUR


def test_a_one_time_task_has_its_time_as_long_as_that_is_to_come() -> None:
    once = task("once", run_at="2026-03-02T10:00:00Z")
    assert next_fire_of(once, TEN - 1) == TEN
    assert next_fire_of(once, TEN) is None
    assert next_fire_of(replace(once, run_at=None), TEN - 1) is None


def test_an_event_task_fires_at_no_time() -> None:
    assert next_fire_of(task("event"), MONDAY_9) is None


@pytest.mark.parametrize(
    "given",
    [
        task(),
        replace(task(), starts_at=TEN + HOUR, ends_at=TEN + 3 * HOUR),
        replace(task(), id=SPREAD_ID, spread_s=600),
        replace(task(), id=SPREAD_ID, spread_s=600, starts_at=TEN + SPREAD, ends_at=TEN + 2 * HOUR),
        task("once", run_at="2026-03-02T10:00:00Z"),
        task("event"),
    ],
)
def test_the_fires_of_a_span_are_those_one_after_another(given: Task) -> None:
    for since, until in ((MONDAY_9, TEN + DAY), (TEN, TEN + HOUR), (TEN + 1, TEN + SPREAD)):
        following = takewhile(lambda at: at < until, fires_after(given, since - 1))  # noqa: B023
        assert fires_between(given, since, until) == list(following)


def test_a_span_has_the_fire_at_its_beginning_and_not_the_one_at_its_end() -> None:
    assert fires_between(task(), TEN, TEN + 2 * HOUR) == [TEN, TEN + HOUR]
    once = task("once", run_at="2026-03-02T10:00:00Z")
    assert fires_between(once, MONDAY_9, TEN) == []
    assert fires_between(once, TEN, TEN + 1) == [TEN]


def test_a_bound_belongs_to_the_time_in_which_the_task_fires() -> None:
    bounded = replace(task(), starts_at=TEN, ends_at=TEN + 2 * HOUR)
    assert next_fire_of(bounded, 0) == TEN
    assert next_fire_of(bounded, TEN) == TEN + HOUR
    assert next_fire_of(bounded, TEN + HOUR) == TEN + 2 * HOUR
    assert next_fire_of(bounded, TEN + 2 * HOUR) is None


def test_a_spread_fire_is_late_by_the_tasks_own_offset_and_within_its_bounds() -> None:
    spread = replace(task(), id=SPREAD_ID, spread_s=600)
    assert next_fire_of(spread, MONDAY_9) == MONDAY_9 + SPREAD
    assert next_fire_of(spread, MONDAY_9 + SPREAD) == TEN + SPREAD
    late = replace(spread, starts_at=TEN + SPREAD, ends_at=TEN + SPREAD)
    assert next_fire_of(late, MONDAY_9) == TEN + SPREAD
    assert next_fire_of(replace(late, starts_at=TEN + SPREAD + 1), MONDAY_9) is None
    assert next_fire_of(replace(late, ends_at=TEN + SPREAD - 1), MONDAY_9) is None


# what has come due


def test_nothing_is_due_before_the_time() -> None:
    assert due(task(), TEN - 1) == Due((), None, None, TEN)
    assert due(task("event"), TEN) == Due((), None, None, None)


@pytest.mark.parametrize("late", [0, 1, 30 * SECOND])
def test_a_fire_on_time_runs_and_the_one_after_it_is_next(late: int) -> None:
    found = due(task(catch_up="skip"), TEN + late)
    assert found == Due((PlannedFire(TEN, None),), None, None, TEN + HOUR)


def test_a_one_time_task_comes_due_and_has_no_fire_after_it() -> None:
    once = task("once", run_at="2026-03-02T10:00:00Z")
    assert due(once, TEN) == Due((PlannedFire(TEN, None),), None, None, None)


def test_of_several_due_fires_the_policy_says_which_run() -> None:
    now = TEN + 2 * HOUR
    assert ran(due(task(), now)) == [now]
    assert ran(due(task(catch_up="all"), now)) == [TEN, TEN + HOUR, now]
    assert ran(due(task(catch_up_window_s=86_400), now)) == [now]
    assert ran(due(task(catch_up="skip", catch_up_window_s=86_400), now)) == [now]
    found = due(task(), now + 29 * MINUTE)
    assert [fire.scheduled_for for fire in found.fires] == [TEN, TEN + HOUR, now]
    assert [fire.skip_reason for fire in found.fires] == [
        "missed by 2 h 29 min, more than the catch-up window of 30 min",
        "missed by 1 h 29 min, more than the catch-up window of 30 min",
        None,
    ]
    assert found.next_fire_at == now + HOUR


def test_two_fires_are_due_as_soon_as_it_is_time_for_the_second() -> None:
    assert len(due(task(), TEN + HOUR - 1).fires) == 1
    assert len(due(task(), TEN + HOUR).fires) == 2


def test_after_downtime_no_fire_beyond_the_end_is_due() -> None:
    bounded = replace(task(catch_up="all"), ends_at=TEN + HOUR)
    found = due(bounded, TEN + 3 * HOUR)
    assert ran(found) == [TEN, TEN + HOUR]
    assert found.next_fire_at is None
    assert ran(due(replace(bounded, ends_at=TEN + 5 * HOUR), TEN + HOUR)) == [TEN, TEN + HOUR]


def test_after_downtime_spread_fires_are_due_at_their_own_times() -> None:
    spread = replace(task(catch_up="all"), id=SPREAD_ID, spread_s=600, next_fire_at=TEN + SPREAD)
    now = TEN + 2 * HOUR + SPREAD
    assert ran(due(spread, now)) == [TEN + SPREAD, TEN + HOUR + SPREAD, now]
    assert ran(due(spread, now - 1)) == [TEN + SPREAD, TEN + HOUR + SPREAD]
    ending = replace(spread, ends_at=now - 1)
    assert ran(due(ending, now)) == [TEN + SPREAD, TEN + HOUR + SPREAD]


def test_more_fires_than_can_be_listed_share_one_entry_up_to_the_first_that_is_listed() -> None:
    limits = replace(LIMITS, missed_entries=2)
    found = due(task(), TEN + 3 * HOUR, limits)
    assert [fire.scheduled_for for fire in found.fires] == [TEN + 2 * HOUR, TEN + 3 * HOUR]
    assert (found.missed_from, found.missed_until) == (TEN, TEN + 2 * HOUR - 1)
    assert found.next_fire_at == TEN + 4 * HOUR
    fewer = due(task(), TEN + HOUR, limits)
    assert (len(fewer.fires), fewer.missed_from, fewer.missed_until) == (2, None, None)


def test_the_fires_of_a_paused_task_are_due_and_do_not_run() -> None:
    paused = replace(task(useful_until="1m"), enabled=False, pause_reason="on holiday")
    assert due(paused, TEN + HOUR) == Due(
        (
            PlannedFire(TEN, "paused: on holiday"),
            PlannedFire(TEN + HOUR, "paused: on holiday"),
        ),
        None,
        None,
        TEN + 2 * HOUR,
    )
    assert paused_reason(replace(paused, pause_reason=None)) == "paused"


# usefulness


def test_a_fire_past_its_use_does_not_run_and_the_person_is_asked_about_it() -> None:
    brief = make_task(schedule="0 11 * * *", useful_until="20m", timezone="Europe/Berlin")
    assert due(brief, TEN + 20 * MINUTE - 1).fires == (PlannedFire(TEN, None),)
    found = due(brief, TEN + 20 * MINUTE)
    reason = "useful until 11:20; Nod came to it after that"
    assert found == Due((PlannedFire(TEN, reason),), None, None, TEN + DAY, TEN)


def test_a_time_of_day_ends_usefulness_in_the_tasks_zone() -> None:
    brief = make_task(schedule="0 11 * * *", useful_until="11:20", timezone="Europe/Berlin")
    assert due(brief, TEN + 20 * MINUTE - 1).still_wanted is None
    assert due(brief, TEN + 20 * MINUTE).still_wanted == TEN


def test_of_several_fires_past_their_use_the_person_is_asked_about_the_newest() -> None:
    brief = task(useful_until="5m", catch_up="all")
    found = due(brief, TEN + HOUR + 5 * MINUTE)
    assert [fire.skip_reason for fire in found.fires] == [
        "useful until 10:05; Nod came to it after that",
        "useful until 11:05; Nod came to it after that",
    ]
    assert found.still_wanted == TEN + HOUR


def test_a_fire_that_is_too_old_keeps_that_as_its_reason() -> None:
    found = due(task(useful_until="5m"), TEN + 40 * MINUTE)
    (fire,) = found.fires
    assert fire.skip_reason == "missed by 40 min, more than the catch-up window of 30 min"
    assert found.still_wanted == TEN


def test_nobody_is_asked_where_the_task_does_not_catch_up() -> None:
    assert due(task(useful_until="5m", catch_up="skip"), TEN + 40 * MINUTE).still_wanted is None


# the window


@pytest.mark.parametrize(
    ("schedule", "given", "window_s"),
    [
        ("0 * * * *", {}, 1800),
        ("*/10 * * * *", {}, 300),
        ("0 * * * *", {"catch_up_window_s": 0}, 0),
        ("0 * * * *", {"catch_up_window_s": 77}, 77),
        ("0 * * * *", {"catch_up": "all"}, 86_400),
        ("once", {"run_at": "2026-03-02T10:00:00Z"}, 86_400),
        ("event", {}, 120),
    ],
)
def test_the_catch_up_window_is_the_tasks_own_or_follows_from_its_period(
    schedule: str, given: dict[str, Any], window_s: int
) -> None:
    assert catch_up_window_s(task(schedule, **given), TEN, LIMITS) == window_s
