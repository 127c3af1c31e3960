"""A clock that runs, and that a test moves forward."""

import asyncio

from nod.clock import SystemClock
from nod.domain.instant import SECOND, Instant


class MovedClock(SystemClock):
    """The machine's clock and as much more as it was moved. Of one event loop.

    It goes on by itself, because whoever is connected meanwhile lives in real time.
    """

    def __init__(self, start: Instant | None = None) -> None:
        self._ahead: Instant = 0 if start is None else start - super().now()
        self._moved = asyncio.Event()

    def now(self) -> Instant:
        return super().now() + self._ahead

    def move_to(self, at: Instant) -> None:
        """It is `at` now, unless it is later already. Whoever sleeps looks at the clock again."""
        self._ahead += max(0, at - self.now())
        self._moved.set()
        self._moved = asyncio.Event()

    async def wait(self, woken: asyncio.Event, until: Instant | None) -> None:
        while not woken.is_set() and (until is None or self.now() < until):
            left_s = None if until is None else (until - self.now()) / SECOND
            waits = [asyncio.ensure_future(each.wait()) for each in (woken, self._moved)]
            try:
                await asyncio.wait(waits, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for each in waits:
                    each.cancel()
