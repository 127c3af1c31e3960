"""When a retry goes: at its time, unless its task is paused or another run is under way."""

from typing import Any

import pytest

from nod.actions import tasks
from nod.domain.instant import HOUR, MINUTE
from nod.domain.model import Run, Task
from nod.domain.task_fields import TaskFields
from nod.engine.ending import cancel
from support.steps import (
    DAY_S,
    MINUTE_S,
    call,
    called,
    complete,
    decisions,
    events,
    fire_after,
    now,
    rescue,
    rescue_after,
    start,
    take_up,
)
from support.world import World

WAIT_S = 5 * MINUTE_S
RETRIED: dict[str, Any] = {"max_attempts": 2, "idempotent": True}


async def _retry_of(world: World, run: Run) -> Run:
    """The run fails; its retry."""
    await complete(world, run, "failed", "no luck")
    found = await world.runs(await _task_of(world, run))
    return next(each for each in found if each.retry_of == run.id)


async def _task_of(world: World, run: Run) -> Task:
    found = await world.store.read(lambda tx: tx.tasks.get(run.task_id))
    assert found is not None
    return found


async def _is_out(world: World, run: Run) -> bool:
    """Whether the run's event is on its way, and nobody waits for a look at the outbox."""
    (event,) = await events(world, run)
    told = {out.event.id for effects in world.effects for out in effects.outbox}
    assert (event.state == "pending") == (event.id in told)
    return event.state == "pending"


async def _pause(world: World, task: Task) -> None:
    await world.store.write(lambda tx: tasks.pause(tx, world.agent, task.id, "on holiday"))


async def _resume(world: World, task: Task) -> None:
    await world.store.write(lambda tx: tasks.resume(tx, world.agent, task.id))


async def test_a_retry_goes_at_its_time_with_its_payload(world: World) -> None:
    task = await world.task("event", **RETRIED)
    made = await call(world, task, body='{"a":1}')
    retry = await _retry_of(world, await world.run(made.run_id))
    await rescue_after(world, WAIT_S - 1)
    assert not await _is_out(world, retry)
    world.effects.clear()
    await rescue_after(world, 1)
    assert await _is_out(world, retry)
    assert not (await world.run(retry.id)).queued
    (event,) = await events(world, retry)
    assert (event.not_before, event.expires_at) == (
        world.clock.now(),
        world.clock.now() + 24 * HOUR,
    )
    (out,) = [out for effects in world.effects for out in effects.outbox]
    assert out.payload is not None
    assert out.payload.payload == '{"a":1}'


async def test_a_retry_of_a_paused_task_goes_when_it_is_resumed(world: World) -> None:
    task = await world.task("event", **RETRIED)
    retry = await _retry_of(world, await called(world, task))
    await _pause(world, task)
    await rescue_after(world, WAIT_S)
    await rescue_after(world, DAY_S)
    assert not await _is_out(world, retry)
    paused = await world.get(task)
    why, _ = await world.store.read(lambda tx: tasks.why(tx, paused, retry.scheduled_for))
    assert why == "It was due at 09:05 and waits until its task is resumed."
    await _resume(world, task)
    assert await _is_out(world, retry)


async def test_a_task_resumed_early_sends_its_retry_no_earlier(world: World) -> None:
    task = await world.task("event", **RETRIED)
    retry = await _retry_of(world, await called(world, task))
    await _pause(world, task)
    await _resume(world, task)
    assert not await _is_out(world, retry)
    await rescue_after(world, WAIT_S)
    assert await _is_out(world, retry)


async def test_a_task_that_is_over_holds_no_retry(world: World) -> None:
    task = await world.task("once", run_at="2026-03-02T09:01:00Z", **RETRIED)
    await fire_after(world, MINUTE_S)
    assert not (await world.get(task)).enabled
    retry = await _retry_of(world, (await world.runs(task))[0])
    await rescue_after(world, WAIT_S)
    assert await _is_out(world, retry)


