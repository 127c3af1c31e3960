"""The embedded database when things break: kill -9, a full disk, a lock, a damaged file.

Run as a program, this file is the process that gets killed or runs out of disk.
"""

import asyncio
import contextlib
import itertools
import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from nod.domain.errors import Unavailable
from nod.store.migrate import Migration
from nod.store.port import Connection, Work
from nod.store.sqlite import SqliteDatabase
from nod.store.statements import load_statements

SCHEMA = Migration(
    1,
    "runs",
    "CREATE TABLE runs (id TEXT PRIMARY KEY);"
    "CREATE TABLE events (run_id TEXT NOT NULL REFERENCES runs (id), body TEXT NOT NULL);",
)
SQL = """
-- name: add_run
INSERT INTO runs (id) VALUES (:id);
-- name: add_event
INSERT INTO events (run_id, body) VALUES (:run_id, :body);
-- name: runs
SELECT id FROM runs ORDER BY id;
-- name: events
SELECT run_id FROM events ORDER BY run_id;
-- name: bodies
SELECT sum(length(body)) FROM events;
-- name: few_pages
PRAGMA max_page_count = 20;
-- name: many_pages
PRAGMA max_page_count = 1000000;
"""
FULL = "the disk is full: nothing was stored; free some space, Nod goes on by itself"
LARGE = "x" * 200_000
ENORMOUS = "x" * 100_000_000


def fill(run_id: str, body: str = "hello") -> Work[str]:
    """A unit of two statements, as every fire is: a run and its event."""

    async def unit(connection: Connection) -> str:
        await connection.run("add_run", id=run_id)
        await connection.run("add_event", run_id=run_id, body=body)
        return run_id

    return unit


def command(statement: str) -> Work[None]:
    async def unit(connection: Connection) -> None:
        await connection.all(statement)

    return unit


async def stored(connection: Connection) -> tuple[list[str], list[str]]:
    """The runs, and the runs that have an event."""
    runs, events = await connection.all("runs"), await connection.all("events")
    return [run for (run,) in runs], [run for (run,) in events]


@contextlib.asynccontextmanager
async def opened(directory: Path, busy_timeout_s: float = 5.0) -> AsyncIterator[SqliteDatabase]:
    statements = write_statements(directory)
    database = SqliteDatabase(
        directory / "nod.db",
        load_statements(statements, "sqlite", {}),
        (SCHEMA,),
        busy_timeout_s=busy_timeout_s,
    )
    await database.start()
    try:
        yield database
    finally:
        await database.close()


def write_statements(directory: Path) -> Path:
    statements = directory / "statements"
    statements.mkdir(exist_ok=True)
    (statements / "runs.sql").write_text(SQL)
    return statements


async def together(database: SqliteDatabase, *units: Work[str]) -> list[str | BaseException]:
    return await asyncio.gather(*(database.write(unit) for unit in units), return_exceptions=True)


def reasons(results: list[str | BaseException]) -> set[str]:
    """Why they failed; a result that is no failure stands as itself."""
    return {result.detail if isinstance(result, Unavailable) else str(result) for result in results}


# kill -9


@contextlib.contextmanager
def child(role: str, directory: Path) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, __file__, role, str(directory)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


async def write_until_killed(directory: Path) -> None:
    """Write from many tasks at once; say each id when, and only when, its write has returned."""
    async with opened(directory) as database:
        start = len((await database.read(stored))[0])
        numbers = itertools.count(start)

        async def writer() -> None:
            for number in numbers:
                run_id = await database.write(fill(f"run_{number:09}"))
                os.write(1, f"{run_id}\n".encode())

        await asyncio.gather(*(writer() for _ in range(50)))


async def test_after_kill_9_every_acknowledged_write_is_there_and_none_is_half(
    tmp_path: Path,
) -> None:
    acknowledged: set[str] = set()
    for round_ in range(3):
        acknowledged |= await asyncio.to_thread(killed_after, 300 * (round_ + 1), tmp_path)
        async with opened(tmp_path) as database:
            runs, events = await database.read(stored)
        assert acknowledged <= set(runs)
        assert runs == events
    assert integrity(tmp_path) == "ok"


def killed_after(lines: int, directory: Path) -> set[str]:
    """The ids a child said before it was killed, at least `lines`."""
    with child("write", directory) as process:
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(lines)]
        process.send_signal(signal.SIGKILL)
        said += process.stdout.readlines()
    assert process.returncode == -signal.SIGKILL
    return {line.strip() for line in said if line.endswith("\n")}


def integrity(directory: Path) -> str:
    with contextlib.closing(sqlite3.connect(directory / "nod.db")) as connection:
        return str(connection.execute("PRAGMA integrity_check").fetchone()[0])


# a full disk


async def test_a_full_disk_fails_what_does_not_fit_and_nothing_else(tmp_path: Path) -> None:
    async with opened(tmp_path) as database:
        await database.write(fill("before"))
        await database.write(command("few_pages"))
        results = await together(
            database, fill("small"), fill("large", LARGE), fill("other", LARGE)
        )
        assert reasons(results[1:]) == {FULL}
        survivors = [result for result in results if isinstance(result, str)]
        runs, events = await database.read(stored)
        assert runs == events == sorted(["before", *survivors])


