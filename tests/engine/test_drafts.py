"""A fire drafted ahead of its time is like any other, and counts only where it still is."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nod.actions import tasks
from nod.domain.instant import HOUR, MINUTE, SECOND, Instant
from nod.domain.limits import Limits
from nod.domain.model import Task
from nod.domain.task_fields import TaskFields
from nod.engine import drafts as drafting
from nod.engine.drafts import LEAD, Draft, Drafts
from nod.engine.fire import due_tasks
from support.clock import MONDAY_9
from support.stages import make_engine
from support.steps import events, newest, now, work_off
from support.world import World, open_world

AT = MONDAY_9 + HOUR


@pytest.fixture
def drafts() -> Drafts:
    return Drafts()


async def _prepare(world: World, drafts: Drafts) -> None:
    """A second ahead of the fire."""
    world.clock.set_wall(AT - SECOND)
    assert await drafts.prepare(world.store, world.clock, AT) == AT


async def _fire(world: World, drafts: Drafts, late: Instant = 0) -> None:
    world.clock.set_wall(AT + late)
    await work_off(world, due_tasks(drafts))


async def _draft_of(world: World, drafts: Drafts, task: Task, at: Instant = AT) -> Draft | None:
    """What the fire would take at this time."""
    found = await world.store.read(lambda tx: tx.tasks.upcoming(AT, 0, 100))
    (due,) = [each for each in found if each.id == task.id]
    return drafts.fitting(due, at)


TASKS: list[dict[str, Any]] = [
    {"schedule": "0 * * * *"},
    {"schedule": "0 10 * * 1", "overlap": "cancel_previous", "catch_up": "all"},
    {"schedule": "*/30 * * * *", "overlap": "queue", "useful_until": "45m", "catch_up": "skip"},
    {"schedule": "0 10 * * *", "useful_until": "09:00", "timeout_s": 77},
    {"schedule": "0 * * * *", "ends_at": "2026-03-02T10:30:00Z"},
    {"schedule": "once", "run_at": "2026-03-02T10:00:00Z"},
]


@pytest.mark.parametrize("fields", TASKS)
async def test_a_drafted_fire_leaves_what_any_fire_leaves(
    world: World, drafts: Drafts, fields: dict[str, Any]
) -> None:
    world.clock.set_wall(AT - 29 * MINUTE)
    drafted = await world.task(**fields)
    await _prepare(world, drafts)
    later = await world.task(**fields)
    draft = await _draft_of(world, drafts, drafted)
    assert draft is not None
    assert await _draft_of(world, drafts, later) is None
    await _fire(world, drafts)
    assert (await newest(world, drafted)).id == draft.run.id
    assert await _all_of(world, drafted) == await _all_of(world, later)


async def _all_of(world: World, task: Task) -> list[Any]:
    """What is there after one fire, but for ids and when the task was made."""
    (run,) = await world.runs(task)
    (event,) = await events(world, run)
    body = json.loads(event.body)
    for name in ("task_id", "run_id", "event_id"):
        del body[name]
    fired = await world.get(task)
    return [
        replace(run, id="", task_id=""),
        replace(event, id="", run_id="", body="", seq=0),
        body,
        replace(fired, id="", trigger_id="", created_at=0, updated_at=0),
    ]


async def test_what_was_changed_in_the_last_second_counts(world: World, drafts: Drafts) -> None:
    edited, paused, removed, busy, kept = [await world.task("0 10 * * *") for _ in range(5)]
    await _prepare(world, drafts)
    fields = TaskFields(name="Report", prompt="Say something else.", schedule="0 10 * * *")
    await world.store.write(
        lambda tx: tasks.update(tx, world.vault, world.agent, edited.id, fields)
    )
    await world.store.write(lambda tx: tasks.pause(tx, world.agent, paused.id, "not today"))
    await world.store.write(lambda tx: tasks.remove(tx, world.agent, removed.id))
    await now(world, busy)
    await _fire(world, drafts)
    (event,) = await events(world, await newest(world, edited))
    assert json.loads(event.body)["task_prompt"] == "Say something else."
    assert (await newest(world, paused)).reason == "paused: not today"
    assert await world.runs(removed) == []
    assert "still going" in ((await newest(world, busy)).reason or "")
    assert (await newest(world, kept)).status == "pending"


async def test_a_draft_is_good_as_long_as_nothing_has_passed(world: World, drafts: Drafts) -> None:
    usual = await world.task("0 10 * * *")
    short = await world.task("0 10 * * *", useful_until="3s")
    await _prepare(world, drafts)
    assert await _draft_of(world, drafts, usual, AT + 5 * SECOND - 1) is not None
    assert await _draft_of(world, drafts, usual, AT + 5 * SECOND) is None
    assert await _draft_of(world, drafts, short, AT + 3 * SECOND - 1) is not None
    assert await _draft_of(world, drafts, short, AT + 3 * SECOND) is None
    await _fire(world, drafts, 6 * SECOND)
    assert (await newest(world, usual)).created_at == AT + 6 * SECOND


async def test_with_a_shorter_time_that_counts_as_on_time_a_draft_is_good_for_that(
    tmp_path: Path, drafts: Drafts
) -> None:
    async with open_world(tmp_path, Limits(on_time_s=2)) as world:
        task = await world.task("0 10 * * *", catch_up="skip")
        await _prepare(world, drafts)
        assert await _draft_of(world, drafts, task, AT + 2 * SECOND - 1) is not None
        assert await _draft_of(world, drafts, task, AT + 2 * SECOND) is None


async def test_what_is_not_plain_is_not_drafted(world: World, drafts: Drafts) -> None:
    paused, broken, again, plain = [await world.task("0 10 * * *") for _ in range(4)]
    await world.store.write(lambda tx: tasks.pause(tx, world.agent, paused.id, "not today"))
    strange = replace(broken, timezone="Mars/Olympus")
    fired = replace(again, fired_until=AT)
    for task in (strange, fired):
        await world.store.write(lambda tx, task=task: tx.tasks.update(task))  # type: ignore[misc]
    await _prepare(world, drafts)
    found = [await _draft_of(world, drafts, task) for task in (paused, broken, again, plain)]
    assert [draft is not None for draft in found] == [False, False, False, True]


async def test_a_second_look_keeps_what_is_the_same(world: World, drafts: Drafts) -> None:
    same, paused = [await world.task("0 10 * * *") for _ in range(2)]
    await _prepare(world, drafts)
    first = await _draft_of(world, drafts, same)
    await world.store.write(lambda tx: tasks.pause(tx, world.agent, paused.id, "not today"))
    later = await world.task("0 10 * * *")
    assert await drafts.prepare(world.store, world.clock, AT) == AT
    assert await _draft_of(world, drafts, same) is first
    assert await _draft_of(world, drafts, later) is not None
    assert await _draft_of(world, drafts, paused) is None


async def test_nothing_is_drafted_long_before_nor_once_it_is_due(
    world: World, drafts: Drafts
) -> None:
    task = await world.task("0 10 * * *")
    await _prepare(world, drafts)
    for wall, answer in [(AT - LEAD - 1, AT - LEAD), (AT, AT)]:
        world.clock.set_wall(wall)
        assert await drafts.prepare(world.store, world.clock, AT) == answer
        assert await _draft_of(world, drafts, task) is None
    assert await drafts.prepare(world.store, world.clock, None) is None


async def test_the_fire_stage_comes_a_little_ahead_to_draft(world: World) -> None:
    task = await world.task("0 10 * * *")
    engine = make_engine(world, (), lambda _: None)
    assert await engine.fire() == AT - LEAD
    world.clock.set_wall(AT - LEAD)
    assert await engine.fire() == AT
    assert await world.runs(task) == []
    world.clock.set_wall(AT + SECOND)
    assert await engine.fire() == AT + 24 * HOUR - LEAD
    # As it was drafted, it was made at its time.
    assert (await newest(world, task)).created_at == AT


async def test_drafting_ends_before_the_fire_and_before_it_takes_much_memory(
    world: World, drafts: Drafts, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [await world.task("0 10 * * *") for _ in range(4)]
    monkeypatch.setattr(drafting, "_SLICE", 1)

    async def drafted() -> int:
        await _prepare(world, drafts)
        return sum([await _draft_of(world, drafts, task) is not None for task in made])

    assert await drafted() == 4
    with monkeypatch.context() as patch:
        patch.setattr(drafting, "_MOST_BYTES", 1)
        assert await drafted() == 1
        patch.setattr(drafting, "_MOST_BYTES", 1 << 20)
        patch.setattr(drafting, "_MOST", 3)
        assert await drafted() == 3
        patch.setattr(drafting, "_BACK", SECOND)
        assert await drafted() == 0
