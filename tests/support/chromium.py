"""The browser of the tests: a Chromium that is there, else one that is fetched by `make`.

`NOD_TEST_BROWSER` names one; else it is the first of the usual names on PATH; else Playwright's
own.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_FETCH_S = 600
_HELP = (
    "The tests need Chromium, and neither Playwright's download nor apt-get could bring it.\n"
    "Install Chromium with the system's packages, or set NOD_TEST_BROWSER to the path of one,\n"
    "and run the command again."
)


def chromium() -> str | None:
    """The path of the Chromium to use; None where there is none."""
    named = os.environ.get("NOD_TEST_BROWSER")
    if named:
        return named
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    return found or _playwrights_own()


def _playwrights_own() -> str | None:
    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).is_file() else None


def _did(command: Sequence[str], **environ: str) -> bool:
    try:
        done = subprocess.run(command, env={**os.environ, **environ}, timeout=_FETCH_S)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _fetch() -> bool:
    playwright = (sys.executable, "-m", "playwright", "install", "--with-deps", "chromium")
    if _did(playwright, PLAYWRIGHT_DOWNLOAD_CONNECTION_TIMEOUT="20000"):
        return True
    root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    apt = (*root, "apt-get", "-qq")
    return _did((*apt, "update")) and _did(
        (*apt, "install", "-y", "--no-install-recommends", "chromium"),
        DEBIAN_FRONTEND="noninteractive",
    )


def main() -> None:
    """Make sure that there is one. Ends the program with what to do if there cannot be."""
    if chromium() is None and not (_fetch() and chromium()):
        sys.exit(_HELP)


if __name__ == "__main__":
    main()
