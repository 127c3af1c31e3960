"""The machine's clock: how long a wait takes when somebody sets it meanwhile."""

import asyncio

import pytest

from nod import clock as clocks
from nod.clock import SystemClock
from nod.domain.instant import HOUR, Instant


class SetClock(SystemClock):
    """Set by `by` right after it was read for the first time."""

    def __init__(self, by: Instant) -> None:
        self._by: Instant = 0
        self._later = by

    def now(self) -> Instant:
        shown = super().now() + self._by
        self._by = self._later
        return shown


@pytest.fixture(autouse=True)
def seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock is looked at far less often than these tests last."""
    monkeypatch.setattr(clocks, "_LOOK_S", 600.0)


@pytest.mark.parametrize("by", [-HOUR, 0, HOUR])
async def test_a_wait_takes_no_longer_because_the_clock_is_set(by: Instant) -> None:
    clock = SetClock(by)
    async with asyncio.timeout(30):
        await clock.wait(asyncio.Event(), SystemClock().now() + 50)


async def test_who_is_woken_waits_no_longer() -> None:
    woken = asyncio.Event()
    waiting = asyncio.create_task(SystemClock().wait(woken, None))
    await asyncio.sleep(0)
    woken.set()
    async with asyncio.timeout(30):
        await waiting
