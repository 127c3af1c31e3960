"""Two buses of which this process tells by the one and hears by both."""

import asyncio

from nod.bus.hints import Bus, Heard, Hints


class Both:
    """A `bus.hints.Bus`. `beside` brings what is told by processes that do not have the first."""

    def __init__(self, first: Bus, beside: Bus) -> None:
        self._first = first
        self._beside = beside

    def start(self, heard: Heard) -> None:
        """See `bus.hints.Bus.start`."""
        self._first.start(heard)
        self._beside.start(heard)

    def tell(self, hints: Hints) -> None:
        """See `bus.hints.Bus.tell`."""
        self._first.tell(hints)

    async def close(self) -> None:
        """See `bus.hints.Bus.close`."""
        await asyncio.gather(self._first.close(), self._beside.close())
