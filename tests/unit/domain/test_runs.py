"""A run as a value: how it is made, and what its life looks like in time."""

from dataclasses import replace
from typing import Any

import pytest

from nod.domain.instant import HOUR, MINUTE, SECOND
from nod.domain.model import Run
from nod.domain.runs import (
    delivered,
    in_queue,
    make_run,
    paused,
    renewed,
    resumed,
    skipped_run,
    underway,
    waits_as_retry,
)
from support.clock import MONDAY_9
from support.values import make_task

NOW = MONDAY_9
TASK = make_task(timeout_s=600, useful_until="2h")


def make(**changes: Any) -> Run:
    return replace(make_run(TASK, NOW, NOW - MINUTE, "schedule"), **changes)


def test_a_new_run_waits_for_its_delivery_and_knows_nothing_of_its_end() -> None:
    run = make_run(TASK, NOW, NOW - MINUTE, "schedule")
    assert run == Run(
        id=run.id,
        task_id=TASK.id,
        agent_id=TASK.agent_id,
        status="pending",
        trigger="schedule",
        queued=False,
        attempt=1,
        retry_of=None,
        scheduled_for=NOW - MINUTE,
        missed_until=None,
        created_at=NOW,
        useful_until=NOW - MINUTE + 2 * HOUR,
        delivery="pending",
        delivered_at=None,
        started_at=None,
        finished_at=None,
        deadline_at=None,
        last_deadline_at=None,
        waiting_since=None,
        timeout_s=600,
        summary=None,
        error=None,
        reason=None,
        late=False,
        input_tokens=None,
        output_tokens=None,
        cost_usd=None,
    )
    assert run.id.startswith(f"run_{NOW:012x}")
    assert make_run(TASK, NOW, NOW, "event", queued=True).queued


def test_a_time_of_day_ends_usefulness_in_the_tasks_zone() -> None:
    task = make_task(useful_until="11:00", timezone="Europe/Berlin")
    assert make_run(task, NOW, NOW, "schedule").useful_until == NOW + HOUR
    assert make_run(make_task(), NOW, NOW, "schedule").useful_until is None


def test_a_retry_is_the_next_attempt_and_useful_no_longer_than_the_first() -> None:
    first = make(attempt=2)
    retry = make_run(TASK, NOW, NOW + HOUR, "retry", retry_of=first)
    assert (retry.retry_of, retry.attempt) == (first.id, 3)
    assert (retry.scheduled_for, retry.useful_until) == (NOW + HOUR, first.useful_until)
    endless = make_run(TASK, NOW, NOW + HOUR, "retry", retry_of=replace(first, useful_until=None))
    assert endless.useful_until is None


@pytest.mark.parametrize(
    ("changes", "waits"),
    [
        ({}, True),
        ({"scheduled_for": NOW}, False),
        ({"scheduled_for": NOW, "queued": True}, True),
        ({"status": "running"}, False),
        ({"trigger": "schedule"}, False),
    ],
)
def test_only_a_retry_whose_time_or_turn_has_not_come_stands_in_nobodys_way(
    changes: dict[str, Any], waits: bool
) -> None:
    run = make(**{"trigger": "retry", "scheduled_for": NOW + 1, **changes})
    assert waits_as_retry(run, NOW) == waits
    assert underway([run], NOW) == ([] if waits else [run])


def test_a_queued_run_is_not_under_way() -> None:
    runs = [make(), make(queued=True), make(status="waiting")]
    assert underway(runs, NOW) == [runs[0], runs[2]]


def test_a_retry_takes_no_place_in_the_queue_from_another() -> None:
    runs = [make(), make(queued=True), make(queued=True, trigger="retry")]
    assert in_queue(runs, NOW) == [runs[1]]


def test_the_entry_of_a_fire_that_did_not_run_has_its_reason_and_has_ended() -> None:
    entry = skipped_run(TASK, NOW, NOW - HOUR, "once", "paused", NOW - 1)
    made = make_run(TASK, NOW, NOW - HOUR, "once")
    assert entry == replace(
        made,
        id=entry.id,
        status="skipped",
        reason="paused",
        missed_until=NOW - 1,
        finished_at=NOW,
        useful_until=None,
    )
    assert skipped_run(TASK, NOW, NOW, "schedule", "paused").missed_until is None


# deadlines


def test_the_time_of_a_run_starts_with_its_delivery() -> None:
    run = make()
    assert delivered(run, NOW, "polled", 3600) == replace(
        run,
        delivery="polled",
        delivered_at=NOW,
        deadline_at=NOW + 600 * SECOND,
        last_deadline_at=NOW + 3600 * SECOND,
    )


def test_a_sign_of_life_moves_the_deadline_never_beyond_the_longest_working_time() -> None:
    run = delivered(make(), NOW, "delivered", 900)
    assert renewed(run, NOW + 300 * SECOND).deadline_at == NOW + 900 * SECOND
    assert renewed(run, NOW + 299 * SECOND).deadline_at == NOW + 899 * SECOND
    assert renewed(run, NOW + 800 * SECOND).deadline_at == NOW + 900 * SECOND
    assert renewed(make(), NOW).deadline_at == NOW + 600 * SECOND


def test_no_deadline_runs_while_a_person_is_asked() -> None:
    run = delivered(make(), NOW, "delivered", 3600)
    waiting = paused(run, NOW + MINUTE)
    assert waiting == replace(run, deadline_at=None, waiting_since=NOW + MINUTE)


def test_a_wait_counts_against_neither_deadline() -> None:
    run = delivered(make(), NOW, "delivered", 900)
    answered_at = NOW + MINUTE + 5 * HOUR
    after = resumed(paused(run, NOW + MINUTE), answered_at)
    assert after == replace(
        run,
        deadline_at=answered_at + 600 * SECOND,
        last_deadline_at=NOW + 900 * SECOND + 5 * HOUR,
        waited_ms=5 * HOUR,
    )
    assert renewed(after, answered_at + 800 * SECOND).deadline_at == after.last_deadline_at


def test_a_run_that_never_waited_or_was_never_delivered_goes_on_too() -> None:
    run = delivered(make(), NOW, "delivered", 900)
    assert resumed(run, NOW) == run
    found = make()
    after = resumed(paused(found, NOW), NOW + HOUR)
    assert after == replace(found, deadline_at=NOW + HOUR + 600 * SECOND, waited_ms=HOUR)
