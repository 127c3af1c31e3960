"""The embedded database: real files, real threads."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from nod.domain.errors import Unavailable
from nod.store.port import Connection, SuspendedUnitError, UniqueViolation
from nod.store.sqlite import SqliteDatabase
from nod.store.sqlite_threads import BatchLimits
from nod.store.statements import Statements, load_statements
from support.notes import SCHEMA, SQL, add, ids

Opener = Callable[..., SqliteDatabase]


@pytest.fixture
def statements(tmp_path: Path) -> Statements:
    (tmp_path / "notes.sql").write_text(SQL)
    return load_statements(tmp_path, "sqlite", {"notes": "id, size, done"})


@pytest.fixture
def opener(tmp_path: Path, statements: Statements) -> Opener:
    def make(**options: Any) -> SqliteDatabase:
        return SqliteDatabase(tmp_path / "nod.db", statements, (SCHEMA,), **options)

    return make


@pytest.fixture
async def database(opener: Opener) -> AsyncIterator[SqliteDatabase]:
    opened = opener()
    await opened.start()
    yield opened
    await opened.close()


class Hold:
    """A unit that keeps its thread until it is let go."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._gone = threading.Event()
        self.entered = asyncio.Event()

    async def unit(self, connection: Connection) -> int | None:
        row = await connection.one("number")
        self._loop.call_soon_threadsafe(self.entered.set)
        self._gone.wait()
        again = await connection.one("number")
        assert row == again
        return None if row is None else row[0]

    def let_go(self) -> None:
        self._gone.set()


async def hand_in(*units: Coroutine[Any, Any, Any]) -> list["asyncio.Task[Any]"]:
    """Start them all, and return when each has its place in the queue."""
    tasks = [asyncio.create_task(unit) for unit in units]
    await asyncio.sleep(0)  # one turn of the loop, in which they run up to their waiting
    return tasks


async def held(database: SqliteDatabase) -> tuple[Hold, "asyncio.Task[Any]"]:
    hold = Hold()
    (task,) = await hand_in(database.write(hold.unit))
    await hold.entered.wait()
    return hold, task


# statements


async def test_a_mistake_in_sql_is_shown_as_it_is(database: SqliteDatabase) -> None:
    async def all_of_it(connection: Connection) -> object:
        return await connection.all("mistaken")

    async def one_of_it(connection: Connection) -> object:
        return await connection.one("mistaken")

    for work in (all_of_it, one_of_it):
        with pytest.raises(sqlite3.OperationalError, match="syntax error"):
            await database.read(work)


# errors of one unit


async def suspends_at_a_sleep() -> None:
    await asyncio.sleep(0.001)


async def suspends_for_one_turn() -> None:
    await asyncio.sleep(0)


@pytest.mark.parametrize("wait", [suspends_at_a_sleep, suspends_for_one_turn])
async def test_a_unit_that_waits_for_something_else_is_told_so_and_undone(
    database: SqliteDatabase, wait: Callable[[], Coroutine[Any, Any, None]]
) -> None:
    async def unit(connection: Connection) -> None:
        await connection.run("add", id="a", size=1, done=False)
        await wait()

    with pytest.raises(SuspendedUnitError, match="other than its connection"):
        await database.write(unit)
    assert await database.read(ids) == []
    assert await database.write(add("b")) == "b"


# group commit


async def test_units_that_wait_are_stored_by_one_commit(
    database: SqliteDatabase, tmp_path: Path
) -> None:
    log = tmp_path / "nod.db-wal"
    hold, holding = await held(database)
    before = log.stat().st_size
    tasks = await hand_in(*(database.write(add(f"n{number:03}")) for number in range(200)))
    hold.let_go()
    assert await asyncio.gather(*tasks) == [f"n{number:03}" for number in range(200)]
    await holding
    # 200 commits would have written 200 pages at least.
    assert log.stat().st_size - before < 50 * 4096


