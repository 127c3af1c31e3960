"""`nod serve` as a process of its own."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from bench.nod.caller import Caller

START_S = 60.0

# An agent may make few tasks, and a trigger may be called seldom; here they are the load.
LIMITS = {
    "NOD_LIMIT_TRIGGERS_PER_MINUTE": "100000000",
    "NOD_LIMIT_TASKS_PER_AGENT": "100000000",
    "NOD_LIMIT_TASKS_PER_AGENT_HOUR": "100000000",
}


@dataclass(frozen=True, slots=True)
class Server:
    """A running server on the loopback."""

    host: str
    port: int
    pid: int

    def cpu_s(self) -> float:
        """Processor time it has used since its start, in seconds (see proc_pid_stat(5))."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_mib(self) -> float:
        """Memory it holds now."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@asynccontextmanager
async def serving(
    data_dir: Path, environ: Mapping[str, str] = MappingProxyType({})
) -> AsyncIterator[Server]:
    """Start a server on the data directory's SQLite file, or on what `environ` names instead, and
    stop it at the end.

    Raises:
        RuntimeError: it ended, with what it said last.
    """
    host, port = "127.0.0.1", free_port()
    log = data_dir / "serve.log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", "from nod.cli.main import main; main()", "serve"),
            *("--host", host, "--port", str(port)),
            env={**os.environ, **LIMITS, "NOD_DATA_DIR": str(data_dir), **environ},
            stdout=output,
            stderr=output,
        )
    try:
        await answering(host, port, process, log)
        yield Server(host, port, process.pid)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await process.wait()


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def last_words(log: Path) -> str:
    """What the server said before it ended."""
    said = log.read_text().strip().splitlines() or ["nothing"]
    return f"nod serve ended, saying: {said[-1]}"


async def answering(host: str, port: int, process: asyncio.subprocess.Process, log: Path) -> None:
    """Return when the server answers."""
    async with asyncio.timeout(START_S):
        while True:
            if process.returncode is not None:
                raise RuntimeError(await asyncio.to_thread(last_words, log))
            try:
                caller = await Caller.connect(host, port)
            except OSError:
                await asyncio.sleep(0.05)
                continue
            caller.close()
            return
