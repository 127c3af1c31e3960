"""What a worker has in hand, on disk: so that one that is killed loses nothing.

Each event is kept before the server is told that it has arrived, and dropped when it is done. Each
worker has a folder of its own and holds a lock in it; a lock that nobody holds is a dead worker's,
and what is in its folder is taken over by the next that starts on this machine.
"""

import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

from nod.client.inbox import identity
from nod.client.types import Event

State = Literal["waiting", "started", "parked", "done"]


@dataclass(frozen=True, slots=True)
class Entry:
    """An event and how far it has come.

    `waiting`: nothing has been done. `started`: a command has been started for it. `parked`: the
    run waits for a person, no command runs, and `report` has its usage so far. `done`: `report` is
    on its way to the server.
    """

    event: Event
    state: State = "waiting"
    report: dict[str, Any] = field(default_factory=dict)


class Journal:
    """One worker's entries by the identity of their event. Made by `open`.

    `folder` is the worker's own; what else lies in it is removed when it is taken over.
    """

    def __init__(self, folder: Path, lock: int) -> None:
        self.folder = folder
        self._lock = lock

    @classmethod
    def open(cls, home: Path) -> Self:
        """A new journal in `home`, with the entries of workers that are dead. Raises OSError."""
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = list(home.glob("*/lock"))
        folder = home / secrets.token_hex(8)
        folder.mkdir(mode=0o700)
        lock = _locked(folder / "lock")
        if lock is None:
            raise OSError(f"{folder} is in use")
        self = cls(folder, lock)
        for each in found:
            self._take_over(each)
        return self

    def close(self) -> None:
        """Lets go. The folder stays if something is still in hand."""
        if not any(self.folder.glob("*.json")):
            shutil.rmtree(self.folder, ignore_errors=True)
        os.close(self._lock)

    def keep(self, event: Event) -> None:
        """Keeps an event that has come, unless it is there already."""
        key = identity(event)
        if key is not None and self.entry(key) is None:
            self._write(key, Entry(event))

    def entry(self, key: str) -> Entry | None:
        """How far an event has come."""
        return _read(self._path(key))

    def mark(self, key: str, state: State, report: dict[str, Any] | None = None) -> None:
        """An event that is kept has come further."""
        if (known := self.entry(key)) is not None:
            self._write(key, Entry(known.event, state, report or {}))

    def drop(self, key: str) -> None:
        """An event is done with, and what was asked for it."""
        for path in (self._path(key), self._path(key).with_suffix(".asked")):
            path.unlink(missing_ok=True)

    def entries(self) -> Iterator[Entry]:
        """All entries, in the order in which they came."""
        for path in sorted(self.folder.glob("*.json"), key=lambda each: each.stat().st_mtime_ns):
            if (entry := _read(path)) is not None:
                yield entry

    def _path(self, key: str) -> Path:
        return self.folder / f"{plain(key)}.json"

    def _write(self, key: str, entry: Entry) -> None:
        write_private(self._path(key), json.dumps(asdict(entry)))

    def _take_over(self, lock_file: Path) -> None:
        lock = _locked(lock_file)
        if lock is None:
            return  # its worker lives
        try:
            for path in (*lock_file.parent.glob("*.json"), *lock_file.parent.glob("*.asked")):
                path.rename(self.folder / path.name)
            shutil.rmtree(lock_file.parent, ignore_errors=True)
        finally:
            os.close(lock)


def plain(name: str) -> str:
    """A name as that of a file: it is the server's word, and may not name a path."""
    return "".join(c for c in name if c.isalnum() or c in "_-")


def write_private(path: Path, text: str) -> None:
    """Puts a file for this user alone in place, whole or not at all, also through a power cut."""
    new = path.with_name(f".{path.name}.new")
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def _locked(path: Path) -> int | None:
    """The open lock file; None while another process holds it. It ends with the process."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except FileNotFoundError:
        return None  # taken over meanwhile
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle


def _read(path: Path) -> Entry | None:
    try:
        return Entry(**json.loads(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None
