"""The written documentation as the tests read it: pages, blocks of code, parts that are drawn."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_FENCE = re.compile(
    r"^(?:<!-- (?P<mark>runs[^>]*?) -->\n)?```(?P<language>\w*)\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_PART = re.compile(
    r"(?P<open><!-- drawn: (?P<name>[\w-]+) -->\n)(?P<body>.*?)(?P<close><!-- end -->)", re.DOTALL
)


@dataclass(frozen=True)
class Block:
    """A block of code. `mark` is the comment before it: one that begins with `runs` is executed."""

    page: Path
    language: str
    code: str
    mark: str


def pages() -> list[Path]:
    """Every page that people read."""
    top = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "examples/README.md")
    return [*(ROOT / name for name in top), *sorted((ROOT / "docs").rglob("*.md"))]


def page(name: str) -> str:
    """The text of a page, by its path from the root."""
    return (ROOT / name).read_text(encoding="utf-8")


def everything() -> str:
    """All pages as one text."""
    return "\n".join(each.read_text(encoding="utf-8") for each in pages())


def blocks(path: Path) -> Iterator[Block]:
    """The blocks of code of a page, in order."""
    for found in _FENCE.finditer(path.read_text(encoding="utf-8")):
        yield Block(path, found["language"], found["code"], found["mark"] or "")


def parts(text: str) -> dict[str, str]:
    """What stands between `<!-- drawn: NAME -->` and `<!-- end -->`, by name."""
    return {found["name"]: found["body"] for found in _PART.finditer(text)}


def with_parts(text: str, drawn: dict[str, str]) -> str:
    """The text with its drawn parts replaced."""
    return _PART.sub(lambda found: found["open"] + drawn[found["name"]] + found["close"], text)


def prose(text: str) -> str:
    """The text without its blocks of code."""
    return _FENCE.sub("", text)