@pytest.mark.parametrize("overlap", ["skip", "queue", "cancel_previous"])
async def test_a_retry_waits_for_the_run_that_is_under_way(world: World, overlap: str) -> None:
    task = await world.task(overlap=overlap, **RETRIED)
    retry = await _retry_of(world, await now(world, task))
    world.clock.advance(MINUTE_S)
    # What the agent starts meanwhile does not wait for a retry that is still to come.
    other = await start(world, task)
    assert other.id != retry.id
    await rescue_after(world, WAIT_S)
    held = await world.run(retry.id)
    assert (held.status, held.queued) == ("pending", True)
    assert not await _is_out(world, retry)
    assert (await world.run(other.id)).status == "running"
    await complete(world, other)
    assert await _is_out(world, retry)
    assert not (await world.run(retry.id)).queued


async def test_where_runs_may_overlap_a_retry_waits_for_nobody(world: World) -> None:
    task = await world.task(overlap="allow", **RETRIED)
    retry = await _retry_of(world, await now(world, task))
    await take_up(world, await now(world, task))
    await rescue_after(world, WAIT_S)
    assert await _is_out(world, retry)


async def test_all_that_a_pause_has_held_go_where_they_may_overlap(world: World) -> None:
    task = await world.task(overlap="allow", **RETRIED)
    retries = [await _retry_of(world, await now(world, task)) for _ in range(3)]
    await _pause(world, task)
    await rescue_after(world, WAIT_S)
    assert not any([await _is_out(world, each) for each in retries])
    await _resume(world, task)
    assert all([await _is_out(world, each) for each in retries])


async def test_a_retry_keeps_its_place_among_the_calls_that_wait(world: World) -> None:
    task = await world.task("event", **RETRIED)
    first = await called(world, task)
    second = await called(world, task)
    retry = await _retry_of(world, first)
    third = await called(world, task)
    await rescue_after(world, WAIT_S)
    assert [await _is_out(world, each) for each in (second, retry, third)] == [True, False, False]
    await complete(world, second)
    assert [await _is_out(world, each) for each in (retry, third)] == [True, False]
    await complete(world, retry)
    assert await _is_out(world, third)


async def test_a_fire_takes_the_retrys_place_in_the_queue(world: World) -> None:
    task = await world.task("*/6 * * * *", overlap="queue", **RETRIED)
    retry = await _retry_of(world, await now(world, task))
    other = await start(world, task)
    await rescue_after(world, WAIT_S)
    assert (await world.run(retry.id)).queued
    # A scheduled task has room for one in its queue, and a retry takes none.
    await fire_after(world, MINUTE_S)
    fired = [run for run in await world.runs(task) if run.trigger == "schedule"]
    assert [(run.status, run.queued) for run in fired] == [("pending", True)]
    replaced = await world.run(retry.id)
    assert (replaced.status, replaced.reason) == (
        "cancelled",
        "the next fire of its task came first",
    )
    await complete(world, other)
    assert await _is_out(world, fired[0])


async def test_a_fire_that_a_pause_lets_pass_takes_the_retrys_place_too(world: World) -> None:
    task = await world.task("0 * * * *", **RETRIED)
    retry = await _retry_of(world, await now(world, task))
    await _pause(world, task)
    await rescue_after(world, WAIT_S)
    assert (await world.run(retry.id)).queued
    await fire_after(world, 60 * MINUTE_S)
    assert (await world.run(retry.id)).status == "cancelled"
    assert [run.reason for run in await world.runs(task) if run.status == "skipped"] == [
        "paused: on holiday"
    ]


async def test_a_newer_call_takes_the_place_of_a_retry_it_would_have_cancelled(
    world: World,
) -> None:
    task = await world.task("event", overlap="cancel_previous", **RETRIED)
    retry = await _retry_of(world, await called(world, task))
    newer = await called(world, task)
    ended = await world.run(retry.id)
    assert (ended.status, ended.reason) == ("cancelled", "a newer call took its place")
    assert await _is_out(world, newer)


