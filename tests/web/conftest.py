"""One Nod whose time stands still, an agent of it, and its owner's browser."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from nod.actions.agents import Credentials
from nod.domain.model import Conversation
from support.browser import signed_in
from support.clock import FakeClock
from support.inprocess import InProcess, running


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def nod(tmp_path: Path, clock: FakeClock) -> AsyncIterator[InProcess]:
    async with running(tmp_path, clock) as started:
        yield started


@pytest.fixture
async def ada(nod: InProcess) -> Credentials:
    return await nod.add_agent()


@pytest.fixture
async def ann(nod: InProcess) -> AsyncIterator[httpx.AsyncClient]:
    async with await signed_in(nod) as client:
        yield client


@pytest.fixture
async def talk(nod: InProcess, ada: Credentials) -> Conversation:
    """The conversation that the agent has from the first."""
    return await nod.nod.store.read(lambda tx: tx.chat.default_conversation(ada.agent.id))


@pytest.fixture
async def agent(nod: InProcess, ada: Credentials) -> AsyncIterator[httpx.AsyncClient]:
    """The agent's own calls, under /api/agent."""
    async with nod.http(ada) as client:
        yield client
