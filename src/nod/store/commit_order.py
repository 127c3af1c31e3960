"""The order in which results are handed over, where several transactions commit at the same time.

Whoever has seen what a transaction stored was told so by the database, and its own COMMIT goes out
later than that one's did. So results that are handed over in the order in which the COMMITs went
out are in an order that fits: nothing is told before what it rests on. The answers of the database
may come in any order, since each comes on a connection of its own.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class CommitOrder:
    """Lets those that have entered leave in the order in which they came."""

    def __init__(self) -> None:
        self._last: asyncio.Future[None] | None = None

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Around a COMMIT. The context is left once all that entered before have left it."""
        before, mine = self._last, asyncio.get_running_loop().create_future()
        self._last = mine
        try:
            yield
        finally:
            if before is not None:
                await asyncio.shield(before)
            mine.set_result(None)
