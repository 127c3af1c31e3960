"""One command in a process group of its own."""

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from nod.worker.capture import Capture

# What is kept of each stream. A run's output is at most 1 MiB, markers and headings included.
HEAD_BYTES = 768 * 1024
TAIL_BYTES = 192 * 1024
# Between asking a command to end and ending it.
TERM_S = 5.0
# How long the pipes may stay open after the command has ended: something it left behind holds them.
_LINGER_S = 2.0
_CHUNK_BYTES = 64 * 1024


class Process:
    """A running command whose output is read as it comes. Made by `start`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.stdout = Capture(HEAD_BYTES, TAIL_BYTES)
        self.stderr = Capture(HEAD_BYTES, TAIL_BYTES)
        self._reading: list[asyncio.Task[None]] = []

    @classmethod
    async def start(
        cls, command: Sequence[str], environment: Mapping[str, str], stdin: Path
    ) -> Self:
        """Starts the command with a file as its standard input. Raises OSError if it cannot be.

        The pipes are ours and not asyncio's, because asyncio counts a process as running until
        everybody who inherited its pipes has closed them.
        """
        out_read, out_write = os.pipe()
        err_read, err_write = os.pipe()
        given = os.open(stdin, os.O_RDONLY)
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=given,
                stdout=out_write,
                stderr=err_write,
                env=dict(environment),
                start_new_session=True,
            )
        except BaseException:
            os.close(out_read)
            os.close(err_read)
            raise
        finally:
            for handle in (given, out_write, err_write):
                os.close(handle)
        self = cls(process)
        self._reading = [
            asyncio.create_task(_read(out_read, self.stdout)),
            asyncio.create_task(_read(err_read, self.stderr)),
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
        """Ends the whole process group: SIGTERM, and SIGKILL after `TERM_S` seconds."""
        self._signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(TERM_S):
                await self._process.wait()
        except TimeoutError:
            pass
        self._signal(signal.SIGKILL)  # also what ignored SIGTERM behind a command that did not
        return await self.wait()

    def _signal(self, number: signal.Signals) -> None:
        try:
            os.killpg(self._process.pid, number)
        except (ProcessLookupError, PermissionError):
            return  # nothing of the group is left


async def _read(handle: int, into: Capture) -> None:
    reader = asyncio.StreamReader(_CHUNK_BYTES)
    pipe = os.fdopen(handle, "rb", buffering=0)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), pipe
    )
    try:
        while chunk := await reader.read(_CHUNK_BYTES):
            into.add(chunk)
    finally:
        transport.close()
