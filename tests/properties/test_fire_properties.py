"""Every fire has exactly one entry, whatever the schedule, the policies, crashes and clocks."""

import asyncio
import contextlib
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nod.actions import tasks
from nod.domain.instant import MINUTE, SECOND, Instant
from nod.domain.limits import Limits
from nod.domain.model import Run, Task
from nod.domain.schedule import fires, spread_offset_s
from nod.engine.drafts import Drafts
from nod.engine.fire import due_tasks
from nod.store.store import Tx
from support.clock import MONDAY_9, FakeClock
from support.databases import Kind, prepared
from support.steps import complete, fire_due, rescue, work_off
from support.world import World, open_world


class _CrashError(Exception):
    """The process dies before the commit."""


async def _crash(tx: Tx) -> None:
    await fire_due(tx)
    raise _CrashError


async def _fire(world: World, drafts: Drafts) -> None:
    await work_off(world, due_tasks(drafts))


async def _to_the_next_fire(world: World, offset: Instant) -> Instant | None:
    """Time passes up to the next fire, if that is to come; when it is."""
    at = await world.store.read(lambda tx: tx.tasks.next_fire_at())
    if at is None or at <= world.clock.now():
        return None
    world.clock.set_wall(at + offset)
    return at


async def _step(world: World, task: Task, drafts: Drafts, what: str, minutes: int) -> None:
    match what:
        case "pass":
            world.clock.advance(minutes * 60)
        case "back":
            world.clock.set_wall(max(MONDAY_9, world.clock.now() - minutes * MINUTE))
        case "forward":
            world.clock.set_wall(world.clock.now() + minutes * 10 * MINUTE)
        case "draft":
            if at := await _to_the_next_fire(world, -SECOND):
                await drafts.prepare(world.store, world.clock, at)
        case "on time":
            await _to_the_next_fire(world, 0)
            await _fire(world, drafts)
        case "pause" | "resume" | "complete":
            await _meddle(world, task, what, minutes)
        case "crash":
            with contextlib.suppress(_CrashError):
                await world.store.write(_crash)
        case _:
            await _fire(world, drafts)


async def _meddle(world: World, task: Task, what: str, minutes: int) -> None:
    match what:
        case "pause":
            await world.store.write(lambda tx: tasks.pause(tx, world.agent, task.id, "why not"))
        case "resume":
            await world.store.write(lambda tx: tasks.resume(tx, world.agent, task.id))
        case _:
            for run in (await world.store.read(lambda tx: tx.runs.active(task.id)))[:1]:
                await complete(world, run, "completed" if minutes % 2 else "failed")


STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "pass",
                "pass",
                "fire",
                "fire",
                "back",
                "forward",
                "crash",
                "pause",
                "resume",
                "complete",
                "draft",
                "on time",
            ]
        ),
        st.integers(1, 240),
    ),
    max_size=14,
)
GIVEN = st.fixed_dictionaries(
    {
        "overlap": st.sampled_from(["skip", "queue", "allow", "cancel_previous"]),
        "catch_up": st.sampled_from(["latest", "all", "skip"]),
        "spread_s": st.sampled_from([0, 0, 90, 3600]),
        "max_attempts": st.integers(1, 3),
        "idempotent": st.booleans(),
    }
)
SCHEDULES = st.sampled_from(
    ["*/7 * * * *", "0 * * * *", "*/30 8-18 * * *", "15 3,9,21 * * *", "0 0 * * *", "5-9 * * * 1-5"]
)
OPTIONAL = st.sampled_from([{}, {"catch_up_window_s": 600}, {"useful_until": "45m"}])


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(schedule=SCHEDULES, more=GIVEN, optional=OPTIONAL, steps=STEPS)
def test_every_fire_has_exactly_one_entry(
    schedule: str,
    more: dict[str, object],
    optional: dict[str, object],
    steps: list[tuple[str, int]],
) -> None:
    asyncio.run(_play("sqlite", schedule, {**more, **optional}, steps))


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(schedule=SCHEDULES, more=GIVEN, optional=OPTIONAL, steps=STEPS)
def test_every_fire_has_exactly_one_entry_on_postgresql_too(
    schedule: str,
    more: dict[str, object],
    optional: dict[str, object],
    steps: list[tuple[str, int]],
) -> None:
    asyncio.run(_play("postgres", schedule, {**more, **optional}, steps))


async def _play(
    kind: Kind, schedule: str, more: dict[str, object], steps: list[tuple[str, int]]
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder, limits = Path(name), Limits(missed_entries=20)
        async with prepared(folder, kind), open_world(folder, limits, FakeClock()) as world:
            task = await world.task(schedule, **more)
            latest, drafts = world.clock.now(), Drafts()
            for what, minutes in steps:
                await _step(world, task, drafts, what, minutes)
                latest = max(latest, world.clock.now())
            # Time has passed everything it was ever set to, and the engine has looked.
            world.clock.set_wall(latest + MINUTE)
            await _fire(world, drafts)
            await rescue(world)
            _check(task, await world.runs(task), world.clock.now())


def _check(task: Task, runs: list[Run], now: Instant) -> None:
    entries = [run for run in runs if run.trigger in ("schedule", "once")]
    at = [run.scheduled_for for run in entries if run.missed_until is None]
    spans = [(run.scheduled_for, run.missed_until) for run in entries if run.missed_until]
    offset = spread_offset_s(task.id, task.spread_s) * SECOND
    expected = [
        fire + offset
        for fire in fires(task.schedule, task.timezone, MONDAY_9 - offset, now - offset)
    ]
    assert len(at) == len(set(at))
    assert set(at) <= set(expected)
    for fire in expected:
        covered = sum(first <= fire <= last for first, last in spans)
        assert at.count(fire) + covered >= 1, fire
        assert at.count(fire) <= 1
