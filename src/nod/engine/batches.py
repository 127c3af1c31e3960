"""The one way in which a stage handles many things that are due: a batch in one transaction, and,
when that fails, one by one, so that the one at fault is found and set aside.
"""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, NamedTuple, TypeVar

import structlog

from nod.clock import Clock
from nod.domain.errors import Unavailable
from nod.domain.instant import Instant
from nod.engine.aside import Aside, Tell, reason
from nod.store.store import Store, Tx

_log = structlog.get_logger("nod.engine")

T = TypeVar("T")
_FIRST = 250

GiveUp = Callable[[Tx, str, str], Coroutine[Any, Any, None]]


class Item(NamedTuple, Generic[T]):
    """Something that is due: its id, since when it is, and itself."""

    id: str
    at: Instant
    thing: T


@dataclass(frozen=True, slots=True)
class Work(Generic[T]):
    """One kind of things that come due. `what` they are called in the log and the metrics.

    `due` gives at most so many of them, the longest due first; `handle` does with them what is to
    be done, after which they are not due any more. `give_up`, where there is one, gets the id and
    the reason of one that cannot be handled, and may end it for good.
    """

    what: str
    due: Callable[[Tx, int], Coroutine[Any, Any, list[Item[T]]]]
    handle: Callable[[Tx, list[T]], Coroutine[Any, Any, None]]
    batch: int
    give_up: GiveUp | None = None


class Batches(Generic[T]):
    """Does one kind of work."""

    def __init__(self, store: Store, work: Work[T], clock: Clock, tell: Tell) -> None:
        self.aside = Aside(work.what, clock, tell)
        self._store = store
        self._work = work
        self._taken: list[Item[T]] = []
        self._singly = 0  # how many of a batch that failed are still to be handled one by one

    async def work_off(self, batch_done: Callable[[bool], None] = lambda _full: None) -> None:
        """Handle everything due. Raises Unavailable when nothing can be stored now.

        1. Handle batch after batch, each up to twice as large as the one before: the first of a
           herd are on their way soon, the many after them cost fewer commits. `batch_done` hears
           of each whether it was full.
        2. When a batch fails, handle its things one by one.
        3. Set aside what fails by itself, and what is still due after it was handled.
        """
        handled: set[tuple[str, Instant]] = set()
        self._singly = 0
        size = min(_FIRST, self._work.batch)
        while await self._some(1 if self._singly else size):
            batch_done(len(self._taken) == size)
            size = min(2 * size, self._work.batch)
            await self._check(handled)

    async def _some(self, size: int) -> bool:
        """Handle at most so many; False when nothing is due."""
        self._taken = []
        try:
            await self._store.write(partial(self._handle, size, self.aside.waiting()))
        except Unavailable:
            raise
        except Exception as error:
            if not self._taken:
                raise
            if len(self._taken) > 1:
                _log.warning("a batch failed; handling it one by one", what=self._work.what)
                self._singly, self._taken = len(self._taken), []
                return True
            await self._set_aside(self._taken[0].id, error)
        self._singly = max(0, self._singly - 1)
        return bool(self._taken)

    async def _handle(self, size: int, waiting: set[str], tx: Tx) -> None:
        due = await self._work.due(tx, size + len(waiting))
        self._taken = [item for item in due if item.id not in waiting][:size]
        if self._taken:
            await self._work.handle(tx, [item.thing for item in self._taken])

    async def _check(self, handled: set[tuple[str, Instant]]) -> None:
        """Nothing comes due a second time for the same moment, or it would for ever."""
        for item in self._taken:
            if (item.id, item.at) in handled:
                await self._set_aside(item.id, RuntimeError("it is still due after being handled"))
            handled.add((item.id, item.at))

    async def _set_aside(self, id_: str, error: Exception) -> None:
        self.aside.put(id_, error)
        give_up = self._work.give_up
        if give_up is None:
            return
        try:
            await self._store.write(lambda tx: give_up(tx, id_, reason(error)))
        except Unavailable:
            raise
        except Exception:  # noqa: BLE001 - it stays aside, and is tried again
            _log.exception("it could not be given up either", what=self._work.what, id=id_)
        else:
            self.aside.forget(id_)
