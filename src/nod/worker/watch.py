"""Running one command until it ends, or must end."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from nod.client.types import Event
from nod.worker.options import Options
from nod.worker.process import Process, Start


@dataclass(slots=True)
class Signals:
    """What can end a command from outside: `over` by the server, `stopping` by the operator.

    `answers` are those of the person to requests of the run, as they come.
    """

    stopping: asyncio.Event
    over: asyncio.Event = field(default_factory=asyncio.Event)
    over_status: str = ""
    answers: list[Event] = field(default_factory=list)

    def end(self, status: str) -> None:
        """The run is over for the server."""
        self.over_status = status
        self.over.set()


class Watch:
    """Keeps an eye on one command at a time."""

    def __init__(self, options: Options, signals: Signals) -> None:
        self._options = options
        self._signals = signals

    async def run(
        self,
        what: Start,
        stdout: Callable[[bytes], None],
        stderr: Callable[[bytes], None],
        beat: Coroutine[Any, Any, None],
    ) -> tuple[int, str | None]:
        """The exit status, and who ended the command if it did not end by itself.

        `beat` runs meanwhile. Raises OSError when the command cannot be started.
        """
        heart = asyncio.create_task(beat)
        try:
            process = await Process.start(what, stdout, stderr)
            return await self._until_end(process)
        finally:
            heart.cancel()
            await asyncio.wait([heart])

    async def _until_end(self, process: Process) -> tuple[int, str | None]:
        ending = asyncio.create_task(process.wait())
        reasons = [asyncio.create_task(reason) for reason in self._reasons()]
        try:
            done, _ = await asyncio.wait([ending, *reasons], return_when=asyncio.FIRST_COMPLETED)
            if ending in done:
                return ending.result(), None
            return await process.stop(), next(each.result() for each in reasons if each.done())
        except BaseException:
            await process.stop()
            raise
        finally:
            for task in (ending, *reasons):
                task.cancel()
            await asyncio.wait([ending, *reasons])

    def _reasons(self) -> list[Coroutine[Any, Any, str]]:
        reasons = [self._closed_by_server(), self._worker_stopped()]
        if self._options.timeout_s is not None:
            reasons.append(self._time_up(self._options.timeout_s))
        return reasons

    async def _closed_by_server(self) -> str:
        await self._signals.over.wait()
        return f"Nod closed the run: {self._signals.over_status}"

    async def _worker_stopped(self) -> str:
        await self._signals.stopping.wait()
        await asyncio.sleep(self._options.grace_s)
        return f"the worker was stopped, and this did not end within {self._options.grace_s:g} s"

    async def _time_up(self, timeout_s: float) -> str:
        await asyncio.sleep(timeout_s)
        return f"the command was stopped after {timeout_s:g} s (--timeout)"
