"""Time, read nowhere else. Wall time decides schedules, monotonic time decides timeouts."""

import asyncio
import math
import time
from typing import Protocol

from nod.domain.instant import SECOND, Instant

# A sleeper looks at the wall clock this often, so that a clock that was set or a laptop that
# was closed delays nothing for longer. It is a look at the clock, not at the database.
_LOOK_S = 5.0


class Clock(Protocol):
    """What time it is, and sleeping until it is later."""

    def now(self) -> Instant:
        """Wall time, milliseconds since 1970 UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that only grow, for timeouts and latencies."""
        ...

    async def wait(self, woken: asyncio.Event, until: Instant | None) -> None:
        """Return when `woken` is set or wall time reaches `until` (None: only when woken).

        A wall clock that is set back does not make the wait longer: it ends when as much time has
        passed as it was to take.
        """
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> Instant:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()

    async def wait(self, woken: asyncio.Event, until: Instant | None) -> None:
        end = math.inf if until is None else self.monotonic() + (until - self.now()) / SECOND
        while (
            not woken.is_set() and self.monotonic() < end and (until is None or self.now() < until)
        ):
            left = min(_LOOK_S, end - self.monotonic())
            if until is not None:
                left = min(left, (until - self.now()) / SECOND)
            try:
                # Not `wait_for`, which until Python 3.12 may lose a cancellation that comes
                # together with what it waits for; the stage would then never stop.
                async with asyncio.timeout(max(left, 0.0005)):
                    await woken.wait()
            except TimeoutError:
                continue
