"""PostgreSQL as Nod uses it: several writers at once, a server that goes away and comes back."""

import asyncio
import contextlib
import gc
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from asyncpg.pool import PoolConnectionHolder
from structlog.testing import capture_logs

from nod.config import load
from nod.domain.errors import InvalidInput, Unavailable
from nod.opening import open_database
from nod.store.commit_order import CommitOrder
from nod.store.migrate import Migration, load_migrations
from nod.store.port import Connection, UniqueViolation
from nod.store.postgres import PostgresDatabase
from nod.store.statements import Statements, load_statements
from support.notes import SCHEMA, SQL, add, ids
from support.postgres import connected, databases, own_server

SECOND = Migration(2, "second", "CREATE TABLE more (id TEXT PRIMARY KEY);")


@pytest.fixture
def statements(tmp_path: Path) -> Statements:
    (tmp_path / "notes.sql").write_text(SQL)
    return load_statements(tmp_path, "postgres", {"notes": "id, size, done"})


@pytest.fixture
async def url() -> AsyncIterator[str]:
    async with databases().bare() as made:
        yield made


@pytest.fixture
async def database(url: str, statements: Statements) -> AsyncIterator[PostgresDatabase]:
    async with opened(url, statements) as found:
        yield found


@contextlib.asynccontextmanager
async def opened(
    url: str, statements: Statements, *migrations: Migration, **options: Any
) -> AsyncIterator[PostgresDatabase]:
    found = PostgresDatabase(url, statements, migrations or (SCHEMA,), **options)
    await found.start()
    try:
        yield found
    finally:
        await found.close()


class Meeting:
    """Units that wait for each other in the middle; on this database they run at the same time."""

    def __init__(self, count: int = 2) -> None:
        self.all_here = asyncio.Barrier(count)

    def takes(self, *notes: str) -> Callable[[Connection], Any]:
        """A unit that keeps one note, and the next once everybody has one."""

        async def unit(connection: Connection) -> str:
            for place, note in enumerate(notes):
                await connection.one("hold", id=note)
                if place == 0 and not self.all_here.broken:
                    with contextlib.suppress(asyncio.BrokenBarrierError):
                        await self.all_here.wait()
                    await self.all_here.abort()  # whoever runs once more waits for nobody
            await connection.run("grow", by=1, least=0)
            return notes[0]

        return unit


async def sizes(connection: Connection) -> list[int]:
    found = [await connection.one("get", id=note) for note in await ids(connection)]
    return [row[1] for row in found if row is not None]


# several at once


async def test_of_two_units_that_wait_for_each_other_both_are_stored_one_after_the_other(
    database: PostgresDatabase,
) -> None:
    await database.write(add("a", "b"))
    meeting = Meeting()
    results = await asyncio.gather(
        database.write(meeting.takes("a", "b")), database.write(meeting.takes("b", "a"))
    )
    assert list(results) == ["a", "b"]
    assert await database.read(sizes) == [3, 3]


async def test_what_a_unit_reads_in_order_to_change_it_waits_for_whoever_has_it(
    database: PostgresDatabase,
) -> None:
    await database.write(add("a"))

    async def grow(connection: Connection) -> None:
        await connection.one("hold", id="a")
        row = await connection.one("get", id="a")
        assert row is not None
        await connection.run("set_size", id="a", size=row[1] + 1)

    await asyncio.gather(*(database.write(grow) for _ in range(30)))
    assert await database.read(sizes) == [31]


async def test_a_unit_runs_once_more_with_nothing_left_of_the_first_time(
    database: PostgresDatabase, url: str
) -> None:
    tries = 0

    async def unlucky(connection: Connection) -> str:
        nonlocal tries
        tries += 1
        await connection.run("add", id=f"try {tries}", size=1, done=False)
        if tries == 1:
            await end_all_connections(url)
        return (await ids(connection))[0]

    assert await database.write(unlucky) == "try 2"
    assert await database.read(ids) == ["try 2"]


async def test_results_are_handed_over_in_the_order_of_the_commits() -> None:
    order, told = CommitOrder(), list[str]()
    answers = {name: asyncio.Event() for name in "abc"}

    async def commit(name: str) -> None:
        with contextlib.suppress(LookupError):
            async with order.place():
                await answers[name].wait()
                if name == "b":
                    raise LookupError("its commit failed")
        told.append(name)

    tasks = [asyncio.create_task(commit(name)) for name in "abc"]
    for name in "cba":  # the answers come the other way round
        await asyncio.sleep(0)
        assert told == []
        answers[name].set()
    await asyncio.gather(*tasks)
    assert told == ["a", "b", "c"]