async def test_calls_that_waited_when_their_task_was_paused_wait_for_the_end_of_it(
    world: World,
) -> None:
    task = await world.task("event")
    first, second = await called(world, task), await called(world, task)
    await _pause(world, task)
    await complete(world, first)
    assert not await _is_out(world, second)
    await _resume(world, task)
    assert await _is_out(world, second)


async def test_a_task_that_pauses_itself_lets_nothing_more_go(world: World) -> None:
    task = await world.task("event", pause_after_failures=1)
    first, second = await called(world, task), await called(world, task)
    await complete(world, first, "failed")
    assert (await world.get(task)).pause_reason is not None
    assert not await _is_out(world, second)
    await _resume(world, task)
    assert await _is_out(world, second)


async def test_what_a_person_wants_of_a_paused_task_goes_before_what_the_pause_holds(
    world: World,
) -> None:
    task = await world.task("event")
    first, waits = await called(world, task), await called(world, task)
    await _pause(world, task)
    wanted = await now(world, task)
    assert wanted.queued
    await complete(world, first)
    assert [await _is_out(world, each) for each in (waits, wanted)] == [False, True]
    await complete(world, wanted)
    assert not await _is_out(world, waits)
    await _resume(world, task)
    assert await _is_out(world, waits)


async def test_an_edit_that_allows_overlaps_lets_the_queue_go(world: World) -> None:
    task = await world.task("event")
    await take_up(world, await called(world, task))
    world.clock.advance(MINUTE_S)
    second, third = [await called(world, task) for _ in range(2)]
    why, _ = await world.store.read(lambda tx: tasks.why(tx, task, second.scheduled_for))
    assert why == "It was due at 09:01 and waits until the run before it has ended."
    fields = TaskFields(overlap="allow")
    await world.store.write(lambda tx: tasks.update(tx, world.vault, world.agent, task.id, fields))
    assert [await _is_out(world, each) for each in (second, third)] == [True, True]


async def test_a_retry_that_is_held_beyond_its_use_is_asked_about(world: World) -> None:
    task = await world.task("event", useful_until="20m", **RETRIED)
    retry = await _retry_of(world, await called(world, task))
    await _pause(world, task)
    await rescue_after(world, WAIT_S)
    await rescue_after(world, 15 * MINUTE_S)
    assert (await world.run(retry.id)).status == "skipped"
    assert [each.kind for each in await decisions(world)] == ["still_wanted"]


async def test_a_retry_that_was_cancelled_or_taken_up_before_its_time_does_not_come_due(
    world: World,
) -> None:
    task = await world.task(overlap="allow", **RETRIED)
    unwanted, early = [await _retry_of(world, await now(world, task)) for _ in range(2)]
    await world.store.write(lambda tx: cancel(tx, unwanted, "enough"))
    await take_up(world, early)
    assert await world.store.read(lambda tx: tx.runs.next_retry_at()) is None
    await rescue_after(world, WAIT_S)
    assert [(await world.run(each.id)).status for each in (unwanted, early)] == [
        "cancelled",
        "running",
    ]


async def test_the_next_look_is_for_the_retry_that_comes_first(world: World) -> None:
    task = await world.task(overlap="allow", **RETRIED)
    first = await _retry_of(world, await now(world, task))
    world.clock.advance(MINUTE_S)
    await _retry_of(world, await now(world, task))
    at = await world.store.read(lambda tx: tx.runs.next_retry_at())
    assert at == first.scheduled_for
    await _pause(world, task)
    await rescue_after(world, 4 * MINUTE_S)
    at = await world.store.read(lambda tx: tx.runs.next_retry_at())
    assert at == first.scheduled_for + MINUTE
    await rescue(world)
