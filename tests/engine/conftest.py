"""A store with a person and an agent for each test of the engine."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.world import World, open_world


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(tmp_path) as opened:
        yield opened
