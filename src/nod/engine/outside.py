"""What other processes change in a SQLite file, such as `nod agents remove` beside the server.

They give no hint, so once a second the file is asked whether anybody else has committed anything:
one number, whatever is stored. Where there is a bus (`nod.bus`), they are heard on it.
"""

from collections.abc import Callable

from nod.clock import Clock
from nod.domain.instant import SECOND, Instant
from nod.store.sqlite import SqliteDatabase

EVERY: Instant = SECOND


class Outside:
    """Calls `changed` when another process has changed something."""

    def __init__(self, database: SqliteDatabase, clock: Clock, changed: Callable[[], None]) -> None:
        self._database = database
        self._clock = clock
        self._changed = changed
        self._known: int | None = None

    async def look(self) -> Instant:
        """Ask once; return when to ask again."""
        before, self._known = self._known, await self._database.version()
        if before is not None and before != self._known:
            self._changed()
        return self._clock.now() + EVERY