async def test_a_caller_that_goes_away_disturbs_nobody_and_its_unit_is_stored(
    database: PostgresDatabase,
) -> None:
    entered, go_on, told = asyncio.Event(), asyncio.Event(), asyncio.Queue[str]()

    async def slow(connection: Connection) -> str:
        entered.set()
        await go_on.wait()
        return await add("gone")(connection)

    calling = asyncio.create_task(database.write(slow, committed=told.put_nowait))
    await entered.wait()
    calling.cancel()
    go_on.set()
    assert await told.get() == "gone"
    assert calling.cancelled()
    assert await database.read(ids) == ["gone"]


async def test_a_read_sees_one_snapshot_and_waits_for_no_writer(database: PostgresDatabase) -> None:
    await database.write(add("a"))
    looked, go_on = asyncio.Event(), asyncio.Event()

    async def twice(connection: Connection) -> list[list[str]]:
        before = await ids(connection)
        looked.set()
        await go_on.wait()
        return [before, await ids(connection)]

    reading = asyncio.create_task(database.read(twice))
    await looked.wait()
    await database.write(add("b"))
    assert await database.read(ids) == ["a", "b"]
    go_on.set()
    assert await reading == [["a"], ["a"]]


async def test_a_read_cannot_write(database: PostgresDatabase) -> None:
    with pytest.raises(Unavailable, match="cannot be written"):
        await database.read(add("a"))
    assert await database.read(ids) == []


async def test_what_no_text_can_hold_is_the_callers_mistake(database: PostgresDatabase) -> None:
    with pytest.raises(InvalidInput, match="NUL"):
        await database.read(lambda connection: connection.one("hold", id="a\0"))
    with pytest.raises(InvalidInput, match="NUL"):
        await database.write(add("a\0"))
    assert await database.read(ids) == []


async def test_rows_are_copied_in_and_a_taken_key_is_told_all_the_same(
    database: PostgresDatabase,
) -> None:
    async def fill(connection: Connection, first: int = 0) -> None:
        await connection.many("add", [(f"n{n:04}", n, False) for n in range(first, 1000)])

    await database.write(fill)
    assert len(await database.read(ids)) == 1000
    with pytest.raises(UniqueViolation, match="n0500"):
        await database.write(lambda connection: fill(connection, 500))


async def test_there_are_never_more_connections_than_the_setting(url: str, tmp_path: Path) -> None:
    environ = {
        "NOD_DATABASE_URL": url,
        "NOD_DATA_DIR": str(tmp_path),
        "NOD_LIMIT_DATABASE_CONNECTIONS": "2",
    }
    database = open_database(load(environ, {}), exclusive=True)
    await database.start()
    running = most = 0

    async def unit(connection: Connection) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await connection.all("first_user")
        running -= 1

    await asyncio.gather(*(database.write(unit) for _ in range(20)))
    await database.close()
    assert most == 2


# a server that goes away


async def end_all_connections(url: str) -> None:
    async with connected(url) as connection:
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


async def test_connections_that_were_ended_are_made_anew(
    database: PostgresDatabase, url: str
) -> None:
    await asyncio.gather(*(database.write(add(f"n{number}")) for number in range(8)))
    await end_all_connections(url)
    assert len(await database.read(ids)) == 8
    await end_all_connections(url)
    await asyncio.gather(*(database.write(add(f"m{number}")) for number in range(8)))
    assert len(await database.read(ids)) == 16


