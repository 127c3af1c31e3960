"""Opening the file: what is created, and what is refused with a reason."""

import contextlib
import sqlite3
from pathlib import Path

import pytest

from nod.domain.errors import Unavailable
from nod.store.migrate import Migration
from nod.store.port import Connection
from nod.store.sqlite import SqliteDatabase

FIRST = Migration(1, "first", "CREATE TABLE notes (id TEXT PRIMARY KEY);")
SECOND = Migration(2, "second", "CREATE TABLE more (id TEXT PRIMARY KEY);")


def database(
    path: Path, *migrations: Migration, exclusive: bool = True, busy_timeout_s: float = 5.0
) -> SqliteDatabase:
    return SqliteDatabase(path, {}, migrations, exclusive=exclusive, busy_timeout_s=busy_timeout_s)


async def refusal(refused: SqliteDatabase) -> str:
    with pytest.raises(Unavailable) as error:
        await refused.start()
    return error.value.detail


def open_to_others(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir() if path.stat().st_mode & 0o077]


async def nothing(connection: Connection) -> None:
    """A unit that does nothing."""


async def test_a_new_file_is_made_with_its_directory_and_schema(tmp_path: Path) -> None:
    path = tmp_path / "data" / "nod" / "nod.db"
    opened = database(path, FIRST)
    await opened.start()
    await opened.close()
    with contextlib.closing(sqlite3.connect(path)) as file:
        assert file.execute("SELECT count(*) FROM notes").fetchone() == (0,)


async def test_nobody_else_on_the_machine_can_read_the_files(tmp_path: Path) -> None:
    opened = database(tmp_path / "nod.db", FIRST)
    await opened.start()
    assert open_to_others(tmp_path) == []
    await opened.close()


async def test_a_second_server_on_the_same_file_is_refused(tmp_path: Path) -> None:
    first, second = database(tmp_path / "nod.db", FIRST), database(tmp_path / "nod.db", FIRST)
    await first.start()
    assert (await refusal(second)).startswith(f"another Nod is using {tmp_path / 'nod.db'}")
    await first.close()
    await second.start()
    await second.close()


async def test_a_command_can_work_beside_the_server(tmp_path: Path) -> None:
    server = database(tmp_path / "nod.db", FIRST)
    await server.start()
    command = database(tmp_path / "nod.db", FIRST, exclusive=False)
    await command.start()
    await command.write(nothing)
    await command.close()
    await server.write(nothing)
    await server.close()


async def test_a_newer_command_does_not_change_the_schema_of_a_running_server(
    tmp_path: Path,
) -> None:
    server = database(tmp_path / "nod.db", FIRST)
    await server.start()
    command = database(tmp_path / "nod.db", FIRST, SECOND, exclusive=False)
    assert "another Nod is using" in await refusal(command)
    await server.close()
    await command.start()
    await command.close()


async def test_a_database_of_a_newer_nod_is_refused_with_what_to_do(tmp_path: Path) -> None:
    newer = database(tmp_path / "nod.db", FIRST, SECOND)
    await newer.start()
    await newer.close()
    assert await refusal(database(tmp_path / "nod.db", FIRST)) == (
        "this database was made by a newer Nod (schema 2, this one knows 1);"
        " install that version or newer"
    )


async def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "nod.db"
    path.write_text("Dear diary, " * 1000)
    detail = await refusal(database(path, FIRST))
    assert detail.startswith(f"cannot open {path}: the file is not a database")
    assert path.read_text() == "Dear diary, " * 1000


async def test_a_failing_schema_change_says_what_failed_and_frees_the_file(tmp_path: Path) -> None:
    broken = Migration(2, "broken", "CREATE TABLE notes (id TEXT);")
    detail = await refusal(database(tmp_path / "nod.db", FIRST, broken))
    assert "table notes already exists" in detail
    opened = database(tmp_path / "nod.db", FIRST, SECOND)
    await opened.start()
    await opened.close()


async def test_a_directory_that_cannot_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    detail = await refusal(database(tmp_path / "file" / "nod.db", FIRST))
    assert "cannot open" in detail
    assert str(tmp_path / "file") in detail


async def test_a_file_that_another_program_keeps_locked_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "nod.db"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    detail = await refusal(database(path, FIRST, busy_timeout_s=0.01))
    assert "another program keeps the database locked" in detail
    other.close()


async def test_a_sqlite_that_is_too_old_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 34, 1))
    assert "needs SQLite 3.35 or newer" in await refusal(database(tmp_path / "nod.db", FIRST))
