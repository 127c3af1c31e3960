"""A herd of tasks due at the same moment, and the work that makes room for it.

What can wait a moment (writing down acknowledgements, log lines) waits until the herd is out, so
that alarms are late by what making and sending them costs, and by nothing else.
"""

import asyncio
import contextlib

# Whatever goes on firing for longer is no herd, and nothing waits for it any more.
_AT_MOST_S = 2.0
# The last events are still being sent when the last batch has been stored.
_AFTER_S = 0.1


class Rush:
    """Says whether a herd is being fired."""

    def __init__(self) -> None:
        self._over = asyncio.Event()
        self._over.set()
        self._ending: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """More is due than one batch holds."""
        if self._ending is not None:
            self._ending.cancel()
            self._ending = None
        self._over.clear()

    def end(self) -> None:
        """Nothing more is due; those who wait go on in a moment."""
        if not self._over.is_set() and self._ending is None:
            self._ending = asyncio.get_running_loop().call_later(_AFTER_S, self._let_go)

    def _let_go(self) -> None:
        self._ending = None
        self._over.set()

    async def over(self) -> None:
        """Return when no herd is being fired, or when it has taken too long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_AT_MOST_S):
                await self._over.wait()
