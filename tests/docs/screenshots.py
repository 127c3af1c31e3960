"""Pictures of the pages: `PYTHONPATH=tests python -m docs.screenshots FOLDER [PAGE…]`.

Each page of a sample household, phone and desk, light and dark, as `PAGE-phone-dark.webp`. With
pages named, those alone.
"""

import asyncio
import io
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.async_api import Browser, Page

from nod.actions import setup
from support.first_start import add_agent, set_up
from support.inprocess import InProcess, running
from support.page import DESK, PHONE, Visit, opened_browser, sign_in, visiting
from support.page_table import FIRST_START, PAGES
from support.sample import furnish

_QUALITY = 82
_SIZES = {"phone": PHONE, "desk": DESK}
_SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


async def take(folder: Path, wanted: set[str]) -> int:
    """Write the pictures of the pages of these names; their number."""
    taken = 0
    async with opened_browser() as browser:
        for pages in (_first_start, _sample):
            async with _camera(browser, folder, wanted) as (camera, visit, nod):
                await pages(camera, visit, nod)
                taken += camera.taken
    return taken


@asynccontextmanager
async def _camera(
    browser: Browser, folder: Path, wanted: set[str]
) -> AsyncIterator[tuple["Camera", Visit, InProcess]]:
    """A camera in front of an empty Nod."""
    with tempfile.TemporaryDirectory() as data_dir:
        async with (
            running(Path(data_dir)) as nod,
            visiting(browser, nod.url, reduced_motion="reduce", device_scale_factor=2) as visit,
        ):
            visit.watch.allow("status of 404")
            yield Camera(await visit.page(), folder, wanted), visit, nod


@dataclass
class Camera:
    """Takes a page as it stands, phone and desk, light and dark."""

    page: Page
    folder: Path
    wanted: set[str]
    taken: int = 0

    async def take(self, name: str, address: str = "") -> None:
        """The page at the address, loaded anew for each picture; without one, as it stands."""
        if name not in self.wanted:
            return
        for size, viewport in _SIZES.items():
            await self.page.set_viewport_size(viewport)
            for scheme in _SCHEMES:
                await self.page.emulate_media(color_scheme=scheme)
                if address:
                    await self.page.goto("about:blank")
                    await self.page.goto(address)
                await self.page.evaluate("document.fonts.ready.then(() => true)")
                picture = Image.open(io.BytesIO(await self.page.screenshot()))
                target = self.folder / f"{name}-{size}-{scheme}.webp"
                await asyncio.to_thread(picture.save, target, "WEBP", quality=_QUALITY, method=6)
                self.taken += 1


async def _first_start(camera: Camera, _: Visit, nod: InProcess) -> None:
    """The pages that are there once: for the first account, and with an agent's secret."""
    token = await nod.nod.store.write(setup.make_setup_link)
    page = camera.page
    await camera.take("setup", f"{nod.url}{setup.PATH}{token}")
    await set_up(page, f"{nod.url}{setup.PATH}{token}")
    await add_agent(page, nod.url, "Grace")
    await page.get_by_role("heading", name="Connect Grace").wait_for()
    await camera.take("agent-connect")


async def _sample(camera: Camera, visit: Visit, nod: InProcess) -> None:
    """The pages of a household that has been going for a month."""
    ids = await furnish(nod)
    # The pages that need no account come first in the table.
    for shown in PAGES:
        if not shown.is_public:
            await sign_in(visit, nod)
        await camera.take(shown.name, nod.url + shown.address.format(**ids))


def main() -> None:
    """The command."""
    folder, names = Path(sys.argv[1]), sys.argv[2:]
    known = {*FIRST_START, *(each.name for each in PAGES)}
    unknown = set(names) - known
    if unknown:
        sys.exit(f"There is no page {', '.join(sorted(unknown))}.")
    folder.mkdir(parents=True, exist_ok=True)
    taken = asyncio.run(take(folder, set(names) or known))
    sys.stdout.write(f"{taken} pictures are in {folder}\n")


if __name__ == "__main__":
    main()
