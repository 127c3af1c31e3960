"""A fire becomes exactly one run, and every fire has its entry."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from nod.domain.limits import Limits
from nod.engine.ending import cancel
from nod.engine.fire import fire_due, run_now
from nod.engine.settle import complete, take_up
from support.clock import MONDAY_9
from support.world import World, open_world

HOUR_S = 3600
DAY_S = 24 * HOUR_S


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(tmp_path) as opened:
        yield opened


async def test_a_due_task_makes_one_run_and_one_event(world: World) -> None:
    task = await world.task("0 10 * * *")
    world.clock.advance(HOUR_S)

    assert await world.store.write(fire_due) == 1
    assert await world.store.write(fire_due) == 0

    (run,) = await world.runs(task)
    assert (run.status, run.trigger, run.scheduled_for) == ("pending", "schedule", MONDAY_9 + HOUR_S * 1000)
    (event,) = await world.store.read(lambda tx: tx.events.of_run(run.id))
    assert (event.type, event.state) == ("task_due", "pending")
    assert (await world.get(task)).next_fire_at == run.scheduled_for + DAY_S * 1000


async def test_an_agent_completes_its_run(world: World) -> None:
    task = await world.task("0 10 * * *")
    world.clock.advance(HOUR_S)
    await world.store.write(fire_due)
    (run,) = await world.runs(task)
    done = await world.store.write(
        lambda tx: complete(tx, world.agent, run.id, "completed", "All is well.")
    )
    assert done.status == "completed"
    assert (await world.get(task)).last_run_status == "completed"
