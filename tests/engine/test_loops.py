"""The stages look when something is due, and nothing they run into stops them."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from nod.actions.decisions import DUE_DECISIONS
from nod.domain.errors import Unavailable
from nod.domain.instant import HOUR, MINUTE, SECOND, Instant
from nod.engine import fire as firing
from nod.engine import rescue
from nod.engine.drafts import LEAD
from nod.engine.ending import cancel_all
from nod.engine.loops import Engine, Loop
from nod.store.effects import Effects, Fact
from support.clock import MONDAY_9, FakeClock
from support.stages import make_engine
from support.steps import HOUR_S, activity, deliver, events, now
from support.world import World


class Stage:
    """A look that tells when it has happened, and answers once what it was given."""

    def __init__(self, clock: FakeClock) -> None:
        self.answer: Instant | Exception | None = None
        self.always: Instant | None = None
        self.looks: asyncio.Queue[Instant] = asyncio.Queue()
        self._clock = clock

    async def look(self) -> Instant | None:
        self.looks.put_nowait(self._clock.now())
        answer, self.answer = self.answer, self.always
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
async def stage() -> AsyncIterator[tuple[Stage, Loop, FakeClock]]:
    clock = FakeClock()
    made = Stage(clock)
    loop = Loop("fire", made.look, clock)
    yield made, loop, clock
    await loop.stop()


async def _asleep(clock: FakeClock) -> None:
    await asyncio.wait_for(clock.asleep(), 5)


async def test_a_stage_sleeps_until_the_time_it_named(
    stage: tuple[Stage, Loop, FakeClock],
) -> None:
    made, loop, clock = stage
    made.answer = MONDAY_9 + 10 * SECOND
    loop.start()
    assert await made.looks.get() == MONDAY_9
    await _asleep(clock)
    clock.advance(9)
    await asyncio.sleep(0)
    assert made.looks.empty()
    clock.advance(1)
    assert await made.looks.get() == MONDAY_9 + 10 * SECOND


@pytest.mark.parametrize("answer", [None, MONDAY_9 + HOUR])
async def test_a_stage_looks_once_a_minute_at_least(
    stage: tuple[Stage, Loop, FakeClock], answer: Instant | None
) -> None:
    made, loop, clock = stage
    made.answer = answer
    loop.start()
    await made.looks.get()
    await _asleep(clock)
    clock.advance(60)
    assert await made.looks.get() == MONDAY_9 + MINUTE


async def test_a_stage_is_woken_by_what_is_due_earlier_and_by_nothing_else(
    stage: tuple[Stage, Loop, FakeClock],
) -> None:
    made, loop, clock = stage
    made.answer = MONDAY_9 + 10 * SECOND
    loop.start()
    await made.looks.get()
    await _asleep(clock)
    loop.wake(MONDAY_9 + 10 * SECOND)
    await asyncio.sleep(0)
    assert made.looks.empty()
    loop.wake(MONDAY_9 + 5 * SECOND)
    assert await made.looks.get() == MONDAY_9


async def test_what_is_committed_during_a_look_is_looked_at() -> None:
    clock = FakeClock()
    looks: list[Instant] = []
    seen_twice = asyncio.Event()

    async def look() -> Instant | None:
        looks.append(clock.now())
        if len(looks) == 1:
            loop.wake(MONDAY_9 + HOUR)
        else:
            seen_twice.set()
        return None

    loop = Loop("fire", look, clock)
    loop.start()
    await asyncio.wait_for(seen_twice.wait(), 5)
    await loop.stop()


@pytest.mark.parametrize("error", [Unavailable("the disk is full"), RuntimeError("a mistake")])
async def test_a_stage_goes_on_a_second_after_an_error(
    stage: tuple[Stage, Loop, FakeClock], error: Exception
) -> None:
    made, loop, clock = stage
    made.answer = error
    loop.start()
    await made.looks.get()
    await _asleep(clock)
    clock.advance(1)
    assert await made.looks.get() == MONDAY_9 + SECOND


async def test_a_stage_that_waits_for_the_store_says_so_once(
    stage: tuple[Stage, Loop, FakeClock],
) -> None:
    made, loop, clock = stage
    away = Unavailable("the database is away")
    with capture_logs() as lines:
        for number, answer in enumerate([away, away, away, None, away]):
            made.answer = answer
            if number == 0:
                loop.start()
            else:
                clock.advance(60)
            await made.looks.get()
            await _asleep(clock)
    assert [line["event"] for line in lines] == ["the stage waits"] * 2


async def test_a_stage_that_goes_on_failing_waits_longer_each_time_a_minute_at_most(
    stage: tuple[Stage, Loop, FakeClock],
) -> None:
    made, loop, clock = stage
    made.answer = RuntimeError("a mistake")
    loop.start()
    before = await made.looks.get()
    waits = []
    for _ in range(8):
        made.answer = RuntimeError("a mistake")
        await _asleep(clock)
        while made.looks.empty():
            clock.advance(1)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        at = await made.looks.get()
        waits.append((at - before) // SECOND)
        before = at
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]


async def test_a_stage_that_keeps_naming_a_past_time_pauses_before_it_looks_again(
    stage: tuple[Stage, Loop, FakeClock],
) -> None:
    made, loop, clock = stage
    made.answer = made.always = MONDAY_9 - HOUR
    loop.start()
    # What has come due during the first look is looked at at once.
    await made.looks.get()
    await made.looks.get()
    await _asleep(clock)
    await asyncio.sleep(0)
    assert made.looks.empty()
    clock.advance(1)
    assert await made.looks.get() == MONDAY_9 + SECOND
    await _asleep(clock)
    # A commit that makes something due wakes it all the same.
    loop.wake(clock.now())
    assert await made.looks.get() == MONDAY_9 + SECOND


async def test_a_clock_set_back_a_year_does_not_put_a_stage_to_sleep_for_a_year(
    stage: tuple[Stage, Loop, FakeClock],
) -> None:
    made, loop, clock = stage
    loop.start()
    await made.looks.get()
    await _asleep(clock)
    clock.set_wall(MONDAY_9 - 365 * 24 * HOUR)
    await _asleep(clock)
    clock.advance(60)
    await asyncio.wait_for(made.looks.get(), 5)


async def test_a_stage_that_was_never_started_can_be_stopped() -> None:
    clock = FakeClock()
    await Loop("sweep", Stage(clock).look, clock).stop()


# the engine


@pytest.fixture
def told() -> list[Fact]:
    """What could not be handled, as the metrics hear it."""
    return []


@pytest.fixture
def engine(world: World, told: list[Fact]) -> Engine:
    rescues = (rescue.OVERDUE_RUNS, rescue.EXPIRED_EVENTS, DUE_DECISIONS)
    return make_engine(world, rescues, told.extend)


async def test_everything_due_is_fired_and_the_next_fire_named(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(firing, "BATCH", 2)
    engine = make_engine(world, (), lambda _: None)
    made = [await world.task("0 10 * * *") for _ in range(5)]
    world.clock.advance(HOUR_S)
    assert await engine.fire() == MONDAY_9 + 25 * HOUR - LEAD
    assert [len(await world.runs(task)) for task in made] == [1] * 5


async def test_a_task_that_cannot_be_fired_is_set_aside_and_holds_up_no_other(
    world: World, engine: Engine
) -> None:
    made = [await world.task("0 10 * * *") for _ in range(3)]
    broken = replace(made[1], timezone="Mars/Olympus")
    damaged = replace(made[2], overlap="no such policy")  # type: ignore[arg-type]
    for task in (broken, damaged):
        await world.store.write(lambda tx, task=task: tx.tasks.update(task))  # type: ignore[misc]
    await now(world, damaged)
    world.clock.advance(HOUR_S)
    assert await engine.fire() == MONDAY_9 + 25 * HOUR - LEAD
    assert [run.status for run in await world.runs(made[0])] == ["pending"]
    entry = (await world.runs(broken))[-1]
    assert "Mars/Olympus" in (entry.reason or "")
    assert (await world.get(damaged)).enabled is False
    told = [line.kind for line in await activity(world)]
    assert told == ["task_paused", "task_paused"]


async def test_a_store_that_cannot_write_now_sets_nothing_aside(
    world: World, engine: Engine, told: list[Fact]
) -> None:
    task = await world.task("0 10 * * *")
    world.clock.advance(HOUR_S)
    await world.store.close()
    for look in (engine.fire, engine.rescue, engine.sweep):
        with pytest.raises(Unavailable):
            await look()
    await world.store.start()
    await engine.fire()
    assert [run.status for run in await world.runs(task)] == ["pending"]
    assert (await world.get(task)).enabled
    assert told == []


async def test_the_rescue_stage_ends_what_is_overdue_and_says_when_to_look_again(
    world: World, engine: Engine
) -> None:
    run = await deliver(world, await now(world, await world.task(timeout_s=60)))
    assert await engine.rescue() == MONDAY_9 + MINUTE
    world.clock.advance(60)
    assert await engine.rescue() is None
    assert (await world.run(run.id)).status == "failed"


async def test_the_sweep_looks_again_in_an_hour(world: World, engine: Engine) -> None:
    task = await world.task("event")
    run = await now(world, task)
    await world.store.write(lambda tx: cancel_all(tx, [run], "enough"))
    world.clock.advance(100 * 24 * HOUR_S)
    assert await engine.sweep() == world.clock.now() + HOUR
    assert await events(world, run) == []


async def test_all_stages_start_stop_and_are_woken_by_a_commit(
    world: World, engine: Engine
) -> None:
    task = await world.task("0 10 * * *")
    fired = asyncio.Event()

    def committed(effects: Effects) -> None:
        engine.wake(effects)
        if any(fact.name == "fired" for fact in effects.facts):
            fired.set()

    world.store.on_commit = committed
    engine.start()
    world.clock.advance(HOUR_S)
    while not fired.is_set():
        await asyncio.wait_for(fired.wait(), 10)
    await engine.stop()
    assert len(await world.runs(task)) == 1
