"""A store with a person and an agent for each test of the engine, which runs on both databases."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.databases import KINDS, prepared
from support.world import World, open_world


@pytest.fixture(params=KINDS)
async def tmp_path(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Path]:
    """A folder that stands for a database of one kind and then of the other."""
    async with prepared(tmp_path, request.param):
        yield tmp_path


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(tmp_path) as opened:
        yield opened
