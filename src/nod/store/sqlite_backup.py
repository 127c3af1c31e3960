"""Copies of the embedded database: taken beside whoever uses it, checked, put in its place.

A copy is one snapshot. Its reader stays in one transaction from the first page to the last, so that
writers in between neither get into it nor make it begin anew, as SQLite's backup otherwise does.
"""

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

from nod.domain.errors import Unavailable
from nod.store.migrate import is_of, load_migrations
from nod.store.sqlite_connection import open_reader, open_writer

Progress = Callable[[int, int], None]
"""Gets how many pages are copied, and of how many."""

_STEP_PAGES = 1024
_BUSY_TIMEOUT_S = 5.0
_BESIDE = ("-wal", "-shm")  # what SQLite keeps beside a file

_CAUSES = {
    sqlite3.SQLITE_FULL: "the disk it goes to is full",
    sqlite3.SQLITE_IOERR: "the disk reports an error, or may not hold a file of this size",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; check its permissions",
    sqlite3.SQLITE_CORRUPT: "it is damaged",
    sqlite3.SQLITE_NOTADB: "it is not a database of Nod",
}


def copy_database(source: Path, target: Path, progress: Progress) -> None:
    """Write the database in `source`, as it is now, to the new file `target`, whole in one file.

    Raises Unavailable with the reason, also when there is no room for it.
    """
    os.close(os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        with (
            contextlib.closing(open_reader(source, _BUSY_TIMEOUT_S)) as reader,
            contextlib.closing(sqlite3.connect(target, isolation_level=None)) as writer,
        ):
            begin_snapshot(reader)
            _check_room(reader, target)
            writer.execute("PRAGMA synchronous = OFF")  # it is brought to the disk at the end
            reader.backup(
                writer,
                pages=_STEP_PAGES,
                progress=lambda _, left, pages: progress(pages - left, pages),
            )
            # So that it can be read from where nothing can be written beside it.
            writer.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.Error as error:
        raise Unavailable(f"cannot copy {source}: {cause(error)}") from error
    sync(target)


def check_copy(copy: Path, source: Path) -> None:
    """Read all of a copy. Raises Unavailable unless `source` was whole and a database of Nod."""
    try:
        with contextlib.closing(sqlite3.connect(copy)) as connection:
            (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
            ours = is_of(connection, load_migrations(files("nod.store") / "migrations"))
    except sqlite3.Error as error:
        raise Unavailable(f"cannot use {source}: {cause(error)}") from error
    if found != "ok":
        raise Unavailable(f"{source} is damaged: {found}")
    if not ours:
        raise Unavailable(f"{source} is not a database of Nod")


def put_in_place(copy: Path, path: Path, aside: Path) -> bool:
    """Make `copy` the database `path`, whose former one goes to `aside`. False: there was none.

    The caller holds the database's lock. Whenever this is cut off, `path` is one or the other.
    """
    _bring_log_in(path)
    for end in _BESIDE:
        # Of a log that could not be brought in; it must not be taken for the copy's.
        with contextlib.suppress(FileNotFoundError):
            _with_end(path, end).replace(_with_end(aside, end))
    was_there = path.exists()
    if was_there:
        aside.hardlink_to(path)
    copy.replace(path)
    sync(path.parent)
    return was_there


def sync(path: Path) -> None:
    """Return when a file, or which names a directory has, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def begin_snapshot(reader: sqlite3.Connection) -> None:
    """From here on the reader sees the database as it is now."""
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM sqlite_master").fetchone()


def _check_room(reader: sqlite3.Connection, target: Path) -> None:
    (pages,) = reader.execute("PRAGMA page_count").fetchone()
    (size,) = reader.execute("PRAGMA page_size").fetchone()
    free = shutil.disk_usage(target.parent).free
    if pages * size > free:
        raise Unavailable(
            f"the copy needs {pages * size} bytes, and {target.parent} has {free}; make some room"
        )


def _bring_log_in(path: Path) -> None:
    """What stands in the log only is brought into the file, if it is one that can be opened."""
    if not path.exists():
        return
    with contextlib.suppress(sqlite3.Error, Unavailable):
        writer = open_writer(path, _BUSY_TIMEOUT_S)
        try:
            writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            writer.close()


def _with_end(path: Path, end: str) -> Path:
    return path.with_name(path.name + end)


def cause(error: sqlite3.Error) -> str:
    """What SQLite's error says of the file it was about."""
    return _CAUSES.get(getattr(error, "sqlite_errorcode", 0) & 0xFF, str(error))
