"""One thing that cannot be handled holds up no other, is seen, and is tried again later."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from nod.actions.decisions import DUE_DECISIONS, DecisionFields, open_decision
from nod.domain.errors import Conflict, Unavailable
from nod.domain.instant import HOUR, MINUTE, SECOND
from nod.engine import rescue
from nod.engine.aside import Aside
from nod.engine.batches import Batches, Item, Work
from nod.engine.drafts import LEAD
from nod.engine.loops import Engine
from nod.engine.outbox import make_event, put
from nod.store.effects import Fact
from nod.store.store import Tx
from support.clock import MONDAY_9, FakeClock
from support.databases import accept, refuse
from support.stages import make_engine
from support.steps import DAY_S, HOUR_S, MINUTE_S, deliver, now
from support.world import World


@dataclass
class Heap:
    """Things that are due, some of which cannot be handled."""

    due: list[str]
    bad: set[str] = field(default_factory=set)
    sticky: set[str] = field(default_factory=set)  # handled without being less due
    tries: list[list[str]] = field(default_factory=list)
    given_up: list[tuple[str, str]] = field(default_factory=list)

    async def look(self, _tx: Tx, limit: int) -> list[Item[str]]:
        return [Item(name, MONDAY_9, name) for name in self.due[:limit]]

    async def handle(self, _tx: Tx, names: list[str]) -> None:
        self.tries.append(names)
        if self.bad.intersection(names):
            raise Conflict("a mistake")
        self.due = [name for name in self.due if name not in names or name in self.sticky]

    async def give_up(self, _tx: Tx, name: str, why: str) -> None:
        self.given_up.append((name, why))
        if name == "worst":
            raise RuntimeError("not even that")
        self.due.remove(name)

    def work(self, *, final: bool = False) -> Work[str]:
        return Work("thing", self.look, self.handle, 3, self.give_up if final else None)


@pytest.fixture
def told() -> list[Fact]:
    return []


@pytest.fixture
def lines() -> Iterator[list[EventDict]]:
    with capture_logs() as caught:
        yield caught


def named(lines: list[EventDict]) -> list[str]:
    """What the log has named as set aside."""
    return [line["id"] for line in lines if "set aside" in line["event"]]


async def test_one_that_fails_is_set_aside_and_the_others_are_handled(
    world: World, told: list[Fact], lines: list[EventDict]
) -> None:
    heap = Heap(["a", "b", "c", "d", "e"], {"b"})
    batches = Batches(world.store, heap.work(), world.clock, told.extend)
    full: list[bool] = []
    await batches.work_off(full.append)
    assert heap.due == ["b"]
    assert heap.tries == [["a", "b", "c"], ["a"], ["b"], ["c"], ["d", "e"]]
    assert [each.fields for each in told] == [{"what": "thing", "id": "b", "reason": "a mistake"}]
    assert named(lines) == ["b"]
    assert not any(full)


async def test_it_is_tried_again_after_one_two_and_four_minutes_an_hour_at_most(
    world: World, told: list[Fact]
) -> None:
    heap = Heap(["b"], {"b"})
    batches = Batches(world.store, heap.work(), world.clock, told.extend)
    waits = []
    for _ in range(9):
        await batches.work_off()
        next_at = batches.aside.next_at()
        assert next_at is not None
        waits.append((next_at - world.clock.now()) // MINUTE)
        world.clock.advance((next_at - world.clock.now()) / SECOND - 1)
        before = len(heap.tries)
        await batches.work_off()
        assert len(heap.tries) == before
        world.clock.advance(1)
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert len(told) == 9


async def test_what_works_again_is_forgotten_in_time(world: World, told: list[Fact]) -> None:
    heap = Heap(["b"], {"b"})
    batches = Batches(world.store, heap.work(), world.clock, told.extend)
    await batches.work_off()
    heap.bad.clear()
    world.clock.advance(MINUTE_S)
    await batches.work_off()
    assert heap.due == []
    assert batches.aside.next_at() is None
    world.clock.advance(2 * HOUR_S)
    heap.due, heap.bad = ["b"], {"b"}
    await batches.work_off()
    assert batches.aside.next_at() == world.clock.now() + MINUTE


async def test_what_is_still_due_after_it_was_handled_is_set_aside(
    world: World, told: list[Fact]
) -> None:
    heap = Heap(["a", "b"], sticky={"b"})
    await Batches(world.store, heap.work(), world.clock, told.extend).work_off()
    assert heap.tries == [["a", "b"], ["b"]]
    assert "still due" in told[0].fields["reason"]


async def test_what_can_be_given_up_for_good_is_not_tried_again(
    world: World, told: list[Fact]
) -> None:
    heap = Heap(["a", "b", "worst"], {"b", "worst"})
    batches = Batches(world.store, heap.work(final=True), world.clock, told.extend)
    await batches.work_off()
    assert heap.given_up == [("b", "a mistake"), ("worst", "a mistake")]
    assert heap.due == ["worst"]
    assert batches.aside.waiting() == {"worst"}


async def test_nothing_is_set_aside_for_a_store_that_cannot_store_now(
    world: World, told: list[Fact]
) -> None:
    async def full(_tx: Tx, _name: str, _why: str) -> None:
        raise Unavailable("the disk is full")

    heap = Heap(["a"], {"a"})
    work = Work("thing", heap.look, heap.handle, 3, full)
    with pytest.raises(Unavailable):
        await Batches(world.store, work, world.clock, told.extend).work_off()


async def test_a_look_that_fails_by_itself_is_the_stages_trouble(
    world: World, told: list[Fact]
) -> None:
    async def blind(_tx: Tx, _limit: int) -> list[Item[str]]:
        raise RuntimeError("no such table")

    work = Work("thing", blind, Heap([]).handle, 3)
    with pytest.raises(RuntimeError, match="no such table"):
        await Batches(world.store, work, world.clock, told.extend).work_off()
    assert told == []


def test_a_clock_that_is_set_changes_no_wait() -> None:
    clock = FakeClock()
    aside = Aside("thing", clock, lambda _: None)
    aside.put("a", RuntimeError("a mistake"))
    clock.set_wall(MONDAY_9 - 1000 * HOUR)
    assert aside.next_at() == clock.now() + MINUTE
    clock.advance(MINUTE_S)
    assert aside.waiting() == set()


# in the stages


@pytest.fixture
def engine(world: World, told: list[Fact]) -> Engine:
    rescues = (rescue.OVERDUE_RUNS, rescue.EXPIRED_EVENTS, DUE_DECISIONS)
    return make_engine(world, rescues, told.extend)


async def test_a_run_that_cannot_time_out_holds_up_no_other(
    world: World, engine: Engine, told: list[Fact], tmp_path: Path
) -> None:
    task = await world.task(timeout_s=60, overlap="allow")
    made = [await deliver(world, await now(world, task)) for _ in range(3)]
    await refuse(tmp_path, "runs", made[0].id)
    world.clock.advance(MINUTE_S)
    assert await engine.rescue() == MONDAY_9 + MINUTE  # it is still overdue; the loop pauses
    statuses = [(await world.run(run.id)).status for run in made]
    assert statuses == ["pending", "failed", "failed"]
    assert [(each.fields["what"], each.fields["id"]) for each in told] == [("run", made[0].id)]
    await accept(tmp_path, "runs")
    await engine.rescue()
    assert (await world.run(made[0].id)).status == "pending"
    world.clock.advance(MINUTE_S)
    await engine.rescue()
    assert (await world.run(made[0].id)).status == "failed"


async def test_an_event_that_cannot_be_buried_holds_up_no_other(
    world: World, engine: Engine, told: list[Fact], tmp_path: Path
) -> None:
    made = [
        make_event(MONDAY_9, world.agent.id, "user_message", {}, expires_at=MONDAY_9 + at)
        for at in (1, 2)
    ]
    for event in made:
        await world.store.write(lambda tx, event=event: put(tx, event))  # type: ignore[misc]
    await refuse(tmp_path, "events", made[0].id)
    world.clock.advance(1)
    await engine.rescue()
    states = [await world.store.read(lambda tx, e=e: tx.events.get(e.id)) for e in made]  # type: ignore[misc]
    assert [each and each.state for each in states] == ["pending", "dead"]
    assert [each.fields["id"] for each in told] == [made[0].id]


async def test_a_question_that_cannot_expire_holds_up_no_other(
    world: World, engine: Engine, told: list[Fact], tmp_path: Path
) -> None:
    fields = DecisionFields(title="May I?")
    made = [
        await world.store.write(lambda tx: open_decision(tx, world.agent, fields)) for _ in range(2)
    ]
    await refuse(tmp_path, "decisions", made[0].id)
    world.clock.advance(4 * DAY_S)
    await engine.rescue()
    found = [await world.store.read(lambda tx, d=d: tx.chat.decision(d.id)) for d in made]  # type: ignore[misc]
    assert [each and each.status for each in found] == ["pending", "expired"]
    assert [each.fields["what"] for each in told] == ["decision"]


async def test_a_task_that_can_be_neither_fired_nor_paused_holds_up_no_other(
    world: World, engine: Engine, told: list[Fact], tmp_path: Path
) -> None:
    made = [await world.task("0 10 * * *") for _ in range(3)]
    await refuse(tmp_path, "tasks", made[0].id)
    world.clock.advance(HOUR_S)
    for _ in range(3):
        assert await engine.fire() == MONDAY_9 + HOUR
    assert [len(await world.runs(task)) for task in made] == [0, 1, 1]
    assert len(told) == 1
    await accept(tmp_path, "tasks")
    world.clock.advance(MINUTE_S)
    assert await engine.fire() == MONDAY_9 + 25 * HOUR - LEAD
    assert [run.status for run in await world.runs(made[0])] == ["pending"]


async def test_what_cannot_be_swept_keeps_nothing_else(
    world: World, engine: Engine, told: list[Fact], tmp_path: Path
) -> None:
    for kind in ("a", "b"):
        await world.store.write(
            lambda tx, kind=kind: tx.chat.add_activity(  # type: ignore[misc]
                world.agent.id, kind, "", "", None, None, tx.now
            )
        )
    for table in ("trigger_calls", "events"):
        await refuse(tmp_path, table, verb="DELETE")
    event = make_event(MONDAY_9, world.agent.id, "user_message", {}, expires_at=MONDAY_9 + 1)
    await world.store.write(lambda tx: put(tx, event))
    world.clock.advance(1)
    await engine.rescue()
    world.clock.advance(100 * DAY_S)
    assert await engine.sweep() == world.clock.now() + MINUTE
    assert await world.store.read(lambda tx: tx.chat.activity_of(world.agent.id, 10)) == []
    assert [(each.fields["what"], each.fields["id"]) for each in told] == [("sweep", "events")]
    assert await engine.sweep() == world.clock.now() + MINUTE
    assert len(told) == 1
