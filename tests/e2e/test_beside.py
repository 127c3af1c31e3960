"""Commands that work on the database beside the running server, which notices."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from support.cli import path_of
from support.server import RunningServer

# Less than the minute after which the server looks of its own accord.
SOON_S = 20


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    started = RunningServer(tmp_path / "data").start()
    yield started
    started.stop()


def nod(server: RunningServer, *arguments: str) -> dict[str, str]:
    """What the command prints."""
    ended = subprocess.run(
        [str(path_of("nod")), *arguments, "--json"],
        env={**os.environ, "NOD_DATA_DIR": str(server.data_dir)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    printed: dict[str, str] = json.loads(ended.stdout)
    return printed


@contextmanager
def connected(server: RunningServer, made: dict[str, str]) -> Iterator[ClientConnection]:
    """An authenticated connection of the agent."""
    with connect(f"{server.ws_url}/ws/agent/{made['agent_id']}") as connection:
        connection.send(json.dumps({"type": "auth", "secret": made["secret"]}))
        assert json.loads(connection.recv(SOON_S))["type"] == "auth_ok"
        yield connection


def end_of(connection: ClientConnection) -> int | None:
    """The code with which the server closes the connection."""
    with pytest.raises(ConnectionClosed) as closed:
        connection.recv(SOON_S)
    return None if closed.value.rcvd is None else closed.value.rcvd.code


def test_an_agent_removed_by_the_command_line_is_hung_up(server: RunningServer) -> None:
    ada, bob = nod(server, "agents", "add", "Ada"), nod(server, "agents", "add", "Bob")
    with connected(server, ada) as gone, connected(server, bob) as other:
        nod(server, "agents", "remove", "Ada")
        assert end_of(gone) == 4004
        other.send('{"type":"ping"}')
        assert json.loads(other.recv(SOON_S)) == {"type": "pong"}


def test_a_secret_ended_by_the_command_line_ends_its_connection(server: RunningServer) -> None:
    first = nod(server, "agents", "add", "Ada")
    with connected(server, first) as oldest:
        second = nod(server, "agents", "rotate-secret", "Ada")
        with connected(server, second) as old:
            nod(server, "agents", "rotate-secret", "Ada")
            assert end_of(oldest) == 4003
            old.send('{"type":"ping"}')
            assert json.loads(old.recv(SOON_S)) == {"type": "pong"}
