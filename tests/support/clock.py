"""A clock that stands still until a test turns it; the same interface as the real one."""

import asyncio
import math

from nod.domain.instant import SECOND, Instant

# 2026-03-02 is a Monday; far from any change of the clocks.
MONDAY_9 = 1_772_442_000_000  # 2026-03-02T09:00:00Z


class FakeClock:
    """Wall and monotonic time, moved together by `advance` and apart by `set_wall`."""

    def __init__(self, now: Instant = MONDAY_9) -> None:
        self._now = now
        self._monotonic = 1000.0
        self._sleepers: set[asyncio.Event] = set()
        self._somebody_sleeps = asyncio.Event()

    def now(self) -> Instant:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._now += round(seconds * SECOND)
        self._monotonic += seconds
        self._rouse()

    def set_wall(self, now: Instant) -> None:
        """Set the wall clock, as a person or an NTP daemon does; monotonic time goes on."""
        self._now = now
        self._rouse()

    async def asleep(self) -> None:
        """Return when somebody waits for the clock."""
        await self._somebody_sleeps.wait()

    def _rouse(self) -> None:
        self._somebody_sleeps.clear()
        for sleeper in self._sleepers:
            sleeper.set()

    async def wait(self, woken: asyncio.Event, until: Instant | None) -> None:
        end = math.inf if until is None else self._monotonic + (until - self._now) / SECOND
        while not woken.is_set() and self._monotonic < end and (until is None or self._now < until):
            turned = asyncio.Event()
            self._sleepers.add(turned)
            self._somebody_sleeps.set()
            waits = [asyncio.ensure_future(each.wait()) for each in (woken, turned)]
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                self._sleepers.discard(turned)
                for each in waits:
                    each.cancel()
