"""One Chromium for all tests of a worker, and a Nod of its own for each test.

Playwright belongs to the event loop it was started in, so these tests share one.
"""

import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser

from nod.actions.agents import Credentials
from support.inprocess import PATIENCE_S, InProcess, running
from support.page import Visit, opened_browser, sign_in, visiting
from support.server import RunningServer

_HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _HERE in item.path.parents and item.get_closest_marker("asyncio") is not None:
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with opened_browser() as found:
        yield found


@pytest_asyncio.fixture(loop_scope="session")
async def nod(tmp_path: Path) -> AsyncIterator[InProcess]:
    async with running(tmp_path) as started:
        yield started


@pytest_asyncio.fixture(loop_scope="session")
async def ada(nod: InProcess) -> Credentials:
    return await nod.add_agent()


@pytest_asyncio.fixture(loop_scope="session")
async def path(nod: InProcess, ada: Credentials) -> str:
    """Where the agent's conversation is."""
    where = await nod.nod.store.read(lambda tx: tx.chat.default_conversation(ada.agent.id))
    return f"/chats/{where.id}"


@pytest_asyncio.fixture(loop_scope="session")
async def agent(nod: InProcess, ada: Credentials) -> AsyncIterator[httpx.AsyncClient]:
    """The agent's own calls."""
    keys = {"X-Nod-Agent-Id": ada.agent.id, "X-Nod-Secret": ada.secret}
    async with httpx.AsyncClient(base_url=nod.url, headers=keys, timeout=PATIENCE_S) as client:
        yield client


@pytest_asyncio.fixture(loop_scope="session")
async def ann(browser: Browser, nod: InProcess) -> AsyncIterator[Visit]:
    """The owner's browser, signed in, at phone size."""
    async with visiting(browser, nod.url) as visit:
        await sign_in(visit, nod)
        yield visit


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    """`nod serve` that has never been started before."""
    running = RunningServer(tmp_path).start()
    yield running
    running.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def newcomer(browser: Browser, server: RunningServer) -> AsyncIterator[Visit]:
    """A browser in which nobody is signed in."""
    async with visiting(browser, server.url, service_workers="allow") as visit:
        yield visit


@pytest.fixture
def workers() -> Iterator[list["subprocess.Popen[str]"]]:
    """What works for the agent; it is ended with the test."""
    started: list[subprocess.Popen[str]] = []
    yield started
    for each in started:
        each.terminate()
        each.communicate(timeout=15)