async def test_nod_goes_on_by_itself_once_the_disk_has_space(tmp_path: Path) -> None:
    async with opened(tmp_path) as database:
        await database.write(command("few_pages"))
        with pytest.raises(Unavailable) as full:
            await database.write(fill("large", LARGE))
        assert full.value.detail == FULL
        await database.write(command("many_pages"))
        assert await database.write(fill("large", LARGE)) == "large"
        assert await database.read(stored) == (["large"], ["large"])


async def write_with_little_space(directory: Path) -> None:
    """Let the kernel refuse to make any file longer than the log is now, then allow it again."""
    async with opened(directory) as database:
        await database.write(fill("before"))
        limit = log_bytes(directory)
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
        refused = {
            "alone": await together(database, fill("alone")),
            "batch": await together(database, *(fill(f"batch{number}") for number in range(20))),
            # More than the cache holds, so the disk refuses already before the commit.
            "large": await together(database, fill("small"), fill("large", ENORMOUS)),
        }
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        kept = await database.read(stored)
        after = await together(database, fill("after1"), fill("after2"))
    said = {name: sorted(reasons(results)) for name, results in refused.items()}
    sys.stdout.write(json.dumps(said | {"kept": kept, "after": after}))


def log_bytes(directory: Path) -> int:
    return (directory / "nod.db-wal").stat().st_size


async def test_a_write_the_disk_refuses_fails_its_whole_batch_and_the_next_one_works(
    tmp_path: Path,
) -> None:
    refused = ["the disk reports an error: nothing was stored; look into the system's log"]
    assert json.loads(await asyncio.to_thread(all_it_says, "little-space", tmp_path)) == {
        "alone": refused,
        "batch": refused,
        "large": refused,
        "kept": [["before"], ["before"]],
        "after": ["after1", "after2"],
    }
    assert integrity(tmp_path) == "ok"


def all_it_says(role: str, directory: Path) -> str:
    with child(role, directory) as process:
        out, _ = process.communicate()
    assert process.returncode == 0, out
    return out


# a lock


def keep_locked(directory: Path) -> None:
    """Hold the write lock until a line comes in."""
    with contextlib.closing(sqlite3.connect(directory / "nod.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        os.write(1, b"locked\n")
        sys.stdin.readline()


async def test_a_database_another_program_locks_is_unavailable_until_it_lets_go(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path, busy_timeout_s=0.05) as database:
        await database.write(fill("before"))
        with child("lock", tmp_path) as process:
            assert await asyncio.to_thread(next_line, process) == "locked\n"
            results = await together(database, fill("a"), fill("b"), fill("c"))
            assert await database.read(stored) == (["before"], ["before"])
            await asyncio.to_thread(process.communicate, "go\n")
        assert reasons(results) == {
            "another program keeps the database locked: nothing was stored; end it or try again"
        }
        assert await together(database, fill("x"), fill("y")) == ["x", "y"]


def next_line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline()


async def test_a_lock_shorter_than_the_patience_is_only_waited_for(tmp_path: Path) -> None:
    async with opened(tmp_path) as database:
        with child("lock", tmp_path) as process:
            assert await asyncio.to_thread(next_line, process) == "locked\n"
            writing = asyncio.create_task(database.write(fill("a")))
            assert await database.read(stored) == ([], [])
            assert not writing.done()
            await asyncio.to_thread(process.communicate, "go\n")
            assert await writing == "a"


# a damaged file


async def test_damage_that_shows_while_running_is_named_and_nothing_is_stored(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as database:
        await database.write(fill("before"))
    damage(tmp_path / "nod.db", "runs")
    async with opened(tmp_path) as database:
        for work in (database.read(stored), database.write(fill("after"))):
            with pytest.raises(Unavailable, match="the database file is damaged: nothing was sto"):
                await work


async def test_a_file_whose_history_is_damaged_does_not_open(tmp_path: Path) -> None:
    async with opened(tmp_path):
        pass
    damage(tmp_path / "nod.db", "schema_versions")
    with pytest.raises(Unavailable, match=r"cannot open .*nod\.db: the database file is damaged"):
        async with opened(tmp_path):
            pass


def damage(path: Path, table: str) -> None:
    """Write over the first page of a table and of its indexes."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        (size,) = connection.execute("PRAGMA page_size").fetchone()
        pages = "SELECT rootpage FROM sqlite_master WHERE tbl_name = ?"
        roots = [page for (page,) in connection.execute(pages, [table])]
    with path.open("r+b") as file:
        for page in roots:
            file.seek((page - 1) * size)
            file.write(b"\xa5" * size)


if __name__ == "__main__":
    role, place = sys.argv[1], Path(sys.argv[2])
    if role == "lock":
        keep_locked(place)
    else:
        asyncio.run((write_until_killed if role == "write" else write_with_little_space)(place))
