"""One Nod in the test's own loop: an agent with its calls, or a household of two people."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from nod.actions.agents import Credentials
from support.household import Household, open_household
from support.inprocess import InProcess, running


@pytest.fixture
async def nod(tmp_path: Path) -> AsyncIterator[InProcess]:
    async with running(tmp_path) as started:
        yield started


@pytest.fixture
async def ada(nod: InProcess) -> Credentials:
    return await nod.add_agent()


@pytest.fixture
async def http(nod: InProcess, ada: Credentials) -> AsyncIterator[httpx.AsyncClient]:
    async with nod.http(ada) as client:
        yield client


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[Household]:
    async with open_household(tmp_path) as opened:
        yield opened