async def test_a_commit_whose_answer_was_lost_is_not_run_again_and_says_so(
    database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = 0
    execute = asyncpg.Connection.execute

    async def lose_the_answer(self: Any, sql: str, *values: Any) -> Any:
        done = await execute(self, sql, *values)
        if sql == "COMMIT":
            raise ConnectionResetError("the answer got lost")
        return done

    async def unlucky(connection: Connection) -> None:
        nonlocal tries
        tries += 1
        await connection.run("add", id="a", size=1, done=False)

    with monkeypatch.context() as patched:
        patched.setattr(asyncpg.Connection, "execute", lose_the_answer)
        with pytest.raises(Unavailable, match="may be stored or not"):
            await database.write(unlucky)
    assert tries == 1
    assert await database.read(ids) == ["a"]


async def test_while_the_server_is_away_it_says_so_once_and_goes_on_when_it_is_back(
    statements: Statements,
) -> None:
    with own_server() as server:
        url = server.url("postgres")
        async with opened(url, statements, patience_s=0.2) as database:
            await database.write(add("a"))
            server.stop()
            with capture_logs() as lines:
                for _ in range(3):
                    with pytest.raises(Unavailable, match="nothing was stored; Nod goes on"):
                        await database.write(add("b"))
                server.start()
                assert await database.read(ids) == ["a"]
                await database.write(add("b"))
            assert [line["event"] for line in lines] == [
                "the database is away; Nod waits for it",
                "the database is back",
            ]


async def test_a_server_that_is_restarted_in_between_is_only_waited_for(
    statements: Statements,
) -> None:
    with own_server() as server:
        async with opened(server.url("postgres"), statements, patience_s=60) as database:
            await database.write(add("a"))
            server.stop("immediate")
            writing = asyncio.create_task(database.write(add("b")))
            await asyncio.to_thread(server.start)
            assert await writing == "b"
            assert await database.read(ids) == ["a", "b"]


async def test_a_server_that_has_become_a_replica_is_named_and_not_written(
    url: str, statements: Statements
) -> None:
    async with opened(url, statements, patience_s=0.2) as database:
        await database.write(add("a"))
        name = url.partition("?")[0].rpartition("/")[2]
        async with connected(url) as connection:
            # What a replica says to whoever connects.
            await connection.execute(
                f"ALTER DATABASE {name} SET default_transaction_read_only = on"
            )
        await end_all_connections(url)
        with pytest.raises(Unavailable, match="read-only replica"):
            await database.write(add("b"))


# the start


@pytest.mark.parametrize(
    ("pattern", "other", "words"),
    [
        (r"/postgres\b", "/nowhere_", "there is no such database"),
        (r"//[^@/]*@", "//nobody_@", "check user and password"),
        (
            r".*",
            "postgresql://nod@/postgres?host=/nowhere",
            "the connection to the database is lost",
        ),
        (r"$", "&bad_setting=1", "bad_setting"),
    ],
)
async def test_a_server_that_cannot_be_used_ends_the_start_with_the_reason(
    statements: Statements, pattern: str, other: str, words: str
) -> None:
    url = databases().url("postgres")
    if pattern == "$" and "?" not in url:
        url += "?"
    with pytest.raises(Exception, match=words):
        await PostgresDatabase(re.sub(pattern, other, url, count=1), statements, (SCHEMA,)).start()


async def test_two_nodes_that_start_at_once_apply_each_step_once(
    url: str, statements: Statements
) -> None:
    steps = tuple(
        Migration(number, "step", f"CREATE TABLE t{number} (id TEXT);") for number in range(1, 11)
    )
    nodes = [PostgresDatabase(url, statements, steps) for _ in range(3)]
    await asyncio.gather(*(node.start() for node in nodes))
    await asyncio.gather(*(node.close() for node in nodes))
    async with connected(url) as connection:
        found = await connection.fetch("SELECT version FROM schema_versions ORDER BY version")
    assert [version for (version,) in found] == list(range(1, 11))


async def test_a_newer_schema_is_refused_with_what_to_do(url: str, statements: Statements) -> None:
    async with opened(url, statements, SCHEMA, SECOND):
        pass
    with pytest.raises(Unavailable) as refused:
        await PostgresDatabase(url, statements, (SCHEMA,)).start()
    assert refused.value.detail == (
        "this database was made by a newer Nod (schema 2, this one knows 1);"
        " install that version or newer"
    )


async def test_a_step_that_fails_leaves_the_schema_as_it_was(
    url: str, statements: Statements
) -> None:
    broken = replace(SECOND, sql=SECOND.sql + "ALTER TABLE nothing ADD x TEXT;")
    with pytest.raises(Exception, match="nothing"):
        await PostgresDatabase(url, statements, (SCHEMA, broken)).start()
    async with opened(url, statements, SCHEMA, SECOND) as database:
        assert await database.read(ids) == []


def test_what_one_database_alone_has_stands_in_a_file_of_its_own(tmp_path: Path) -> None:
    for name in ("0001_first.sql", "0001_first.sqlite.sql", "0001_first.postgres.sql"):
        (tmp_path / name).write_text(f"-- additive\nSELECT '{name}';")
    (step,) = load_migrations(tmp_path, "postgres")
    assert re.findall(r"SELECT '(.+)';", step.sql) == ["0001_first.sql", "0001_first.postgres.sql"]


async def _broken(self: Any, **_: Any) -> None:
    self.terminate()
    raise BrokenPipeError(32, "Broken pipe")


async def test_a_connection_that_breaks_while_it_is_given_back_costs_its_unit_nothing(
    database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unit(connection: Connection) -> str:
        await connection.one("hold", id="a")
        # As when another unit has just found out that the server was restarted.
        await database._pool.expire()
        return "done"

    monkeypatch.setattr(asyncpg.Connection, "close", _broken)
    assert await database.write(unit) == "done"
    assert await database.write(unit) == "done"


async def test_a_connection_that_the_pool_has_back_already_costs_its_unit_nothing(
    database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = PoolConnectionHolder.release

    async def late(self: Any, timeout: float | None) -> None:
        # As when the connection is lost, and given up, in this moment.
        await release(self, timeout)
        await release(self, timeout)

    monkeypatch.setattr(PoolConnectionHolder, "release", late)
    await database.write(add("a"))
    assert await database.read(ids) == ["a"]


async def test_a_connection_of_before_that_is_gone_is_nobodys_error(
    database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    complaints: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, said: complaints.append(said))
    await database.write(add("a"))
    await database._pool.expire()
    monkeypatch.setattr(asyncpg.Connection, "close", _broken)
    assert await database.read(ids) == ["a"]
    gc.collect()  # an error that nobody has asked for is told when its task is thrown away
    assert complaints == []
