"""The threads in which SQLite works: one writer with group commit, and readers.

The event loop hands over units of work; a thread runs a unit from beginning to end, so that a
statement costs no hop between threads. The writer takes every unit that waits into one transaction,
a savepoint each, and commits once: one wait for the disk makes all of them durable. Then one call
in the loop's thread gives each its result.

The threads wait in `queue.SimpleQueue.get`, which takes no time when nothing happens. None in the
queue ends a thread; the units before it are still done.
"""

import asyncio
import contextlib
import sqlite3
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, Generic

from nod.clock import Clock
from nod.domain.errors import Unavailable
from nod.store.port import Connection, SuspendedUnitError, T, Work
from nod.store.sqlite_connection import SqliteConnection, translate


def drive(work: Work[T], connection: Connection) -> T:
    """Run a unit in this thread, without an event loop; SuspendedUnitError if it needs one."""
    coroutine = work(connection)
    try:
        coroutine.send(None)
    except StopIteration as finished:
        result: T = finished.value
        return result
    except RuntimeError as error:
        # What asyncio says when `sleep`, a lock or a task looks for the loop it could wait in.
        if "no running event loop" not in str(error):
            raise
        raise _suspended(work) from error
    coroutine.close()
    raise _suspended(work)


def _suspended(work: Work[Any]) -> SuspendedUnitError:
    return SuspendedUnitError(
        f"the unit of work {work!r} awaited something other than its connection;"
        " await that before or after the unit"
    )


class Unit(Generic[T]):
    """A unit of work on its way: what to do, and how it ended."""

    def __init__(
        self,
        work: Work[T],
        future: "asyncio.Future[T]",
        committed: Callable[[T], None] | None = None,
    ) -> None:
        self.error: BaseException | None = None
        self._work = work
        self._future = future
        self._committed = committed
        self._results: list[T] = []

    def run(self, connection: SqliteConnection) -> None:
        """Do the work and keep its result or its error."""
        connection.failure = None
        try:
            self._results = [drive(self._work, connection)]
        except BaseException as error:  # noqa: BLE001 - whatever it is, it belongs to the caller
            self.error = error
        # An error the unit has swallowed: what it did is not whole, and its result is not true.
        self.error = self.error or connection.failure

    def settle(self, loop: asyncio.AbstractEventLoop) -> None:
        """Give the caller the outcome. Runs in the loop's thread."""
        if self.error is not None:
            if not self._future.done():
                self._future.set_exception(self.error)
            return
        (result,) = self._results
        if self._committed is not None:
            loop.call_soon(self._committed, result)
        if not self._future.done():
            self._future.set_result(result)


Queue = SimpleQueue[Unit[Any] | None]


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """How much the writer takes into one transaction before it makes the first units wait."""

    units: int = 500
    work_s: float = 0.02


class _Thread(threading.Thread, ABC):
    """Takes units from a queue until None comes."""

    def __init__(
        self, name: str, connection: SqliteConnection, queue: Queue, loop: asyncio.AbstractEventLoop
    ) -> None:
        # A daemon, so that a program that dies without `close` is not kept alive by it.
        super().__init__(name=name, daemon=True)
        self._connection = connection
        self._execute = connection.raw.execute
        self._queue = queue
        self._loop = loop

    def run(self) -> None:
        while (unit := self._queue.get()) is not None:
            self._take(unit)

    @abstractmethod
    def _take(self, unit: Unit[Any]) -> None:
        """Run the unit, settle it, and leave no transaction open."""

    def _rollback(self) -> None:
        if self._connection.raw.in_transaction:
            # Should even this fail, the next BEGIN fails too, and this is tried again after it.
            with contextlib.suppress(sqlite3.Error):
                self._execute("ROLLBACK")

    def _settle(self, units: Sequence[Unit[Any]]) -> None:
        # A loop that is closed has nobody left who waits.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(_settle_all, units, self._loop)


def _settle_all(units: Sequence[Unit[Any]], loop: asyncio.AbstractEventLoop) -> None:
    for unit in units:
        unit.settle(loop)


class Reader(_Thread):
    """Runs one unit at a time in a transaction that sees one snapshot."""

    def _take(self, unit: Unit[Any]) -> None:
        self._execute("BEGIN")
        unit.run(self._connection)
        self._rollback()
        self._settle([unit])


class Writer(_Thread):
    """Runs the units that wait in one transaction."""

    def __init__(
        self,
        connection: SqliteConnection,
        queue: Queue,
        loop: asyncio.AbstractEventLoop,
        clock: Clock,
        limits: BatchLimits,
    ) -> None:
        super().__init__("nod-writer", connection, queue, loop)
        self._clock = clock
        self._limits = limits

    def _take(self, unit: Unit[Any]) -> None:
        batch: list[Unit[Any]] = []
        try:
            self._transaction(unit, batch)
        except Exception as error:  # noqa: BLE001 - the writer outlives whatever ends a batch
            self._rollback()
            for lost in batch:
                lost.error = lost.error or _reason(error)
        self._settle(batch)

    def _transaction(self, first: Unit[Any], batch: list[Unit[Any]]) -> None:
        """Run `first` and what waits behind it, and commit. `batch` is what was taken so far."""
        alone = self._queue.empty()
        batch.append(first)
        self._begin(batch)
        if alone:
            first.run(self._connection)
        else:
            self._run_in_savepoint(first)
            for unit in self._waiting():
                batch.append(unit)
                self._run_in_savepoint(unit)
        if all(unit.error is not None for unit in batch):
            self._rollback()
        else:
            self._execute("COMMIT")

    def _begin(self, batch: list[Unit[Any]]) -> None:
        try:
            self._execute("BEGIN IMMEDIATE")
        except sqlite3.Error:
            # The others would wait for the same lock again, one after the other.
            batch.extend(self._waiting())
            raise

    def _waiting(self) -> Iterator[Unit[Any]]:
        """The units that wait in the queue right now, until the batch is large or took long."""
        end = self._clock.monotonic() + self._limits.work_s
        for _ in range(self._limits.units - 1):
            if self._queue.empty() or self._clock.monotonic() >= end:
                return
            unit = self._queue.get()
            if unit is None:
                self._queue.put(None)
                return
            yield unit

    def _run_in_savepoint(self, unit: Unit[Any]) -> None:
        self._execute("SAVEPOINT unit")
        unit.run(self._connection)
        if unit.error is not None:
            if not self._connection.raw.in_transaction:
                # SQLite itself rolls all back after some errors, a full disk among them.
                cause = str(self._connection.failure or "memory is used up: nothing was stored")
                raise Unavailable(cause) from unit.error
            self._execute("ROLLBACK TO unit")
        self._execute("RELEASE unit")


def _reason(error: Exception) -> Exception:
    """Why a batch was lost, a new object for each of its units, since raising writes into it."""
    known = translate(error)
    return Unavailable(known.detail) if isinstance(known, Unavailable) else known
