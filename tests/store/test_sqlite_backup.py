"""A copy of the database is one moment of it, and takes its place in one step."""

import contextlib
import shutil
import sqlite3
from importlib.resources import files
from pathlib import Path

import pytest

from nod.domain.errors import Unavailable
from nod.store.migrate import load_migrations, migrate
from nod.store.sqlite_backup import check_copy, copy_database, put_in_place
from nod.store.sqlite_connection import open_writer


def no_progress(_done: int, _pages: int) -> None:
    """Nobody looks."""


def new_database(path: Path) -> sqlite3.Connection:
    """Nod's schema with a table of notes beside it, open for writing."""
    path.touch()
    writer = open_writer(path, 5)
    migrate(writer, load_migrations(files("nod.store") / "migrations"), 0)
    writer.execute("CREATE TABLE notes (text TEXT NOT NULL)")
    return writer


def fill(writer: sqlite3.Connection, rows: int, text: str = "x" * 4000) -> None:
    writer.execute("BEGIN")
    writer.executemany("INSERT INTO notes VALUES (?)", [(text,)] * rows)
    writer.execute("COMMIT")


def notes(path: Path) -> int:
    with contextlib.closing(sqlite3.connect(path)) as file:
        return int(file.execute("SELECT count(*) FROM notes").fetchone()[0])


def test_what_is_written_while_it_is_copied_neither_gets_in_nor_makes_it_begin_anew(
    tmp_path: Path,
) -> None:
    writer = new_database(tmp_path / "nod.db")
    fill(writer, 4_000)
    steps: list[int] = []

    def meanwhile(done: int, _: int) -> None:
        steps.append(done)
        fill(writer, 10)

    copy_database(tmp_path / "nod.db", tmp_path / "copy", meanwhile)
    writer.close()

    assert len(steps) > 2
    assert steps == sorted(steps)
    assert notes(tmp_path / "copy") == 4_000
    assert notes(tmp_path / "nod.db") > 4_000
    check_copy(tmp_path / "copy", tmp_path / "nod.db")


def test_a_copy_is_one_file_that_only_its_owner_can_read(tmp_path: Path) -> None:
    writer = new_database(tmp_path / "nod.db")
    folder = tmp_path / "there"
    folder.mkdir()
    copy_database(tmp_path / "nod.db", folder / "copy", no_progress)
    writer.close()
    with contextlib.closing(sqlite3.connect(folder / "copy")) as file:
        assert file.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        file.execute("SELECT count(*) FROM notes")
        assert [each.name for each in folder.iterdir()] == ["copy"]
    assert (folder / "copy").stat().st_mode & 0o777 == 0o600


def test_a_copy_for_which_there_is_no_room_is_not_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_database(tmp_path / "nod.db").close()
    usage = shutil.disk_usage(tmp_path)._replace(free=100)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(Unavailable, match=r"needs \d+ bytes, and .* has 100; make some room"):
        copy_database(tmp_path / "nod.db", tmp_path / "copy", no_progress)


def test_what_is_no_database_is_not_copied(tmp_path: Path) -> None:
    (tmp_path / "diary").write_text("Dear diary, " * 1000)
    with pytest.raises(Unavailable, match="diary: it is not a database of Nod"):
        copy_database(tmp_path / "diary", tmp_path / "copy", no_progress)


@pytest.mark.parametrize("sql", ["CREATE TABLE songs (id)", "SELECT 1"])
def test_another_programs_database_is_told_from_nods(tmp_path: Path, sql: str) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "songs")) as other:
        other.execute(sql)
    copy_database(tmp_path / "songs", tmp_path / "copy", no_progress)
    with pytest.raises(Unavailable, match="songs is not a database of Nod"):
        check_copy(tmp_path / "copy", tmp_path / "songs")


def test_a_database_of_another_program_with_the_same_table_is_told_from_nods(
    tmp_path: Path,
) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "songs")) as other, other:
        other.execute("CREATE TABLE schema_versions (version INTEGER, name TEXT)")
        other.execute("INSERT INTO schema_versions VALUES (1, 'songs')")
    with pytest.raises(Unavailable, match="songs is not a database of Nod"):
        check_copy(tmp_path / "songs", tmp_path / "songs")


def test_a_damaged_copy_is_told_by_what_is_wrong_with_it(tmp_path: Path) -> None:
    writer = new_database(tmp_path / "nod.db")
    fill(writer, 200)
    copy_database(tmp_path / "nod.db", tmp_path / "copy", no_progress)
    writer.close()
    size = (tmp_path / "copy").stat().st_size
    with (tmp_path / "copy").open("r+b") as file:
        file.seek(size // 2)
        file.write(b"\xff" * 20_000)
    with pytest.raises(Unavailable, match=r"nod\.db is damaged: "):
        check_copy(tmp_path / "copy", tmp_path / "nod.db")


def test_the_former_database_is_kept_with_all_that_was_in_its_log(tmp_path: Path) -> None:
    path, aside = tmp_path / "nod.db", tmp_path / "former.db"
    new_database(tmp_path / "copy").close()
    running = new_database(path)
    fill(running, 3)
    assert (tmp_path / "nod.db-wal").stat().st_size > 0

    assert put_in_place(tmp_path / "copy", path, aside)

    running.close()
    assert (notes(path), notes(aside)) == (0, 3)
    assert not (tmp_path / "nod.db-wal").exists()


def test_the_log_of_a_damaged_database_is_not_taken_for_the_copys(tmp_path: Path) -> None:
    path, aside = tmp_path / "nod.db", tmp_path / "former.db"
    new_database(tmp_path / "copy").close()
    path.write_bytes(b"not a database" * 1000)
    (tmp_path / "nod.db-wal").write_bytes(b"what is left of its log")
    assert put_in_place(tmp_path / "copy", path, aside)
    assert notes(path) == 0
    assert aside.read_bytes() == b"not a database" * 1000
    assert (tmp_path / "former.db-wal").read_bytes() == b"what is left of its log"


def test_where_there_was_no_database_none_is_kept(tmp_path: Path) -> None:
    new_database(tmp_path / "copy").close()
    assert not put_in_place(tmp_path / "copy", tmp_path / "nod.db", tmp_path / "former.db")
    assert [each.name for each in tmp_path.iterdir()] == ["nod.db"]
