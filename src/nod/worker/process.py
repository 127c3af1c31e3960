"""One command in a process group of its own."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from nod.worker import leftovers
from nod.worker.environment import WORK_ID

# Between asking a command to end and ending it.
TERM_S = 5.0
# How long the pipes may stay open after the command has ended: something it left behind holds them.
_LINGER_S = 2.0
_CHUNK_BYTES = 64 * 1024

_Sink = Callable[[bytes], None]


@dataclass(frozen=True, slots=True)
class Start:
    """What to run, where, and with which file as its standard input.

    `work_id` is carried by all that the command starts, in its environment.
    """

    command: Sequence[str]
    environment: Mapping[str, str]
    stdin: Path
    folder: Path
    work_id: str


class Process:
    """A running command whose output is read as it comes. Made by `start`."""

    def __init__(self, process: asyncio.subprocess.Process, work_id: str) -> None:
        self._process = process
        self._work_id = work_id
        self._reading: list[asyncio.Task[None]] = []

    @classmethod
    async def start(cls, what: Start, stdout: _Sink, stderr: _Sink) -> Self:
        """Starts the command; what it prints goes to the sinks. Raises OSError if it cannot be.

        The pipes are ours and not asyncio's, because asyncio counts a process as running until
        everybody who inherited its pipes has closed them.
        """
        out_read, out_write = os.pipe()
        err_read, err_write = os.pipe()
        given = os.open(what.stdin, os.O_RDONLY)
        try:
            process = await asyncio.create_subprocess_exec(
                *what.command,
                stdin=given,
                stdout=out_write,
                stderr=err_write,
                cwd=what.folder,
                env={**what.environment, WORK_ID: what.work_id},
                start_new_session=True,
            )
        except BaseException:
            os.close(out_read)
            os.close(err_read)
            raise
        finally:
            for handle in (given, out_write, err_write):
                os.close(handle)
        self = cls(process, what.work_id)
        self._reading = [
            asyncio.create_task(_read(out_read, stdout)),
            asyncio.create_task(_read(err_read, stderr)),
        ]
        return self

    async def wait(self) -> int:
        """The exit status (negative: the signal), once the command has ended and been read.

        Raises OSError when its output cannot be read.
        """
        status = await self._process.wait()
        read, lingering = await asyncio.wait(self._reading, timeout=_LINGER_S)
        if lingering:
            self._signal(signal.SIGKILL)
            for task in lingering:
                task.cancel()
            await asyncio.wait(lingering)
        for task in read - lingering:
            if not task.cancelled():
                task.result()
        return status

    async def stop(self) -> int:
        """Ends the command and all it has started: SIGTERM, and SIGKILL after `TERM_S` seconds."""
        self._signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(TERM_S):
                await self._process.wait()
        except TimeoutError:
            pass
        self._signal(signal.SIGKILL)  # also what ignored SIGTERM behind a command that did not
        return await self.wait()

    def _signal(self, number: signal.Signals) -> None:
        # They say that nothing of the group is left.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)
        if number == signal.SIGKILL:
            leftovers.end_all(self._work_id)
        else:
            leftovers.signal_all(self._work_id, number)


async def _read(handle: int, into: _Sink) -> None:
    reader = asyncio.StreamReader(_CHUNK_BYTES)
    pipe = os.fdopen(handle, "rb", buffering=0)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), pipe
    )
    try:
        while chunk := await reader.read(_CHUNK_BYTES):
            into(chunk)
    finally:
        transport.close()
