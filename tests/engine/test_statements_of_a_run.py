"""What the way of a run costs: each statement on it, by name. More of them is a decision."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from importlib.resources import files
from typing import Any

import pytest

from nod.domain.model import Run
from nod.domain.states import EVENT_TRANSITIONS, OPEN_EVENTS, next_event_state, sources
from nod.engine import settle
from nod.engine.attempts import Pushed, record_pushes
from nod.engine.trigger import Call, accept_call
from nod.store.port import Connection, Row
from nod.store.store import Tx
from support.steps import DAY_S, FIRING, called, events, take_up
from support.world import World

_SQL = files("nod.store") / "sql"


class _Noting:
    """A connection that notes the names of the statements."""

    def __init__(self, connection: Connection) -> None:
        self.names: list[str] = []
        self._connection = connection

    async def all(self, statement: str, /, **params: Any) -> list[Row]:
        self.names.append(statement)
        return await self._connection.all(statement, **params)

    async def one(self, statement: str, /, **params: Any) -> Row | None:
        self.names.append(statement)
        return await self._connection.one(statement, **params)

    async def run(self, statement: str, /, **params: Any) -> int:
        self.names.append(statement)
        return await self._connection.run(statement, **params)

    async def many(
        self, statement: str, rows: Sequence[Sequence[Any]] | Sequence[Mapping[str, Any]], /
    ) -> None:
        self.names.append(statement)
        await self._connection.many(statement, rows)


async def _statements(world: World, work: Callable[[Tx], Awaitable[object]]) -> list[str]:
    """The statements of a transaction, in order."""

    async def noted(tx: Tx) -> list[str]:
        connection = _Noting(tx.runs._db)
        await work(Tx(connection, tx.now, tx.limits))
        return connection.names

    return await world.store.write(noted)


@pytest.mark.parametrize("overlap", ["allow", "queue"])
@pytest.mark.parametrize("key", [None, "key"])
async def test_the_statements_of_a_call(world: World, overlap: str, key: str | None) -> None:
    task = await world.task("event", overlap=overlap)

    async def accept(tx: Tx) -> None:
        found = await tx.tasks.by_trigger(task.trigger_id or "")
        assert found is not None
        await accept_call(tx, found, Call("{}", "{}", key))

    assert await _statements(world, accept) == [
        "task_by_trigger",
        "past_calls",
        *(["active_runs"] if overlap == "queue" else []),
        "insert_runs",
        "insert_payload",
        "insert_events",
        *(["insert_trigger_call"] if key else []),
    ]


async def test_the_statements_of_acknowledgements_however_many(world: World) -> None:
    task = await world.task("event", overlap="allow")
    brought = [event for _ in range(3) for event in await events(world, await called(world, task))]
    pushed = [Pushed(event, world.clock.now(), 1) for event in brought]
    assert await _statements(world, lambda tx: record_pushes(tx, pushed)) == [
        "mark_delivered",
        "settle_events",
        "insert_deliveries",
    ]


@pytest.mark.parametrize("taken_up", [False, True])
async def test_the_statements_of_a_result(world: World, taken_up: bool) -> None:
    task = await world.task("event", overlap="allow")
    first, second = await called(world, task), await called(world, task)

    async def complete(tx: Tx, run: Run) -> None:
        await settle.complete(tx, world.agent, run.id, "completed", "Done.")

    expected = ["run", "move_run", "run_end", "settle_run", "put_bubble", "add_usage"]
    if taken_up:
        await take_up(world, first)
    assert await _statements(world, lambda tx: complete(tx, first)) == [*expected, "set_outcome"]
    # What a task shows as its last result is what it was.
    assert await _statements(world, lambda tx: complete(tx, second)) == expected


async def test_the_statements_of_a_herd(world: World) -> None:
    for _ in range(3):
        await world.task("0 9 * * *", overlap="allow")
    world.clock.advance(DAY_S)

    async def fire(tx: Tx) -> None:
        due = await FIRING.due(tx, 10)
        assert len(due) == 3
        await FIRING.handle(tx, [item.thing for item in due])

    assert await _statements(world, fire) == [
        "due_tasks",
        "busy_tasks",
        "insert_runs",
        "insert_events",
        "advance_task",
    ]


def test_the_event_of_a_run_is_settled_from_the_states_that_allow_it() -> None:
    text = _SQL.joinpath("events.sql").read_text(encoding="utf-8")
    states = ", ".join(f"'{state}'" for state in OPEN_EVENTS)
    assert f"AND state IN ({states})" in text.partition("-- name: settle_run\n")[2]
    for verb, target in (("acknowledge", "acknowledged"), ("bury", "dead")):
        assert set(sources(EVENT_TRANSITIONS, verb)) == set(OPEN_EVENTS)
        assert {next_event_state(verb, state) for state in OPEN_EVENTS} == {target}
