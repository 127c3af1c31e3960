"""What every database keeps of the port's promises: real files, real servers."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from nod.domain.errors import Unavailable
from nod.store.port import Connection, ConstraintError, Database, UniqueViolation
from nod.store.postgres import PostgresDatabase
from nod.store.sqlite import SqliteDatabase
from nod.store.statements import load_statements
from support.databases import KINDS
from support.notes import SCHEMA, SQL, add, ids
from support.postgres import databases


@pytest.fixture(params=KINDS)
async def closed(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """A database that has not been started."""
    (tmp_path / "notes.sql").write_text(SQL)
    statements = load_statements(tmp_path, request.param, {"notes": "id, size, done"})
    if request.param == "sqlite":
        yield SqliteDatabase(tmp_path / "nod.db", statements, (SCHEMA,))
    else:
        async with databases().bare() as url:
            yield PostgresDatabase(url, statements, (SCHEMA,))


@pytest.fixture
async def database(closed: Database) -> AsyncIterator[Database]:
    await closed.start()
    yield closed
    await closed.close()


# statements


async def test_what_was_written_can_be_read_and_truth_values_stay_truth_values(
    database: Database,
) -> None:
    async def finish(connection: Connection) -> tuple[Any, ...] | None:
        return await connection.one("finish", id="a")

    async def get(connection: Connection) -> tuple[Any, ...] | None:
        return await connection.one("get", id="a")

    assert await database.write(add("a", "b")) == "a"
    assert await database.read(get) == ("a", 1, False)
    row = await database.write(finish)
    assert row is not None
    assert row[2] is True
    assert await database.read(get) == row
    assert await database.read(ids) == ["a", "b"]


async def test_run_counts_the_rows_it_changed(database: Database) -> None:
    async def grow(connection: Connection) -> list[int]:
        return [await connection.run("grow", by=1, least=least) for least in (0, 2, 9)]

    await database.write(add("a", "b", "c"))
    assert await database.write(grow) == [3, 3, 0]


async def test_one_gives_none_where_there_is_nothing(database: Database) -> None:
    async def get(connection: Connection) -> tuple[Any, ...] | None:
        return await connection.one("get", id="nobody")

    assert await database.read(get) is None


async def test_many_rows_go_in_as_tuples_or_by_name(database: Database) -> None:
    async def fill(connection: Connection) -> None:
        await connection.many("add", [("a", 1, True), ("b", 2, False)])
        await connection.many("add", [{"done": True, "size": 3, "id": "c"}])
        await connection.many("add", [])

    async def all_rows(connection: Connection) -> list[tuple[Any, ...]]:
        return [row for note in "abc" for row in await connection.all("get", id=note)]

    await database.write(fill)
    assert await database.read(all_rows) == [("a", 1, True), ("b", 2, False), ("c", 3, True)]


@pytest.mark.parametrize("params", [{}, {"id": "a", "more": 1}, {"name": "a"}])
async def test_wrong_values_for_a_statement_are_a_clear_mistake(
    database: Database, params: dict[str, Any]
) -> None:
    async def get(connection: Connection) -> object:
        return await connection.one("get", **params)

    with pytest.raises(TypeError, match=r"get takes \('id',\), got"):
        await database.read(get)


# errors of one unit


async def test_a_taken_key_is_told_apart_from_other_broken_rules(database: Database) -> None:
    async def negative(connection: Connection) -> None:
        await connection.many("add", [("n", -1, False)])

    async def below_nobody(connection: Connection) -> None:
        await connection.run("add_below", id="x", above="nobody")

    await database.write(add("a"))
    with pytest.raises(UniqueViolation, match="notes"):
        await database.write(add("b", "a"))
    for work in (negative, below_nobody):
        with pytest.raises(ConstraintError) as broken:
            await database.write(work)
        assert not isinstance(broken.value, UniqueViolation)
    assert await database.read(ids) == ["a"]


async def test_a_unit_that_swallows_a_statements_error_fails_all_the_same(
    database: Database,
) -> None:
    async def careless(connection: Connection) -> str:
        for note in ("new", "a", "newer"):
            try:
                await connection.run("add", id=note, size=1, done=False)
            except UniqueViolation:
                continue
        return "all well"

    await database.write(add("a"))
    with pytest.raises(UniqueViolation):
        await database.write(careless)
    assert await database.read(ids) == ["a"]


async def test_a_units_own_error_reaches_its_caller_and_undoes_its_work(
    database: Database,
) -> None:
    async def unit(connection: Connection) -> None:
        await connection.run("add", id="a", size=1, done=False)
        raise RuntimeError("changed its mind")

    with pytest.raises(RuntimeError, match="changed its mind"):
        await database.write(unit)
    assert await database.read(ids) == []


# opening and closing


async def test_before_the_start_there_is_nothing_to_ask(closed: Database) -> None:
    with pytest.raises(Unavailable, match="not started"):
        await closed.read(ids)


async def test_after_the_end_there_is_nothing_to_ask_until_it_is_started_again(
    closed: Database,
) -> None:
    await closed.start()
    await closed.write(add("a"))
    await closed.close()
    await closed.close()
    with pytest.raises(Unavailable, match="shutting down"):
        await closed.write(add("b"))
    await closed.start()
    assert await closed.read(ids) == ["a"]
    await closed.close()
