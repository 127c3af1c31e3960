"""What people and agents do is done on both databases."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.databases import KINDS, prepared


@pytest.fixture(params=KINDS)
async def tmp_path(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Path]:
    """A folder that stands for a database of one kind and then of the other."""
    async with prepared(tmp_path, request.param):
        yield tmp_path
