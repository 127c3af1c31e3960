"""What people and agents do is done on both databases."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.databases import KINDS, Kind, prepared


@pytest.fixture(params=KINDS, autouse=True)
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Kind]:
    """Let `tmp_path` stand for a database of one kind and then of the other."""
    async with prepared(tmp_path, request.param):
        yield request.param
