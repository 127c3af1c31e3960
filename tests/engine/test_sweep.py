"""What is old is removed, and nothing else."""

from pathlib import Path

import pytest

from nod.domain.instant import DAY
from nod.domain.limits import Limits
from nod.engine import settle
from nod.engine.sweep import SWEEPS
from support.clock import MONDAY_9
from support.steps import DAY_S, activity, call, called, complete, events, newest, now, take_up
from support.world import World, open_world


async def _sweep(world: World) -> None:
    for remove in SWEEPS.values():
        while await world.store.write(remove):
            pass


async def _old_run(world: World) -> str:
    task = await world.task("event", overlap="allow")
    run = await called(world, task)
    await world.store.write(lambda tx: settle.put_output(tx, world.agent, run.id, "text"))
    await complete(world, run)
    return run.id


async def test_a_hundred_runs_of_a_task_are_kept_whatever_their_age(tmp_path: Path) -> None:
    async with open_world(tmp_path, Limits(triggers_per_minute=1000)) as world:
        task = await world.task("event", overlap="allow")
        for _ in range(103):
            world.clock.advance(0.001)
            await complete(world, await called(world, task))
        made = [run.id for run in await world.runs(task)]
        world.clock.advance(90 * DAY_S - 1)
        await _sweep(world)
        assert len(await world.runs(task)) == 103
        world.clock.advance(1)
        await _sweep(world)
        assert [run.id for run in await world.runs(task)] == made[3:]


async def test_with_a_run_go_its_event_payload_and_output(tmp_path: Path) -> None:
    async with open_world(tmp_path, Limits(retention_runs=1)) as world:
        run_id = await _old_run(world)
        run = await world.run(run_id)
        task = await world.store.read(lambda tx: tx.tasks.get(run.task_id))
        assert task is not None
        world.clock.advance(90 * DAY_S)
        await complete(world, await now(world, task))
        await _sweep(world)
        assert await world.store.read(lambda tx: tx.runs.get(run_id)) is None
        assert await world.store.read(lambda tx: tx.runs.payload(run_id)) is None
        assert await world.store.read(lambda tx: tx.runs.output(run_id)) is None
        assert await events(world, run) == []
        assert (await newest(world, task)).trigger == "manual"


@pytest.mark.parametrize("keep", [0, 1])
async def test_a_run_that_has_not_ended_is_kept(tmp_path: Path, keep: int) -> None:
    async with open_world(tmp_path, Limits(retention_runs=keep)) as world:
        task = await world.task("event", overlap="allow")
        first = await take_up(world, await called(world, task))
        world.clock.advance(100 * DAY_S)
        await complete(world, await now(world, task))
        await _sweep(world)
        assert (await world.run(first.id)).status == "running"


async def test_old_events_activity_and_keys_go_too(world: World) -> None:
    task = await world.task("event")
    first = await called(world, task)
    second = await world.run((await call(world, task, "key")).run_id)
    await complete(world, first)
    await world.store.write(
        lambda tx: tx.chat.add_activity(world.agent.id, "alert", "A", "", None, None, tx.now)
    )
    world.clock.set_wall(MONDAY_9 + 90 * DAY)
    await _sweep(world)
    assert await events(world, first) == []
    assert (await world.run(first.id)).status == "completed"
    assert await activity(world) == []
    past = await world.store.read(
        lambda tx: tx.tasks.past_calls(
            task.id, "key", same_since=0, counted_since=0, now=tx.now, most=9
        )
    )
    assert past.same is None
    # What waits to be delivered is never old.
    assert [event.state for event in await events(world, second)] == ["pending"]
