"""A fire becomes exactly one run, and every fire has its entry."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from nod.actions import tasks
from nod.domain.errors import Conflict
from nod.domain.fires import next_fire_of
from nod.domain.instant import DAY, HOUR, SECOND
from nod.domain.limits import Limits
from nod.domain.model import Task
from nod.domain.policy import default_overlap
from nod.domain.runs import make_run
from nod.domain.schedule import spread_offset_s
from nod.domain.task_fields import TaskFields
from nod.engine.ending import cancel
from nod.engine.fire import fire_task, set_aside
from nod.store.port import UniqueViolation
from support.clock import MONDAY_9
from support.steps import (
    DAY_S,
    HOUR_S,
    MINUTE_S,
    at,
    complete,
    decisions,
    events,
    fire,
    fire_after,
    fire_due,
    newest,
    now,
    take_up,
)
from support.world import World, open_world


async def test_a_due_task_makes_one_run_and_one_event(world: World) -> None:
    task = await world.task("0 10 * * *")
    world.clock.advance(HOUR_S)

    assert await world.store.write(fire_due) == 1
    assert await world.store.write(fire_due) == 0

    (run,) = await world.runs(task)
    assert (run.status, run.trigger, run.delivery) == ("pending", "schedule", "pending")
    assert run.scheduled_for == MONDAY_9 + HOUR
    (event,) = await events(world, run)
    assert (event.type, event.state) == ("task_due", "pending")
    assert (await world.get(task)).next_fire_at == run.scheduled_for + DAY
    assert world.names()[-1] == "fired"


async def test_an_agent_completes_its_run(world: World) -> None:
    task = await world.task("0 10 * * *")
    await fire_after(world, HOUR_S)
    done = await complete(world, await newest(world, task), summary="All is well.")
    assert done.status == "completed"
    assert (await world.get(task)).last_run_status == "completed"


async def test_two_that_fire_at_the_same_time_make_one_run(world: World) -> None:
    task = await world.task("0 10 * * *")
    world.clock.advance(HOUR_S)
    await asyncio.gather(*(world.store.write(fire_due) for _ in range(10)))
    assert len(await world.runs(task)) == 1


async def test_the_database_refuses_a_second_run_of_a_fire(world: World) -> None:
    task = await world.task("0 10 * * *")
    await fire_after(world, HOUR_S)
    first = await newest(world, task)
    again = make_run(task, MONDAY_9, first.scheduled_for, "schedule")
    with pytest.raises(UniqueViolation):
        await world.store.write(lambda tx: tx.runs.insert([again]))
    # A person's run of the same moment is no second fire.
    await world.store.write(lambda tx: tx.runs.insert([replace(again, trigger="manual")]))


async def test_many_tasks_fire_in_batches_the_longest_due_first(world: World) -> None:
    late = await world.task("0 11 * * *")
    early = await world.task("0 10 * * *")
    world.clock.advance(2 * HOUR_S)
    assert await world.store.write(lambda tx: fire_due(tx, 1)) == 1
    assert len(await world.runs(early)) == 1
    assert await world.runs(late) == []
    assert await world.store.write(lambda tx: fire_due(tx, 1)) == 1
    assert len(await world.runs(late)) == 1


async def test_firing_one_task_leaves_those_alone_that_are_not_due(world: World) -> None:
    task = await world.task("0 10 * * *")
    await world.store.write(lambda tx: fire_task(tx, task.id))
    await world.store.write(lambda tx: fire_task(tx, "tsk_none"))
    called = await world.task("event")
    await world.store.write(lambda tx: fire_task(tx, called.id))
    assert await world.runs(task) == await world.runs(called) == []


# bounds


async def test_a_one_time_task_fires_once_and_is_disabled_after_it(world: World) -> None:
    task = await world.task("once", run_at="2026-03-02T10:00:00Z")
    await fire_after(world, HOUR_S)
    await fire_after(world, DAY_S)
    (run,) = await world.runs(task)
    assert (run.trigger, run.scheduled_for) == ("once", MONDAY_9 + HOUR)
    after = await world.get(task)
    assert (after.enabled, after.next_fire_at, after.deleted_at) == (False, None, None)


async def test_a_task_fires_from_starts_at_to_ends_at_both_included(world: World) -> None:
    task = await world.task(
        "0 * * * *", starts_at="2026-03-02T12:00:00Z", ends_at="2026-03-02T14:00:00Z"
    )
    for _ in range(8):
        await fire_after(world, HOUR_S)
    fires = [run.scheduled_for for run in await world.runs(task)]
    assert fires == [at(f"2026-03-02T{hour}:00") for hour in (12, 13, 14)]
    assert not (await world.get(task)).enabled


async def test_after_downtime_no_fire_beyond_ends_at_is_made_up_for(world: World) -> None:
    task = await world.task("0 * * * *", catch_up="all", ends_at="2026-03-02T12:30:00Z")
    await fire_after(world, 8 * HOUR_S)
    fires = [run.scheduled_for for run in await world.runs(task)]
    assert fires == [at(f"2026-03-02T{hour}:00") for hour in (10, 11, 12)]
    assert not (await world.get(task)).enabled


async def test_a_spread_task_fires_late_by_its_own_fixed_offset(world: World) -> None:
    task = await world.task("0 * * * *", spread_s=600)
    offset = spread_offset_s(task.id, 600)
    await fire_after(world, 3 * HOUR_S + 600)
    fires = [run.scheduled_for for run in await world.runs(task)]
    assert fires == [
        MONDAY_9 + hour * HOUR + offset * SECOND for hour in range(1 - (offset > 0), 4)
    ]


async def test_a_spread_fire_is_within_its_bounds(world: World) -> None:
    task = await world.task("0 * * * *", spread_s=3600, starts_at="2026-03-02T12:00:00Z")
    assert at("2026-03-02T12:00") <= (task.next_fire_at or 0) < at("2026-03-02T13:00")
    assert next_fire_of(replace(task, ends_at=at("2026-03-02T12:00") - 1), MONDAY_9) is None


# catching up


async def test_after_downtime_one_run_stands_for_all_missed_fires(world: World) -> None:
    task = await world.task("0 * * * *")
    await fire_after(world, 3 * HOUR_S + 10 * MINUTE_S)
    runs = await world.runs(task)
    assert [run.status for run in runs] == ["skipped", "skipped", "pending"]
    assert [run.reason for run in runs[:2]] == [
        "missed by 2 h 10 min, more than the catch-up window of 30 min",
        "missed by 1 h 10 min, more than the catch-up window of 30 min",
    ]


@pytest.mark.parametrize(("late_s", "status"), [(1800, "pending"), (1801, "skipped")])
async def test_a_miss_older_than_the_window_is_recorded(
    world: World, late_s: int, status: str
) -> None:
    task = await world.task("0 10 * * *", catch_up_window_s=1800)
    await fire_after(world, HOUR_S + late_s)
    assert (await newest(world, task)).status == status


async def test_a_one_time_task_is_caught_up_within_a_day(world: World) -> None:
    task = await world.task("once", run_at="2026-03-02T10:00:00Z")
    late = await world.task("once", run_at="2026-03-02T09:59:59Z")
    await fire_after(world, HOUR_S + DAY_S)
    assert (await newest(world, task)).status == "pending"
    entry = await newest(world, late)
    assert (entry.status, entry.trigger) == ("skipped", "once")


async def test_all_missed_fires_run_where_the_task_wants_it(world: World) -> None:
    task = await world.task("0 * * * *", catch_up="all", overlap="allow")
    await fire_after(world, 5 * HOUR_S)
    assert [run.status for run in await world.runs(task)] == ["pending"] * 5


@pytest.mark.parametrize(("late_s", "status"), [(30, "pending"), (31, "skipped")])
async def test_a_task_that_does_not_catch_up_runs_on_time_or_not_at_all(
    world: World, late_s: int, status: str
) -> None:
    task = await world.task("0 * * * *", catch_up="skip")
    await fire_after(world, 2 * HOUR_S + late_s)
    assert [run.status for run in await world.runs(task)] == ["skipped", status]


async def test_more_misses_than_can_be_listed_share_one_entry(world: World) -> None:
    task = await world.task("* * * * *")
    await fire_after(world, 1003 * MINUTE_S)
    runs = await world.runs(task)
    assert len(runs) == 1001
    first, second = runs[:2]
    assert first.scheduled_for == MONDAY_9 + 60_000
    assert first.missed_until == second.scheduled_for - 1
    assert first.reason == (
        "missed while Nod was not running; this entry stands for all fires of that time"
    )
    assert second.scheduled_for == MONDAY_9 + 4 * 60_000
    assert runs[-1].status == "pending"
    assert (await world.get(task)).next_fire_at == MONDAY_9 + 1004 * 60_000


async def test_exactly_as_many_misses_as_can_be_listed_are_listed(world: World) -> None:
    task = await world.task("* * * * *")
    await fire_after(world, 1000 * MINUTE_S)
    runs = await world.runs(task)
    assert len(runs) == 1000
    assert {run.missed_until for run in runs} == {None}


# pausing


async def test_a_paused_tasks_fires_are_recorded_with_the_reason(world: World) -> None:
    task = await world.task("0 * * * *")
    await world.store.write(lambda tx: tasks.pause(tx, world.agent, task.id, "on holiday"))
    await fire_after(world, HOUR_S)
    await fire_after(world, HOUR_S)
    assert [run.reason for run in await world.runs(task)] == ["paused: on holiday"] * 2
    await world.store.write(lambda tx: tasks.resume(tx, world.agent, task.id))
    await fire_after(world, HOUR_S)
    assert (await newest(world, task)).status == "pending"


async def test_a_paused_one_time_task_is_recorded_too(world: World) -> None:
    task = await world.task("once", run_at="2026-03-02T10:00:00Z", enabled=False)
    await fire_after(world, HOUR_S)
    (entry,) = await world.runs(task)
    assert (entry.status, entry.reason, entry.trigger) == ("skipped", "paused", "once")


async def test_many_fires_of_a_paused_task_share_one_entry_with_the_reason(world: World) -> None:
    task = await world.task("* * * * *")
    await world.store.write(lambda tx: tasks.pause(tx, world.agent, task.id, "on holiday"))
    await fire_after(world, 2000 * MINUTE_S)
    first = (await world.runs(task))[0]
    assert first.missed_until is not None
    assert first.reason == "paused: on holiday; this entry stands for all fires of that time"


@pytest.mark.parametrize("change", ["pause", "resume", "edit"])
async def test_what_was_due_before_a_change_is_fired_as_it_was(world: World, change: str) -> None:
    task = await world.task("0 10 * * *")
    world.clock.advance(HOUR_S)
    if change == "pause":
        await world.store.write(lambda tx: tasks.pause(tx, world.agent, task.id, "later"))
    elif change == "resume":
        await world.store.write(lambda tx: tasks.resume(tx, world.agent, task.id))
    else:
        given = TaskFields(schedule="0 12 * * *")
        await world.store.write(
            lambda tx: tasks.update(tx, world.vault, world.agent, task.id, given)
        )
    await fire(world)
    (run,) = await world.runs(task)
    assert (run.status, run.scheduled_for) == ("pending", MONDAY_9 + HOUR)


# clocks that are set


async def test_a_clock_set_back_an_hour_fires_nothing_twice_and_loses_nothing(
    world: World,
) -> None:
    task = await world.task("*/30 * * * *", overlap="allow")
    await fire_after(world, HOUR_S)
    world.clock.set_wall(MONDAY_9)
    for _ in range(6):
        await fire_after(world, 30 * MINUTE_S)
    fires = [run.scheduled_for for run in await world.runs(task)]
    assert len(fires) == len(set(fires))
    assert fires == [MONDAY_9 + half * HOUR // 2 for half in (1, 2, 3, 4, 5, 6)]


async def test_a_clock_set_forward_a_day_is_downtime(world: World) -> None:
    task = await world.task("0 * * * *")
    world.clock.set_wall(MONDAY_9 + DAY)
    await fire(world)
    runs = await world.runs(task)
    assert [run.status for run in runs] == ["skipped"] * 23 + ["pending"]


@pytest.mark.parametrize("schedule", ["0 * * * *", "0 10 * * *"])
async def test_a_clock_that_was_years_ahead_leaves_no_task_dead_after_a_resume(
    world: World, schedule: str
) -> None:
    task = await world.task(schedule)
    world.clock.set_wall(MONDAY_9 + 5 * 366 * DAY)
    await fire(world)
    world.clock.set_wall(MONDAY_9)
    await world.store.write(lambda tx: tasks.resume(tx, world.agent, task.id))
    assert (await world.get(task)).next_fire_at == MONDAY_9 + HOUR
    await fire_after(world, HOUR_S)
    await fire_after(world, DAY_S)
    by_now = [run for run in await world.runs(task) if run.scheduled_for <= world.clock.now()]
    ran = [run.scheduled_for for run in by_now if run.missed_until is None]
    assert {MONDAY_9 + HOUR, MONDAY_9 + HOUR + DAY} <= set(ran)
    assert len(ran) == len(set(ran))
    assert all((run.missed_until or 0) <= MONDAY_9 for run in by_now)


async def test_a_fire_that_comes_again_keeps_its_first_run(world: World) -> None:
    task = await world.task("0 * * * *", overlap="allow")
    await fire_after(world, HOUR_S)
    first = await newest(world, task)
    world.clock.set_wall(MONDAY_9)
    await world.store.write(lambda tx: tasks.resume(tx, world.agent, task.id))
    await fire_after(world, HOUR_S)
    assert [run.id for run in await world.runs(task)] == [first.id]
    await fire_after(world, HOUR_S)
    assert len(await world.runs(task)) == 2


async def test_an_entry_for_many_misses_stands_beside_a_run_that_was_there(
    tmp_path: Path,
) -> None:
    async with open_world(tmp_path, Limits(missed_entries=2)) as world:
        task = await world.task("0 * * * *", overlap="allow")
        await fire_after(world, HOUR_S)
        world.clock.set_wall(MONDAY_9)
        await world.store.write(lambda tx: tasks.resume(tx, world.agent, task.id))
        await fire_after(world, 5 * HOUR_S)
        runs = await world.runs(task)
        assert [run.scheduled_for - MONDAY_9 for run in runs] == [
            HOUR,
            HOUR + 1,
            4 * HOUR,
            5 * HOUR,
        ]
        assert runs[1].missed_until == MONDAY_9 + 4 * HOUR - 1


async def test_a_run_under_way_is_still_seen_when_the_clock_is_set_back(world: World) -> None:
    task = await world.task("0 10,11 * * *")
    await fire_after(world, HOUR_S)
    await take_up(world, await newest(world, task))
    world.clock.set_wall(MONDAY_9 - HOUR)
    second = await now(world, task)
    assert second.queued


# overlap


@pytest.mark.parametrize("overlap", ["skip", "queue", "allow", "cancel_previous"])
async def test_a_fire_while_a_run_is_under_way(world: World, overlap: str) -> None:
    task = await world.task("0 * * * *", overlap=overlap)
    await fire_after(world, HOUR_S)
    await take_up(world, await newest(world, task))
    await fire_after(world, HOUR_S)
    first, second = await world.runs(task)
    expected = {
        "skip": ("running", "skipped", "the 10:00 run was still going"),
        "queue": ("running", "pending", None),
        "allow": ("running", "pending", None),
        "cancel_previous": ("cancelled", "pending", None),
    }
    assert (first.status, second.status, second.reason) == expected[overlap]
    assert second.queued == (overlap == "queue")
    if overlap == "cancel_previous":
        assert first.reason == "a newer run of its task took its place"


async def test_a_scheduled_task_queues_one_and_skips_the_next(world: World) -> None:
    task = await world.task("0 * * * *", overlap="queue", timezone="Europe/Berlin")
    for _ in range(3):
        await fire_after(world, HOUR_S)
    runs = await world.runs(task)
    assert [(run.status, run.queued) for run in runs] == [
        ("pending", False),
        ("pending", True),
        ("skipped", False),
    ]
    assert runs[2].reason == "the 11:00 run was still going, and 1 more waited behind it"


async def test_cancel_previous_empties_the_queue_without_letting_anything_go(world: World) -> None:
    task = await world.task("0 * * * *", overlap="queue")
    for _ in range(2):
        await fire_after(world, HOUR_S)
    fields = TaskFields(overlap="cancel_previous")
    await world.store.write(lambda tx: tasks.update(tx, world.vault, world.agent, task.id, fields))
    world.effects.clear()
    await fire_after(world, HOUR_S)
    runs = await world.runs(task)
    assert [run.status for run in runs] == ["cancelled", "cancelled", "pending"]
    sent = [out.event.run_id for effects in world.effects for out in effects.outbox]
    assert sent == [runs[2].id]


async def test_where_a_newer_run_cancels_the_older_only_the_newest_miss_runs(world: World) -> None:
    task = await world.task("0 * * * *", overlap="cancel_previous", catch_up="all")
    await fire_after(world, 3 * HOUR_S)
    runs = await world.runs(task)
    assert [run.status for run in runs] == ["skipped", "skipped", "pending"]
    assert runs[0].reason == "a newer run of its task took its place"


async def test_caught_up_runs_do_not_overlap_either(world: World) -> None:
    task = await world.task("0 * * * *", catch_up="all")
    await fire_after(world, 3 * HOUR_S)
    runs = await world.runs(task)
    assert [run.status for run in runs] == ["pending", "skipped", "skipped"]


async def test_a_one_time_task_behind_a_run_of_a_person(world: World) -> None:
    task = await world.task("once", run_at="2026-03-02T10:00:00Z")
    await take_up(world, await now(world, task))
    await fire_after(world, HOUR_S)
    entry = await newest(world, task)
    assert (entry.status, entry.reason) == ("skipped", "the 09:00 run was still going")
    assert default_overlap(task.trigger_type) == "skip"


async def test_several_missed_fires_overtake_a_waiting_retry_once(world: World) -> None:
    task = await world.task(
        "0 * * * *", overlap="allow", catch_up="all", max_attempts=3, idempotent=True
    )
    await fire_after(world, HOUR_S)
    await complete(world, await newest(world, task), "failed", "no luck")
    world.clock.set_wall(MONDAY_9 + HOUR + 200_000)
    retry = await newest(world, task)
    assert retry.trigger == "retry"
    # The retry is not due, and two more fires come at once.
    await world.store.write(
        lambda tx: tx.tasks.update(
            replace(task, schedule="* * * * *", next_fire_at=MONDAY_9 + HOUR + 60_000)
        )
    )
    await fire(world)
    assert (await world.run(retry.id)).status == "cancelled"
    assert (await world.run(retry.id)).reason == "the next fire of its task came first"
    fired = [run for run in await world.runs(task) if run.trigger == "schedule"]
    assert [run.status for run in fired[1:]] == ["pending"] * 3


# what came too late to be useful


async def test_a_missed_fire_past_its_use_does_not_run_and_the_person_is_asked(
    world: World,
) -> None:
    task = await world.task("0 10 * * *", useful_until="30m", catch_up_window_s=7200)
    await fire_after(world, 2 * HOUR_S)
    (entry,) = await world.runs(task)
    assert (entry.status, entry.reason) == (
        "skipped",
        "useful until 10:30; Nod came to it after that",
    )
    (card,) = await decisions(world)
    assert (card.kind, card.task_id) == ("still_wanted", task.id)
    assert card.description == ("It did not run: useful until 10:30; Nod came to it after that.")
    assert not any(effects.outbox for effects in world.effects)


async def test_of_many_fires_past_their_use_the_person_is_asked_about_the_newest(
    world: World,
) -> None:
    task = await world.task("0 * * * *", useful_until="10m", catch_up="all")
    await fire_after(world, 3 * HOUR_S + 15 * MINUTE_S)
    assert [run.status for run in await world.runs(task)] == ["skipped"] * 3
    assert len(await decisions(world)) == 1


async def test_a_fire_past_its_window_and_its_use_is_asked_about(world: World) -> None:
    task = await world.task("0 10 * * *", useful_until="11:00", catch_up_window_s=60)
    await fire_after(world, 3 * HOUR_S)
    assert (await newest(world, task)).reason == (
        "missed by 2 h, more than the catch-up window of 1 min"
    )
    assert len(await decisions(world)) == 1


@pytest.mark.parametrize("given", [{"catch_up": "skip"}, {"enabled": False}])
async def test_nobody_is_asked_about_a_fire_that_was_not_to_be_made_up_for(
    world: World, given: dict[str, object]
) -> None:
    await world.task("0 10 * * *", useful_until="30m", **given)
    await fire_after(world, 2 * HOUR_S)
    assert await decisions(world) == []


async def test_a_late_fire_that_is_still_useful_runs(world: World) -> None:
    task = await world.task("0 10 * * *", useful_until="2h", catch_up_window_s=7200)
    await fire_after(world, 2 * HOUR_S)
    run = await newest(world, task)
    assert (run.status, run.useful_until) == ("pending", MONDAY_9 + 3 * HOUR)
    (event,) = await events(world, run)
    assert event.expires_at == run.useful_until


# by hand


async def test_a_person_can_run_a_task_at_any_time_also_a_paused_one(world: World) -> None:
    task = await world.task("0 10 * * *", enabled=False)
    run = await now(world, task)
    assert (run.status, run.trigger, run.queued) == ("pending", "manual", False)
    assert [event.type for event in await events(world, run)] == ["task_due"]


@pytest.mark.parametrize(
    ("overlap", "status", "queued"),
    [
        ("skip", "running", True),
        ("queue", "running", True),
        ("allow", "running", False),
        ("cancel_previous", "cancelled", False),
    ],
)
async def test_a_run_by_hand_waits_for_the_one_under_way_and_is_never_skipped(
    world: World, overlap: str, status: str, queued: bool
) -> None:
    task = await world.task("0 10 * * *", overlap=overlap)
    first = await take_up(world, await now(world, task))
    second = await now(world, task)
    assert (await world.run(first.id)).status == status
    assert second.queued == queued
    (event,) = await events(world, second)
    assert event.state == ("held" if queued else "pending")


# what cannot be fired


async def _spoil(world: World, task: Task) -> None:
    """Give the task a zone that no longer exists, as new zone data may do."""
    await world.store.write(
        lambda tx: tx.tasks.update(replace(task, timezone="Mars/Olympus", useful_until="10:00"))
    )


async def test_a_task_that_cannot_be_fired_is_set_aside_with_its_reason(world: World) -> None:
    task = await world.task("0 10 * * *")
    await _spoil(world, task)
    world.clock.advance(HOUR_S)
    await world.store.write(lambda tx: set_aside(tx, task.id, "there is no such zone"))
    (entry,) = await world.runs(task)
    assert entry.reason == "Nod could not fire it: there is no such zone"
    after = await world.get(task)
    assert (after.enabled, after.next_fire_at) == (False, None)
    assert after.pause_reason == entry.reason
    assert "task_paused" in world.names()


async def test_only_a_due_task_is_set_aside(world: World) -> None:
    task = await world.task("0 10 * * *")
    await world.store.write(lambda tx: set_aside(tx, task.id, "?"))
    await world.store.write(lambda tx: set_aside(tx, "tsk_none", "?"))
    assert (await world.get(task)).enabled


async def test_a_task_whose_fire_has_its_run_can_be_set_aside_too(world: World) -> None:
    task = await world.task("0 10 * * *")
    await fire_after(world, HOUR_S)
    await world.store.write(lambda tx: tx.tasks.update(task))
    await world.store.write(lambda tx: set_aside(tx, task.id, "?"))
    assert len(await world.runs(task)) == 1
    assert not (await world.get(task)).enabled


async def test_a_task_set_aside_fires_again_once_it_is_mended(world: World) -> None:
    task = await world.task("0 10 * * *")
    await _spoil(world, task)
    world.clock.advance(HOUR_S)
    await world.store.write(lambda tx: set_aside(tx, task.id, "there is no such zone"))
    mended = TaskFields(timezone="UTC")
    after = await world.store.write(
        lambda tx: tasks.update(tx, world.vault, world.agent, task.id, mended)
    )
    assert (after.enabled, after.pause_reason) == (True, None)
    assert after.next_fire_at == MONDAY_9 + HOUR + DAY


async def test_a_cancelled_run_cannot_be_cancelled_again(world: World) -> None:
    run = await now(world, await world.task())
    await world.store.write(lambda tx: cancel(tx, run, "enough"))
    with pytest.raises(Conflict, match="has just changed"):
        await world.store.write(lambda tx: cancel(tx, run, "enough"))