async def test_one_failing_unit_among_many_fails_alone(database: SqliteDatabase) -> None:
    async def fails(connection: Connection) -> None:
        await connection.run("add", id="half", size=1, done=False)
        raise LookupError("no such thing")

    hold, holding = await held(database)
    units = [add("a"), fails, add("b"), add("half", "a"), add("c")]
    tasks = await hand_in(*(database.write(unit) for unit in units))
    hold.let_go()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    await holding
    assert [type(result) for result in results] == [str, LookupError, str, UniqueViolation, str]
    assert await database.read(ids) == ["a", "b", "c"]


async def test_results_come_in_the_order_of_the_commits(database: SqliteDatabase) -> None:
    told: list[str] = []
    hold, holding = await held(database)
    tasks = await hand_in(
        *(database.write(add(note), committed=told.append) for note in ("c", "a", "b", "a"))
    )
    hold.let_go()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    await holding
    assert told == ["c", "a", "b"]
    assert isinstance(results[-1], UniqueViolation)


@pytest.mark.parametrize("limits", [BatchLimits(units=3), BatchLimits(work_s=0.0)])
async def test_a_full_batch_leaves_the_rest_to_the_next(
    opener: Opener, limits: BatchLimits
) -> None:
    database = opener(batch=limits)
    await database.start()
    hold, holding = await held(database)
    tasks = await hand_in(*(database.write(add(f"n{number}")) for number in range(10)))
    hold.let_go()
    await asyncio.gather(holding, *tasks)
    assert len(await database.read(ids)) == 10
    await database.close()


async def test_a_caller_that_goes_away_disturbs_nobody_and_its_unit_is_stored(
    database: SqliteDatabase,
) -> None:
    told: list[str] = []
    hold, holding = await held(database)
    tasks = await hand_in(
        database.write(add("a")),
        database.write(add("gone"), committed=told.append),
        database.write(add("a", "b")),
        database.write(add("c")),
    )
    tasks[1].cancel()
    tasks[2].cancel()
    hold.let_go()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    await holding
    assert [results[0], results[3]] == ["a", "c"]
    assert all(isinstance(result, asyncio.CancelledError) for result in results[1:3])
    assert await database.read(ids) == ["a", "c", "gone"]
    assert told == ["gone"]


# reading


async def test_a_read_sees_one_snapshot_and_waits_for_no_writer(database: SqliteDatabase) -> None:
    await database.write(add("a"))
    hold = Hold()
    (reading,) = await hand_in(database.read(hold.unit))
    await hold.entered.wait()
    await database.write(add("b"))  # while that read is still looking
    assert await database.read(ids) == ["a", "b"]
    hold.let_go()
    assert await reading == 1


async def test_reads_go_on_while_a_writer_works(database: SqliteDatabase) -> None:
    await database.write(add("a"))
    hold, holding = await held(database)
    assert await database.read(ids) == ["a"]
    hold.let_go()
    await holding


async def test_a_read_cannot_write(database: SqliteDatabase) -> None:
    with pytest.raises(Unavailable, match="cannot be written"):
        await database.read(add("a"))
    assert await database.read(ids) == []


# closing


async def test_close_finishes_what_was_handed_in_and_refuses_what_comes_later(
    opener: Opener, tmp_path: Path
) -> None:
    database = opener()
    await database.start()
    hold, holding = await held(database)
    tasks = await hand_in(*(database.write(add(f"n{number}")) for number in range(5)))
    (closing,) = await hand_in(database.close())
    for late in (database.write(add("late")), database.read(ids)):
        with pytest.raises(Unavailable, match="shutting down"):
            await late
    hold.let_go()
    await closing
    await database.close()
    assert [task.result() for task in tasks] == [f"n{number}" for number in range(5)]
    assert holding.done()
    assert not (tmp_path / "nod.db-wal").exists()

    again = opener()
    await again.start()
    assert len(await again.read(ids)) == 5
    await again.close()


def test_a_unit_handed_in_is_stored_though_its_loop_is_gone(opener: Opener) -> None:
    database = opener()

    async def leave() -> Hold:
        await database.start()
        hold, _ = await held(database)
        await hand_in(database.write(add("a")))
        return hold

    async def look() -> list[str]:
        again = opener()
        await again.start()
        found = await again.read(ids)
        await again.close()
        return found

    asyncio.run(leave()).let_go()
    asyncio.run(database.close())
    assert asyncio.run(look()) == ["a"]
