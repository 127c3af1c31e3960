"""What holds for every page: nothing that axe-core finds, nothing too wide, nothing too small."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from support.inprocess import InProcess, running
from support.page import Visit, axe_in_every_look, out_of_size, sign_in, visiting
from support.page_table import PAGES, Shown
from support.sample import furnish


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator["House"]:
    async with running(tmp_path_factory.mktemp("house")) as nod:
        yield House(nod, await furnish(nod))


class House:
    """The sample, which no test changes."""

    def __init__(self, nod: InProcess, ids: dict[str, str]) -> None:
        self.nod = nod
        self.ids = ids

    def address(self, shown: Shown) -> str:
        return shown.address.format(**self.ids)


@pytest_asyncio.fixture(loop_scope="session")
async def visit(browser: Browser, house: House) -> AsyncIterator[Visit]:
    async with visiting(browser, house.nod.url, reduced_motion="reduce") as found:
        found.watch.allow("status of 404")
        yield found


async def opened(visit: Visit, house: House, shown: Shown) -> Page:
    if not shown.is_public:
        await sign_in(visit, house.nod)
    return await visit.page(house.address(shown))


@pytest.mark.parametrize("shown", PAGES, ids=[each.name for each in PAGES])
async def test_axe_finds_nothing_in_any_look_nothing_is_too_wide_and_no_target_too_small(
    visit: Visit, house: House, shown: Shown
) -> None:
    page = await opened(visit, house, shown)
    assert {**await axe_in_every_look(page), **await out_of_size(page)} == {}
