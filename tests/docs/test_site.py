"""The documentation as a site: it can be built, nothing in it leads nowhere or is fetched."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import nod
from docs.book import ROOT, page

_FETCHED = re.compile(r"<(?:script|img|iframe|link)\b[^>]*?(?:src|href)=\"?(https?:[^\" >]+)")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built strictly: a link or an anchor that leads nowhere ends it."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", str(folder)]
    environ = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


def test_every_page_is_on_the_site(site: Path) -> None:
    for path in (ROOT / "docs").rglob("*.md"):
        name = path.relative_to(ROOT / "docs").with_suffix(".html")
        built = site / (name.with_name("index.html") if path.stem == "README" else name)
        assert built.is_file(), name


def test_the_site_fetches_nothing_from_anybody(site: Path) -> None:
    for built in site.rglob("*.html"):
        fetched = _FETCHED.findall(built.read_text(encoding="utf-8"))
        assert fetched == [], built


def test_no_code_is_shown_as_prose(site: Path) -> None:
    for built in site.rglob("*.html"):
        assert "```" not in built.read_text(encoding="utf-8"), built


def test_every_name_of_the_package_is_in_the_reference(site: Path) -> None:
    written = page("docs/python-reference.md")
    built = (site / "python-reference.html").read_text(encoding="utf-8")
    for name in set(nod.__all__) - {"__version__"}:
        (path,) = re.findall(rf"^::: (nod\.\S+\.{name})$", written, re.MULTILINE)
        assert f'id="{path}"' in built, name
