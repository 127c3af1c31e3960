"""One server for each file, with an account; an agent and a shell of its own for each test."""

from collections.abc import Iterator

import pytest

from nod import Client
from support.cli import Person, Shell, add_account, new_shell
from support.curl import install_curl
from support.server import RunningServer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    running = RunningServer(tmp_path_factory.mktemp("server")).start()
    add_account(running)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def person(server: RunningServer) -> Iterator[Person]:
    found = Person.log_in(server)
    yield found
    found.http.close()


@pytest.fixture
def shell(server: RunningServer) -> Shell:
    return new_shell(server)


@pytest.fixture
def client(shell: Shell) -> Iterator[Client]:
    with shell.client() as opened:
        yield opened


@pytest.fixture
def curl(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder with curl in it, for a PATH."""
    return install_curl(tmp_path_factory.mktemp("curl"))
