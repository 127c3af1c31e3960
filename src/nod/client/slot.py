"""A place among those that may work at the same time, left while its holder waits for a person."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Slot:
    """One holder's share in a semaphore. Several of its questions may be open at once."""

    def __init__(self, slots: asyncio.Semaphore) -> None:
        self._slots = slots
        self._taking = asyncio.Lock()
        self._held = False
        self._waiting = 0

    @property
    def waiting(self) -> bool:
        """Whether the holder has left its place to wait."""
        return self._waiting > 0 and not self._held

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Waits for a place, and gives it back at the end."""
        await self._take()
        try:
            yield
        finally:
            self._give()

    @asynccontextmanager
    async def left(self) -> AsyncIterator[None]:
        """The place is free for others meanwhile; waits for one again at the end."""
        self._waiting += 1
        self._give()
        try:
            yield
        finally:
            self._waiting -= 1
        await self._take()

    async def _take(self) -> None:
        async with self._taking:  # several of its questions may be answered at once
            if not self._held:
                await self._slots.acquire()
                self._held = True

    def _give(self) -> None:
        if self._held:
            self._held = False
            self._slots.release()
