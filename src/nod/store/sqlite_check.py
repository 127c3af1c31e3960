"""A look at the embedded database's file, from beside whoever uses it. Nothing is changed."""

import contextlib
import sqlite3
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from nod.domain.errors import Unavailable
from nod.store.file_lock import FileLock
from nod.store.migrate import Progress, is_of, lacking, load_migrations, progress
from nod.store.sqlite_connection import open_reader, translate

_BUSY_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class FileState:
    """What the file is like."""

    schema: int
    lacking: int  # steps of the schema that the next start takes
    is_ours: bool
    problem: str | None  # what SQLite finds wrong in it


def in_use(path: Path) -> bool:
    """Whether a server has the database."""
    lock = path.with_name(path.name + ".lock")
    if not lock.exists():
        return False
    try:
        FileLock(lock).release()
    except BlockingIOError:
        return True
    return False


def examine(path: Path) -> FileState:
    """Read all of the file. Raises Unavailable when it cannot be opened, or is of a Nod too new."""
    migrations = load_migrations(files("nod.store") / "migrations")
    try:
        with contextlib.closing(open_reader(path, _BUSY_TIMEOUT_S)) as reader:
            (found,) = reader.execute("PRAGMA quick_check(1)").fetchone()
            ours = is_of(reader, migrations)
            come = progress(reader) if ours else Progress(0, 0)
    except sqlite3.Error as error:
        raise Unavailable(str(translate(error))) from error
    missing = len(lacking(come, migrations))
    return FileState(come.version, missing, ours, None if found == "ok" else found)


def check_writable(path: Path) -> None:
    """Begin to write, and leave it at that. Raises Unavailable if that is not possible."""
    try:
        with contextlib.closing(
            sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=rw",
                uri=True,
                timeout=_BUSY_TIMEOUT_S,
                isolation_level=None,
            )
        ) as writer:
            writer.execute("BEGIN IMMEDIATE")
            writer.execute("ROLLBACK")
    except sqlite3.Error as error:
        raise Unavailable(str(translate(error))) from error
