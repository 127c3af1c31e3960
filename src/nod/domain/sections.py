"""A Markdown text as sections: what stands under each heading. Pure.

Only the blocks are read (CommonMark 0.31 by markdown-it-py), so a `#` in a code fence, a quotation
or a list begins no section.
"""

import re
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise

from markdown_it import MarkdownIt

# Text within a line is of no interest here, and reading it costs most of the time.
_BLOCKS = MarkdownIt("commonmark").disable("inline")

_WEEKDAYS = (
    "mon(?:day)?|tue(?:s(?:day)?)?|wed(?:nesday)?|thu(?:r(?:s(?:day)?)?)?"
    "|fri(?:day)?|sat(?:urday)?|sun(?:day)?"
)
_MONTHS = (
    "jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?"
    "|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?"
)
# What tells only on which day a result was made: names of days and months, dates and times.
_DATE = re.compile(
    rf"\b(?:{_WEEKDAYS})\b,?"
    rf"|\b\d{{1,2}}(?:st|nd|rd|th|\.)?\s+(?:{_MONTHS})\b,?(?:\s+\d{{4}})?"
    rf"|\b(?:{_MONTHS})\s+\d{{1,2}}(?:st|nd|rd|th)?\b,?(?:\s+\d{{4}})?"
    r"|\b\d{4}-\d\d-\d\d\b|\b\d{1,2}[./]\d{1,2}[./]\d{2,4}\b|\b\d{1,2}:\d\d\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
# Written so that no text, however made, costs more than its length.
_LINK = re.compile(r"!?\[([^\[\]]*)\](?:\([^()]*\)|\[[^\[\]]*\])?")
_MARKS = re.compile(r"[*`~]+|(?<!\w)_+|(?<!_)_++(?!\w)")
# `[text][12]` and `[text][b]` are the same link where only the list of links was numbered anew.
_REFERENCE = re.compile(r"\]\[[^\]]*\]")

Key = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Line:
    """A line as it is shown, and as it is compared: without what is only layout."""

    text: str
    compared: str


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and the lines up to the next one.

    `path` are the headings from the outermost to its own; the part before the first heading has
    none. `key` finds it in another text: the path without dates and numbers, and which of several
    equal ones it is. `lines` begin with the heading.
    """

    key: Key
    path: tuple[str, ...]
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class _Heading:
    level: int
    title: str
    first: int  # the number of its first line
    after: int  # the number of the line after it


def sections(text: str) -> list[Section]:
    """The sections of a Markdown text in their order; a first part without lines is none."""
    environment: dict[str, dict[str, dict[str, list[int]]]] = {}
    tokens = _BLOCKS.parse(text, environment)
    left_out = _definitions(environment)
    source = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    headings = [
        _Heading(int(opened.tag[1]), _title(content.content), opened.map[0], opened.map[1])
        for opened, content in pairwise(tokens)
        if opened.type == "heading_open" and opened.level == 0 and opened.map is not None
    ]
    first = _lines(source, 0, headings[0].first if headings else len(source), left_out)
    opening = [Section((), (), first)] if first else []
    return opening + _under(headings, source, left_out)


def _under(headings: list[_Heading], source: list[str], left_out: set[int]) -> list[Section]:
    """What stands under each heading. A heading is inside the last one of a lower level."""
    found: list[Section] = []
    open_headings: list[tuple[_Heading, Key]] = []
    seen: Counter[tuple[Key, str]] = Counter()
    ends = [*(each.first for each in headings), len(source)][1:]
    for heading, end in zip(headings, ends, strict=True):
        while open_headings and open_headings[-1][0].level >= heading.level:
            open_headings.pop()
        parent = open_headings[-1][1] if open_headings else ()
        name = _name(heading.title)
        key = (*parent, (name, seen[parent, name]))
        seen[parent, name] += 1
        open_headings.append((heading, key))
        path = tuple(each.title for each, _ in open_headings)
        shown = f"{'#' * heading.level} {heading.title}"
        own = Line(shown, _collapsed(_DATE.sub("", heading.title)))
        body = _lines(source, heading.after, end, left_out)
        found.append(Section(key, path, (own, *body)))
    return found


def _lines(source: list[str], start: int, end: int, left_out: set[int]) -> tuple[Line, ...]:
    """The lines that say something: no empty ones, and no definitions of links."""
    return tuple(
        Line(source[number].rstrip(), _collapsed(_REFERENCE.sub("]", source[number])))
        for number in range(start, end)
        if number not in left_out and source[number].strip()
    )


def _definitions(environment: dict[str, dict[str, dict[str, list[int]]]]) -> set[int]:
    """The numbers of the lines that define where links go, such as `[1]: https://…`."""
    return {
        number
        for each in environment.get("references", {}).values()
        for number in range(*each["map"])
    }


def _title(content: str) -> str:
    """A heading's text without its marks of emphasis, code and links."""
    return _collapsed(_MARKS.sub("", _LINK.sub(r"\1", content)))


def _name(title: str) -> str:
    """A heading as it is found again on another day, with other numbers."""
    return _collapsed(_NUMBER.sub("0", _DATE.sub("", title))).casefold()


def _collapsed(text: str) -> str:
    return " ".join(text.split())
