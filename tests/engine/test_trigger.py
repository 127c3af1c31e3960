"""A call from outside becomes a run, once, within the task's limits."""

from pathlib import Path

import pytest

from nod.actions import tasks
from nod.domain.errors import Conflict, TooMany
from nod.domain.instant import HOUR
from nod.domain.limits import Limits
from support.clock import MONDAY_9
from support.steps import DAY_S, call, called, complete, events, newest, now, take_up
from support.world import World, open_world


async def test_a_call_makes_a_run_with_its_payload(world: World) -> None:
    task = await world.task("event")
    made = await call(world, task, body='{"a":1}')
    run = await world.run(made.run_id)
    assert (run.trigger, run.status, run.queued) == ("event", "pending", False)
    payload = await world.store.read(lambda tx: tx.runs.payload(run.id))
    assert payload is not None
    assert payload.payload == '{"a":1}'
    (event,) = await events(world, run)
    assert (event.id, event.type, event.state) == (made.event_id, "task_trigger", "pending")
    assert "payload" not in event.body
    (sent,) = world.effects[-1].outbox
    assert sent.payload == payload


async def test_a_repeated_call_answers_the_first_run_for_a_day(world: World) -> None:
    task = await world.task("event")
    first = await call(world, task, "key")
    world.clock.advance(DAY_S - 0.001)
    assert await call(world, task, "key") == first
    world.clock.advance(0.001)
    again = await call(world, task, "key")
    assert again != first
    assert await call(world, task, "key") == again
    assert await call(world, task, "another key") != again
    assert len(await world.runs(task)) == 3


async def test_a_repeated_call_is_answered_also_while_the_task_is_paused(world: World) -> None:
    task = await world.task("event")
    first = await call(world, task, "key")
    await world.store.write(lambda tx: tasks.pause(tx, world.agent, task.id, ""))
    assert await call(world, task, "key") == first


async def test_keys_belong_to_their_task(world: World) -> None:
    one, other = await world.task("event"), await world.task("event")
    assert await call(world, one, "key") != await call(world, other, "key")


@pytest.mark.parametrize(
    ("reason", "said"), [("on holiday", "is paused: on holiday"), ("", "is paused.")]
)
async def test_a_paused_task_takes_no_calls(world: World, reason: str, said: str) -> None:
    task = await world.task("event")
    await world.store.write(lambda tx: tasks.pause(tx, world.agent, task.id, reason))
    with pytest.raises(Conflict, match=said):
        await call(world, task)
    assert await world.runs(task) == []


async def test_a_task_takes_calls_from_starts_at_to_ends_at(world: World) -> None:
    task = await world.task(
        "event", starts_at="2026-03-02T10:00:00Z", ends_at="2026-03-02T11:00:00Z"
    )
    with pytest.raises(Conflict, match="takes calls from 2026-03-02T10:00:00Z on"):
        await call(world, task)
    for moment in (MONDAY_9 + HOUR, MONDAY_9 + 2 * HOUR):
        world.clock.set_wall(moment)
        await call(world, task)
    world.clock.advance(1)
    with pytest.raises(Conflict, match="took calls until 2026-03-02T11:00:00Z"):
        await call(world, task)


async def test_thirty_calls_a_minute_and_no_more(world: World) -> None:
    task = await world.task("event")
    for _ in range(30):
        await call(world, task)
    with pytest.raises(TooMany, match="takes 30 calls a minute") as refused:
        await call(world, task)
    assert refused.value.retry_after == 60
    world.clock.advance(59.999)
    with pytest.raises(TooMany):
        await call(world, task)
    world.clock.advance(0.001)
    await call(world, task)


async def test_calls_made_before_the_clock_was_set_back_do_not_count(world: World) -> None:
    task = await world.task("event")
    for _ in range(30):
        await call(world, task)
    world.clock.set_wall(MONDAY_9 - HOUR)
    await call(world, task)


async def test_a_queue_holds_a_hundred_and_the_next_call_is_asked_to_come_later(
    tmp_path: Path,
) -> None:
    async with open_world(tmp_path, Limits(triggers_per_minute=1000)) as world:
        task = await world.task("event")
        for _ in range(101):
            await call(world, task)
        with pytest.raises(TooMany, match="100 calls wait behind the run under way"):
            await call(world, task)
        runs = await world.runs(task)
        assert sum(run.queued for run in runs) == 100


async def test_calls_are_run_first_in_first_out(world: World) -> None:
    task = await world.task("event")
    made = [await called(world, task) for _ in range(8)]
    order = []
    for _ in made:
        run = next(
            each for each in await world.runs(task) if not each.queued and each.status == "pending"
        )
        order.append(run.id)
        await complete(world, run)
    assert order == [run.id for run in made]


async def test_a_call_is_recorded_where_the_task_skips_what_overlaps(world: World) -> None:
    task = await world.task("event", overlap="skip")
    await take_up(world, await called(world, task))
    made = await call(world, task)
    entry = await world.run(made.run_id)
    assert (entry.status, entry.reason) == ("skipped", "the 09:00 run was still going")
    (event,) = await events(world, entry)
    assert (event.id, event.state, event.error) == (made.event_id, "dead", entry.reason)
    assert world.effects[-1].outbox == []
    assert world.names()[-1] == "skipped"


async def test_a_call_is_skipped_also_behind_a_run_that_waits_past_its_use(world: World) -> None:
    task = await world.task("event", overlap="skip", useful_until="10m")
    first = await take_up(world, await called(world, task))
    waiting = await now(world, task)
    assert waiting.queued
    world.clock.advance(600)
    await complete(world, first)
    assert (await called(world, task)).reason == (
        "the 09:00 run was still going, and 1 more waited behind it"
    )


async def test_a_newer_call_cancels_the_older_where_the_task_wants_it(world: World) -> None:
    task = await world.task("event", overlap="cancel_previous")
    first = await take_up(world, await called(world, task))
    second = await called(world, task)
    assert (await world.run(first.id)).reason == "a newer call took its place"
    assert not second.queued


async def test_calls_run_side_by_side_where_the_task_allows_it(world: World) -> None:
    task = await world.task("event", overlap="allow")
    await take_up(world, await called(world, task))
    await called(world, task)
    assert not (await newest(world, task)).queued
