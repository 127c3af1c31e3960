"""Pictures of the pages: `PYTHONPATH=tests python -m docs.screenshots FOLDER [PAGE…]`.

Each page of a sample household, phone and desk, light and dark, as `PAGE-phone-dark.webp`. With
pages named, those alone.
"""

import asyncio
import io
import sys
import tempfile
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.async_api import Page

from support.inprocess import running
from support.page import DESK, PHONE, opened_browser, sign_in, visiting
from support.page_table import PAGES, Shown
from support.sample import furnish

_QUALITY = 82
_SIZES = {"phone": PHONE, "desk": DESK}
_SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


async def take(folder: Path, wanted: list[Shown]) -> None:
    """Write the pictures into the folder."""
    with tempfile.TemporaryDirectory() as data_dir:
        async with running(Path(data_dir)) as nod, opened_browser() as browser:
            ids = await furnish(nod)
            async with visiting(
                browser, nod.url, reduced_motion="reduce", device_scale_factor=2
            ) as visit:
                visit.watch.allow("status of 404")
                page = await visit.page()
                # The pages that need no account come first in the table.
                for shown in wanted:
                    if not shown.is_public:
                        await sign_in(visit, nod)
                    await _take_one(
                        page, nod.url + shown.address.format(**ids), folder / shown.name
                    )


async def _take_one(page: Page, address: str, path: Path) -> None:
    for size, viewport in _SIZES.items():
        await page.set_viewport_size(viewport)
        for scheme in _SCHEMES:
            await page.emulate_media(color_scheme=scheme)
            await page.goto("about:blank")
            await page.goto(address)
            await page.evaluate("document.fonts.ready.then(() => true)")
            picture = Image.open(io.BytesIO(await page.screenshot()))
            target = f"{path}-{size}-{scheme}.webp"
            await asyncio.to_thread(picture.save, target, "WEBP", quality=_QUALITY, method=6)


def main() -> None:
    """The command."""
    folder, names = Path(sys.argv[1]), sys.argv[2:]
    unknown = set(names) - {each.name for each in PAGES}
    if unknown:
        sys.exit(f"There is no page {', '.join(sorted(unknown))}.")
    folder.mkdir(parents=True, exist_ok=True)
    wanted = [each for each in PAGES if not names or each.name in names]
    asyncio.run(take(folder, wanted))
    sys.stdout.write(f"{len(wanted) * len(_SIZES) * len(_SCHEMES)} pictures are in {folder}\n")


if __name__ == "__main__":
    main()
