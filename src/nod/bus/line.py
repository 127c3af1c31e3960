"""A bus on a line to some server, made anew whenever it is lost.

What comes up while one message is on its way goes out together in the next. While the line is away
nothing is heard, so everybody looks for themselves every few seconds.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import structlog

from nod.bus.hints import Heard, Hints, pieces, read_piece

_log = structlog.get_logger("nod.bus")
_AGAIN_S = 1.0
_LOOK_S = 3.0
_PULSE_S = 10.0  # so that a line that was cut is noticed without anything to tell
_CLOSE_S = 5.0

ANYTHING = ""
"""A text that says: anything may have changed."""


class Line(Protocol):
    """A line that is open."""

    async def tell(self, texts: Sequence[str]) -> None:
        """Send the texts, or none, and hear from the server. Raises when the line is lost."""
        ...


class Lines(Protocol):
    """How a line is opened, and what its errors mean."""

    name: str
    """To whom they lead, for people."""
    most_bytes: int
    """How long a text may be."""

    def open(
        self, heard: Callable[[str], None], lost: Callable[[], None]
    ) -> AbstractAsyncContextManager[Line]:
        """A line for as long as the context is open. `heard` gets the texts of others, `lost`
        is called when the line is of no use any more."""
        ...

    def reason(self, error: Exception) -> str | None:
        """Why there is no line, for people; None for an error that is a mistake of ours."""
        ...


class LineBus:
    """A `bus.hints.Bus` on one line."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._heard: Heard = lambda _: None
        self._untold = Hints()
        self._woken = asyncio.Event()
        self._closing = False
        self._is_there = True
        self._task: asyncio.Task[None] | None = None

    def start(self, heard: Heard) -> None:
        """See `bus.hints.Bus.start`."""
        self._heard = heard
        self._task = asyncio.create_task(self._run(), name="bus")

    def tell(self, hints: Hints) -> None:
        """See `bus.hints.Bus.tell`."""
        self._untold.add(hints)
        self._woken.set()

    async def close(self) -> None:
        """See `bus.hints.Bus.close`."""
        self._closing = True
        self._woken.set()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=_CLOSE_S)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        clock = asyncio.get_running_loop().time
        looked_at = clock()
        while not self._closing:
            try:
                await self._connected()
            except Exception as error:  # noqa: BLE001 - the bus goes on, whatever it runs into
                self._is_away(error)
                if clock() >= looked_at + _LOOK_S:
                    looked_at = clock()
                    self._heard(Hints(everything=True))
                await asyncio.sleep(_AGAIN_S)

    async def _connected(self) -> None:
        """Listen and tell until the line is lost."""
        async with self._lines.open(self._has_heard, self._woken.set) as line:
            self._has_come()
            while not self._closing:
                await self._tell(line)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_PULSE_S):
                        await self._woken.wait()
            await self._tell(line)

    async def _tell(self, line: Line) -> None:
        self._woken.clear()
        told, self._untold = self._untold, Hints()
        try:
            await line.tell(list(pieces(told, self._lines.most_bytes)))
        except BaseException:
            self._untold.add(told)
            raise

    def _has_heard(self, text: str) -> None:
        self._heard(Hints(everything=True) if text == ANYTHING else read_piece(text))

    def _has_come(self) -> None:
        """The line is there; what was told before, it has not heard."""
        self._heard(Hints(everything=True))
        if not self._is_there:
            self._is_there = True
            _log.info("the bus is back", bus=self._lines.name)

    def _is_away(self, error: Exception) -> None:
        reason = self._lines.reason(error)
        if reason is None:
            _log.exception("the bus failed and goes on", bus=self._lines.name)
        elif self._is_there:
            self._is_there = False
            _log.warning(
                "the bus is away; what others change is seen later",
                bus=self._lines.name,
                reason=reason,
            )
