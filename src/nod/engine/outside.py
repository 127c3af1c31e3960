"""What other processes change in the database, such as `nod agents remove` beside the server.

They give no hint, so once a second the database is asked whether anybody else has committed
anything: one number, whatever is stored.
"""

from collections.abc import Callable

from nod.clock import Clock
from nod.domain.instant import SECOND, Instant
from nod.store.store import Store

EVERY: Instant = SECOND


class Outside:
    """Calls `changed` when another process has changed something."""

    def __init__(self, store: Store, clock: Clock, changed: Callable[[], None]) -> None:
        self._store = store
        self._clock = clock
        self._changed = changed
        self._known: int | None = None

    async def look(self) -> Instant:
        """Ask once; return when to ask again."""
        before, self._known = self._known, await self._store.version()
        if before is not None and before != self._known:
            self._changed()
        return self._clock.now() + EVERY
