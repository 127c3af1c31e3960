"""Where a server stands: its data directory, which the one after it gets when it has ended.

A server that was killed cannot tell the others on its database that it is gone. Whoever is started
next in its place can: the kernel gives away the lock of a process only once that has ended.
"""

import socket
from contextlib import suppress
from pathlib import Path

from nod.store.file_lock import FileLock


class Place:
    """The place, taken by making the object; of several servers in one directory one has it."""

    def __init__(self, folder: Path, node_id: str) -> None:
        self.former: str | None = None
        """The server that had the place before. It has ended."""
        self._lock: FileLock | None = None
        self._note = folder / "node"
        # A directory that cannot be written is no place, and the others notice by themselves.
        with suppress(OSError):
            self._lock = FileLock(folder / "node.lock")
            self._take(node_id)

    def _take(self, node_id: str) -> None:
        # A directory that was copied to another machine is another place.
        host = socket.gethostname()
        with suppress(FileNotFoundError, ValueError):
            where, former = self._note.read_text(encoding="utf-8").split()
            self.former = former if where == host else None
        self._note.write_text(f"{host} {node_id}\n", encoding="utf-8")

    def leave(self) -> None:
        """Let the next one have it."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None
