"""Nothing is documented that does not exist: commands, calls, make targets, links."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from docs.book import ROOT, blocks, pages, prose
from docs.drawings import commands, routes

_CODE = re.compile(r"`([^`\n]+)`")
_CALL = re.compile(r"^(GET|POST|PUT|PATCH|DELETE) (/[^\s?]*)")
_URL = re.compile(r"\$NOD_API_URL(/[^\"\s?]*)")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_TARGET = re.compile(r"^([a-z]+):.*## ", re.MULTILINE)
_NAMES = [path.relative_to(ROOT).as_posix() for path in pages()]

by_page = pytest.mark.parametrize("name", _NAMES)


def _shell_commands(name: str) -> Iterator[list[str]]:
    """Every command in the shell blocks of a page and in its inline code, as words."""
    path = ROOT / name
    lines = [each.code.replace("\\\n", " ") for each in blocks(path) if each.language == "sh"]
    lines += [code for code in _inline(path) if code.startswith(("nod ", "make "))]
    for line in "\n".join(lines).splitlines():
        yield from _split(line)


def _inline(path: Path) -> list[str]:
    return _CODE.findall(prose(path.read_text(encoding="utf-8")))


def _split(line: str) -> Iterator[list[str]]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words: list[str] = []
    for token in lexer:
        if set(token) <= set("();<>|&"):
            yield words
            words = []
        elif words or "=" not in token:
            words.append(token)
    yield words


def _wrong(words: list[str]) -> str | None:
    """What is wrong with a `nod …` command; None when it could be given like that."""
    known = dict(commands())
    name, rest = words[0], words[1:]
    while isinstance(known[name], click.Group) and rest and rest[0] not in ("…", "[OPTIONS]"):
        if rest[0].startswith("-"):
            break
        name, rest = f"{name} {rest[0]}", rest[1:]
        if name not in known:
            return f"there is no command {name}"
    options = {option for each in known[name].params for option in each.opts} | {"--help", "-h"}
    given = rest[: rest.index("--")] if "--" in rest else rest
    unknown = [word for word in given if re.match(r"--?[a-z]", word) and word not in options]
    return f"{name} has no option {unknown[0]}" if unknown else None


@by_page
def test_every_nod_command_shown_can_be_given(name: str) -> None:
    shown = [each for each in _shell_commands(name) if each and each[0] in dict(commands())]
    assert [wrong for words in shown if (wrong := _wrong(words))] == []


@by_page
def test_every_make_target_shown_exists(name: str) -> None:
    targets = set(_TARGET.findall((ROOT / "Makefile").read_text(encoding="utf-8")))
    shown = [each[1] for each in _shell_commands(name) if len(each) > 1 and each[0] == "make"]
    assert set(shown) - targets == set()


@pytest.fixture(scope="module")
def known_calls() -> list[tuple[str, str]]:
    return [(method, path) for method, path, _ in routes()]


@by_page
def test_every_call_shown_exists(name: str, known_calls: list[tuple[str, str]]) -> None:
    path = ROOT / name
    calls = [found.groups() for code in _inline(path) if (found := _CALL.match(code))]
    calls += [("", url) for each in blocks(path) for url in _URL.findall(each.code)]
    missing = [
        f"{method} {shown}".strip()
        for method, shown in calls
        if not any(method in ("", m) and _fits(shown, p) for m, p in known_calls)
    ]
    assert missing == []


def _fits(shown: str, route: str) -> bool:
    """Whether a path as it is shown, with ids or placeholders in it, is one of the route."""
    given, wanted = shown.strip("/").split("/"), route.strip("/").split("/")
    return len(given) == len(wanted) and all(
        w.startswith("{") and g not in ("due", "runs") if w != g else True
        for g, w in zip(given, wanted, strict=True)
    )


@by_page
def test_every_link_inside_leads_somewhere(name: str) -> None:
    path = ROOT / name
    targets = _LINK.findall(prose(path.read_text(encoding="utf-8")))
    assert [each for each in targets if "://" not in each and not _leads(path, each)] == []


def _leads(path: Path, target: str) -> bool:
    file, _, anchor = target.partition("#")
    found = (path.parent / file).resolve() if file else path
    if not found.is_file():
        return False
    return not anchor or anchor in _anchors(found)


def _anchors(path: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    text = prose(path.read_text(encoding="utf-8"))
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in _HEADING.findall(text)
    }


@by_page
def test_the_pages_stay_calm(name: str) -> None:
    text = re.sub(r"`[^`\n]*`|<!--", "", prose((ROOT / name).read_text(encoding="utf-8")))
    assert [line for line in text.splitlines() if "!" in line.replace("![", "")] == []
