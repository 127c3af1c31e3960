"""A schema that changes under those who use it: a newer node takes its steps while others serve."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from nod.domain.errors import Unavailable
from nod.store import postgres_schema
from nod.store.migrate import PROGRESS, Migration
from nod.store.port import Connection
from nod.store.postgres import PostgresDatabase
from nod.store.postgres_schema import migrate
from nod.store.statements import Statements, load_statements
from support.inprocess import until
from support.notes import SCHEMA, SQL, add, ids
from support.postgres import connected, databases

COLUMN = Migration(2, "column", "ALTER TABLE notes ADD COLUMN tag TEXT;", additive=True)
TYPE = Migration(3, "type", "ALTER TABLE notes ALTER COLUMN size TYPE NUMERIC;")
_WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'"


@pytest.fixture
def statements(tmp_path: Path) -> Statements:
    (tmp_path / "notes.sql").write_text(SQL)
    return load_statements(tmp_path, "postgres", {"notes": "id, size, done"})


@pytest.fixture
async def url() -> AsyncIterator[str]:
    async with databases().bare() as made:
        yield made


@pytest.fixture
async def serving(url: str, statements: Statements) -> AsyncIterator[PostgresDatabase]:
    """A node that knows the first step alone, with a note."""
    database = PostgresDatabase(url, statements, (SCHEMA,))
    await database.start()
    await database.write(add("a"))
    yield database
    await database.close()


async def test_a_node_of_before_starts_on_a_schema_that_has_only_grown(
    url: str, statements: Statements
) -> None:
    async with connected(url) as connection:
        assert await migrate(connection, (SCHEMA, COLUMN), 0) == [SCHEMA, COLUMN]
        assert tuple(await connection.fetchrow(PROGRESS)) == (2, 1)
    database = PostgresDatabase(url, statements, (SCHEMA,))
    await database.start()
    await database.write(add("a", "b"))
    assert await database.read(ids) == ["a", "b"]
    await database.close()
    async with connected(url) as connection:
        await migrate(connection, (SCHEMA, COLUMN, TYPE), 0)
    with pytest.raises(Unavailable, match=r"made by a newer Nod \(schema 3, this one knows 1\)"):
        await PostgresDatabase(url, statements, (SCHEMA,)).start()


@pytest.mark.parametrize("step", [COLUMN, TYPE])
async def test_plans_that_were_made_before_a_step_are_made_anew_also_within_a_unit(
    url: str, serving: PostgresDatabase, step: Migration
) -> None:
    """Whoever reads `size` gets another type after the second of these steps."""
    for _ in range(7):  # from the sixth time on the server may keep one plan for all values
        await asyncio.gather(*(serving.read(_look) for _ in range(5)))
    async with connected(url) as connection:
        await migrate(connection, (SCHEMA, COLUMN, TYPE)[: step.version], 0)

    async def unit(connection: Connection) -> tuple[object, ...]:
        await connection.run("set_size", id="a", size=5)
        return await _look(connection)

    await asyncio.gather(*(serving.read(_look) for _ in range(5)))
    assert await serving.write(unit) == ("a", 5, False)
    assert await serving.read(_look) == ("a", 5, False)


async def _look(connection: Connection) -> tuple[object, ...]:
    found = await connection.one("get", id="a")
    assert found is not None
    return found


async def test_a_step_that_waits_for_a_reader_holds_up_nobody_for_long(
    url: str, serving: PostgresDatabase
) -> None:
    """A backup reads for hours. A step that stood in the queue behind it would keep all others
    from the table for as long."""
    async with connected(url) as backup, connected(url) as node, connected(url) as beside:
        async with backup.transaction():
            await backup.execute("LOCK TABLE notes IN ACCESS SHARE MODE")
            step = asyncio.create_task(migrate(node, (SCHEMA, COLUMN), 0))

            async def waits() -> bool:
                return bool(await beside.fetchval(_WAITING))

            await until(waits)
            async with asyncio.timeout(5):  # behind the one that waits, which gives up
                await serving.write(add("b"))
            assert not step.done()
        assert await step == [COLUMN]
    assert await serving.read(ids) == ["a", "b"]


@pytest.mark.usefixtures("serving")
async def test_a_step_whose_table_stays_in_use_is_given_up_with_what_to_do(
    url: str, statements: Statements, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_schema, "_TRIES", 1)
    monkeypatch.setattr(postgres_schema, "_PAUSE_S", 0)
    node = PostgresDatabase(url, statements, (SCHEMA, COLUMN))
    async with connected(url) as backup, backup.transaction():
        await backup.execute("LOCK TABLE notes IN ACCESS SHARE MODE")
        with pytest.raises(Unavailable, match="step 0002 of the schema waits for a table"):
            await node.start()
    await node.start()  # nothing of it was kept, the lock on the schema neither
    await node.close()
