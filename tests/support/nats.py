"""NATS for the tests: a real server on a port of its own. A folder stands for a node's data; the
address of its bus is written there, where it has one other than its database."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Literal

from support.seen import seen
from support.server import free_port, is_listening

Kind = Literal["notify", "nats"]
KINDS: tuple[Kind, ...] = ("notify", "nats")
_ADDRESS = "nats.url"


class NatsServer:
    """`nats-server`, to be stopped and started again on its port."""

    def __init__(self, *options: str) -> None:
        self.port = free_port()
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    def start(self) -> None:
        program = str(Path(sys.executable).with_name("nats-server"))
        process = self._process = subprocess.Popen(
            [program, "-a", "127.0.0.1", "-p", str(self.port), *self._options],
            stderr=subprocess.DEVNULL,
        )

        def is_there() -> bool | None:
            assert process.poll() is None, "nats-server did not start"
            return is_listening(self.port) or None

        seen(is_there, "nats-server's port")

    def stop(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()


@contextmanager
def nats_server(*options: str) -> Iterator[NatsServer]:
    server = NatsServer(*options)
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def bus(folder: Path, kind: Kind) -> Iterator[None]:
    """Let the nodes on the folder's database tell each other by this kind of bus."""
    with nullcontext() if kind == "notify" else nats_server() as server:
        if server is not None:
            (folder / _ADDRESS).write_text(server.url)
        yield


def bus_of(folder: Path) -> str:
    """The address of the folder's bus, as the settings take it; empty for none of its own."""
    written = folder / _ADDRESS
    return written.read_text() if written.exists() else ""
