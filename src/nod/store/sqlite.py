"""The embedded database: one SQLite file, one writer thread, a few readers."""

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from nod.clock import Clock, SystemClock
from nod.domain.errors import Unavailable
from nod.store.file_lock import lock_database
from nod.store.migrate import Migration, migrate, pending
from nod.store.port import Connection, T, Work
from nod.store.sqlite_connection import SqliteConnection, open_reader, open_writer, translate
from nod.store.sqlite_threads import BatchLimits, Queue, Reader, Unit, Writer
from nod.store.statements import Statements

_NEEDED = (3, 35, 0)  # RETURNING
_BATCH = BatchLimits()


class SqliteDatabase:
    """A `port.Database` in one file, created if it is not there.

    The server takes the file for itself alone. `exclusive=False` is for commands that run for a
    moment beside it.
    """

    def __init__(
        self,
        path: Path,
        statements: Statements,
        migrations: Sequence[Migration],
        *,
        exclusive: bool = True,
        readers: int = 3,
        busy_timeout_s: float = 5.0,
        batch: BatchLimits = _BATCH,
        clock: Clock | None = None,
    ) -> None:
        self._path = path
        self._statements = statements
        self._migrations = migrations
        self._exclusive = exclusive
        self._readers = readers
        self._busy_timeout_s = busy_timeout_s
        self._batch = batch
        self._clock = clock or SystemClock()
        self._resources = ExitStack()
        self._threads: list[Reader | Writer] = []
        self._writes: Queue = Queue()
        self._reads: Queue = Queue()
        self._open = False

    async def start(self) -> None:
        """Open the file and bring its schema up to date. Raises Unavailable with the reason."""
        loop = asyncio.get_running_loop()
        writer, readers = await asyncio.to_thread(self._open_all)
        self._threads = [Writer(writer, self._writes, loop, self._clock, self._batch)]
        self._threads += [
            Reader(f"nod-reader-{number}", reader, self._reads, loop)
            for number, reader in enumerate(readers, start=1)
        ]
        for thread in self._threads:
            thread.start()
        self._open = True

    async def close(self) -> None:
        """Finish the units that were handed in, bring the log into the file, and close."""
        if not self._open:
            return
        self._open = False
        self._writes.put(None)
        for _ in range(self._readers):
            self._reads.put(None)
        await asyncio.to_thread(self._close_all)

    async def write(self, work: Work[T], committed: Callable[[T], None] | None = None) -> T:
        """See `port.Database.write`."""
        return await self._hand_over(self._writes, work, committed)

    async def read(self, work: Work[T]) -> T:
        """See `port.Database.read`."""
        return await self._hand_over(self._reads, work, None)

    async def version(self) -> int:
        """A number that is another whenever another process has changed the file.

        What this process writes does not change it. Raises Unavailable as `write` does.
        """
        # The writer's connection is asked, for to any other the writer is somebody else.
        return await self._hand_over(self._writes, _data_version, None)

    def _hand_over(
        self, queue: Queue, work: Work[T], committed: Callable[[T], None] | None
    ) -> "asyncio.Future[T]":
        if not self._open:
            raise Unavailable("Nod is shutting down or not started yet: try again in a moment")
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        queue.put(Unit(work, future, committed))
        return future

    def _open_all(self) -> tuple[SqliteConnection, list[SqliteConnection]]:
        if sqlite3.sqlite_version_info < _NEEDED:
            raise Unavailable(
                f"Nod needs SQLite 3.35 or newer; this Python has {sqlite3.sqlite_version}"
            )
        with ExitStack() as opened:
            try:
                self._prepare_file(opened)
                writer = self._open_writer(opened)
                readers = [self._open_reader(opened) for _ in range(self._readers)]
            except (sqlite3.Error, OSError) as error:
                raise Unavailable(f"cannot open {self._path}: {translate(error)}") from error
            self._resources = opened.pop_all()
        return self._wrap(writer), [self._wrap(reader) for reader in readers]

    def _prepare_file(self, opened: ExitStack) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._exclusive:
            opened.callback(lock_database(self._path).release)
        # It holds what people wrote: nobody else on the machine may read it, nor the log beside it.
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))

    def _open_writer(self, opened: ExitStack) -> sqlite3.Connection:
        writer = open_writer(self._path, self._busy_timeout_s)
        opened.callback(_close_writer, writer)
        if pending(writer, self._migrations):
            with ExitStack() as locked:
                if not self._exclusive:  # a running server must not lose its schema under its feet
                    locked.callback(lock_database(self._path).release)
                migrate(writer, self._migrations, self._clock.now())
        return writer

    def _open_reader(self, opened: ExitStack) -> sqlite3.Connection:
        reader = open_reader(self._path, self._busy_timeout_s)
        opened.callback(reader.close)
        return reader

    def _wrap(self, connection: sqlite3.Connection) -> SqliteConnection:
        return SqliteConnection(connection, self._statements)

    def _close_all(self) -> None:
        for thread in self._threads:
            thread.join()
        self._resources.close()


async def _data_version(connection: Connection) -> int:
    found = await connection.one("data_version")
    return 0 if found is None else int(found[0])


def _close_writer(writer: sqlite3.Connection) -> None:
    # A full disk may forbid it. The log stays then, and the next start reads it.
    with contextlib.suppress(sqlite3.Error):
        writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    writer.close()
