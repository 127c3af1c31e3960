"""What happened, for the log and the metrics. Nothing of it makes the work itself wait."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import TextIO

import structlog
from prometheus_client import CollectorRegistry

from nod.clock import Clock, SystemClock
from nod.domain.instant import Instant
from nod.store.effects import Fact
from nod.telemetry.lines import QUIET, Line, fact_line, hide, human_line, json_line, level
from nod.telemetry.logs import log_stream, setup_logging, wants_colour
from nod.telemetry.metrics import Metrics

__all__ = ["Telemetry", "setup_logging"]

# Facts wait a moment, so that a burst of fires is delivered before it is written about.
_PAUSE_S = 0.05
_CHUNK = 100
# When the log's reader hangs, so much text waits for it; what comes after is counted, not kept.
_WAITING_CHARS = 8 * 1024 * 1024


class Telemetry:
    """Turns committed facts into log lines and figures, in small pieces between other work."""

    def __init__(
        self,
        log_json: bool,
        stream: TextIO | None = None,
        clock: Clock | None = None,
        calm: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """`calm` is awaited before facts are worked on: it returns when there is time for that."""
        out = log_stream() if stream is None else stream
        self._json = log_json
        self._calm = calm or _at_once
        self._colour = wants_colour(out)
        self._writer = structlog.WriteLogger(out)  # shares its lock with all lines of this stream
        self._clock = clock or SystemClock()
        self._metrics = Metrics()
        self.run_ended: Callable[[str], None] | None = None
        """Hears of each run that has ended, where anybody wants to."""
        self._facts: deque[tuple[Instant, Fact]] = deque()
        self._texts: deque[str] = deque()
        self._waiting_chars = 0
        self._dropped = 0
        self._counting: asyncio.Task[None] | None = None
        self._writing: asyncio.Task[None] | None = None

    @property
    def registry(self) -> CollectorRegistry:
        """Where the figures are."""
        return self._metrics.registry

    def watch_sockets(self, count: Callable[[], int]) -> None:
        """`count` is asked for the number of open sockets whenever the metrics are read."""
        self._metrics.watch_sockets(count)

    def waiting(self, undelivered_s: float, decisions: float) -> None:
        """What waits, as of now: see `Metrics.waiting`."""
        self._metrics.waiting(undelivered_s, decisions)

    def record(self, facts: Sequence[Fact]) -> None:
        """Take note of facts, in the event loop's thread. Costs next to nothing now."""
        if not facts:
            return
        if self.run_ended is not None:
            for fact in facts:
                if fact.name == "run_ended":
                    self.run_ended(str(fact.fields["run_id"]))
        now = self._clock.now()
        self._facts.extend((now, fact) for fact in facts)
        if self._counting is None:
            self._counting = asyncio.create_task(self._count_all(), name="telemetry")

    async def close(self) -> None:
        """Write what has been recorded."""
        if self._counting is not None:
            self._counting.cancel()
            await asyncio.gather(self._counting, return_exceptions=True)
        while self._facts:
            self._count_some()
        if self._writing is not None:
            await self._writing

    async def _count_all(self) -> None:
        try:
            await asyncio.sleep(_PAUSE_S)
            await self._calm()
            while self._facts:
                self._count_some()
                await asyncio.sleep(0)
        finally:
            self._counting = None

    def _count_some(self) -> None:
        """Count a chunk of facts, and hand its lines on as one text."""
        chunk = [self._facts.popleft() for _ in range(min(_CHUNK, len(self._facts)))]
        for _, fact in chunk:
            self._metrics.count(fact)
        lines = [self._line(at, fact) for at, fact in chunk if fact.name not in QUIET]
        if lines:
            self._put(hide("\n".join(lines)), len(lines))

    def _line(self, at: Instant, fact: Fact) -> str:
        severity = level(fact)
        if self._json:
            return json_line(at, severity, fact.name, fact.fields)
        return human_line(at, severity, fact_line(fact), colour=self._colour)

    def _put(self, text: str, lines: int) -> None:
        if self._waiting_chars > _WAITING_CHARS:
            self._dropped += lines
            return
        if self._dropped:
            self._texts.append(self._lost())
        self._texts.append(text)
        self._waiting_chars += len(text)
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_all(), name="log")

    def _lost(self) -> str:
        dropped, self._dropped = self._dropped, 0
        now = self._clock.now()
        if self._json:
            return json_line(now, "warning", "log_lines_dropped", {"lines": dropped})
        line = Line("warning", f"{dropped} lines are missing here: the log's reader was too slow")
        return human_line(now, "warning", line, colour=self._colour)

    async def _write_all(self) -> None:
        """Write in a thread: a pipe that nobody reads must not stop the server."""
        while self._texts:
            text = "\n".join(self._texts)
            self._texts.clear()
            with contextlib.suppress(OSError):  # the log's reader is gone; nobody can be told
                await asyncio.to_thread(self._writer.msg, text)
            self._waiting_chars -= len(text)
        self._waiting_chars = 0
        self._writing = None


async def _at_once() -> None:
    """Facts are worked on as they come."""
