"""Signs of life: an agent sends one each second, and few of them are written."""

import pytest

from nod.actions.heartbeats import Beat, Heartbeats
from nod.domain.errors import Conflict
from nod.domain.model import Run
from nod.engine.ending import cancel
from nod.engine.fire import run_now
from nod.engine.settle import Usage
from support.world import World


@pytest.fixture
def heartbeats(world: World) -> Heartbeats:
    return Heartbeats(world.store, world.clock, world.limits)


async def running(world: World, timeout_s: int = 3600) -> Run:
    task = await world.task(timeout_s=timeout_s)
    return await world.store.write(lambda tx: run_now(tx, task))


def written(world: World) -> int:
    return world.names().count("thinking")


async def beat_for(world: World, heartbeats: Heartbeats, beat: Beat, seconds: int) -> None:
    for _ in range(seconds):
        await heartbeats.beat(world.agent, beat, "poll")
        world.clock.advance(1)


async def test_a_beat_each_second_is_written_every_fifteen(
    world: World, heartbeats: Heartbeats
) -> None:
    run = await running(world)
    await beat_for(world, heartbeats, Beat(task_run_id=run.id), 60)
    assert written(world) == 4


async def test_a_short_timeout_is_renewed_sooner_and_never_runs_out(
    world: World, heartbeats: Heartbeats
) -> None:
    run = await running(world, timeout_s=6)
    beat = Beat(task_run_id=run.id)
    for _ in range(20):
        await heartbeats.beat(world.agent, beat, "poll")
        now = await world.run(run.id)
        assert now.deadline_at is not None
        assert now.deadline_at > world.clock.now()
        world.clock.advance(1)
    assert written(world) == 10


async def test_what_is_new_is_written_at_once_and_a_growing_cost_waits(
    world: World, heartbeats: Heartbeats
) -> None:
    run = await running(world)
    for tokens in range(15):
        beat = Beat(task_run_id=run.id, status_text="Reads", usage=Usage(output_tokens=tokens))
        await beat_for(world, heartbeats, beat, 1)
    assert written(world) == 1
    await heartbeats.beat(world.agent, beat, "poll")
    assert (await world.run(run.id)).output_tokens == 14
    await heartbeats.beat(world.agent, Beat(task_run_id=run.id, status_text="Writes"), "poll")
    assert written(world) == 3


async def test_the_beat_after_the_runs_end_says_so_at_once(
    world: World, heartbeats: Heartbeats
) -> None:
    run = await running(world)
    beat = Beat(task_run_id=run.id)
    await heartbeats.beat(world.agent, beat, "poll")
    now = await world.run(run.id)
    await world.store.write(lambda tx: cancel(tx, now, "not wanted"))
    heartbeats.forget_run(world.agent.id, run.id)
    with pytest.raises(Conflict, match="is cancelled"):
        await heartbeats.beat(world.agent, beat, "poll")


async def test_an_agent_that_was_idle_shows_its_next_beat(
    world: World, heartbeats: Heartbeats
) -> None:
    await heartbeats.beat(world.agent, Beat(), "poll")
    await heartbeats.beat(world.agent, Beat(), "poll")
    assert written(world) == 1
    heartbeats.forget_agent("agt_other")
    heartbeats.forget_agent(world.agent.id)
    await heartbeats.beat(world.agent, Beat(), "poll")
    assert written(world) == 2
