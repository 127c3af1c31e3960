"""What changed between two results, section by section. Pure.

A section is found again by its headings, so one that moved has not changed. Space, numbers of link
references and the date in a heading are no change. Results beyond the limits are not compared, and
sections beyond them not line by line: the work stays small whatever an agent writes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

from nod.domain.limits import Limits
from nod.domain.sections import Key, Line, Section, sections

ChangeKind = Literal["added", "removed", "changed"]
LineKind = Literal["same", "added", "removed"]

_OPENING = "Opening"  # what stands before the first heading
_NAMED = 3  # sections that a summary names
_COUNTED: tuple[LineKind, ...] = ("added", "removed")


@dataclass(frozen=True, slots=True)
class DiffLine:
    """A line of the newer result (same, added) or of the older one (removed)."""

    kind: LineKind
    text: str


@dataclass(frozen=True, slots=True)
class SectionChange:
    """One section that is not as it was. `lines` is None where it was too large to compare."""

    kind: ChangeKind
    path: tuple[str, ...]
    lines: tuple[DiffLine, ...] | None

    @property
    def title(self) -> str:
        """The section's own heading."""
        return self.path[-1] if self.path else _OPENING


@dataclass(frozen=True, slots=True)
class Changes:
    """What a newer result changed: in its own order, what was removed at the end."""

    sections: tuple[SectionChange, ...]
    too_large: bool = False

    def summary(self, since: str) -> str:
        """One sentence: `2 changes since Friday: “Merged” changed, “Attention” added`."""
        if self.too_large:
            return f"Too large to compare with the result of {since}"
        if not self.sections:
            return f"No changes since {since}"
        if len(self.sections) == 1 and not self.sections[0].path:
            return f"{_line_counts(self.sections[0])} since {since}"
        count = len(self.sections)
        named = [f"“{each.title}” {each.kind}" for each in self.sections[:_NAMED]]
        if count > _NAMED:
            named.append(f"{count - _NAMED} more")
        noun = "change" if count == 1 else "changes"
        return f"{count} {noun} since {since}: {', '.join(named)}"


def _line_counts(change: SectionChange) -> str:
    """`2 lines added, 1 removed`, of a result without headings."""
    if change.lines is None:
        return "Changed"
    counts = [(kind, sum(each.kind == kind for each in change.lines)) for kind in _COUNTED]
    words = [f"{count} {kind}" for kind, count in counts if count]
    first, _, rest = words[0].partition(" ")
    return ", ".join([f"{first} {'line' if first == '1' else 'lines'} {rest}", *words[1:]])


def compare(older: str, newer: str, limits: Limits) -> Changes:
    """What `newer` has that `older` had not, and the other way round."""
    if max(len(older), len(newer)) > limits.diff_chars:
        return Changes((), too_large=older != newer)
    before = {each.key: each for each in sections(older)}
    after = {each.key: each for each in sections(newer)}
    added, removed = _only(after, before), _only(before, after)
    left = limits.diff_lines
    found: list[SectionChange] = []
    for key, now in after.items():
        was = before.get(key)
        if key in added:
            found.append(_whole("added", added[key]))
        elif was is not None and not _equal(was.lines, now.lines):
            left -= len(was.lines) + len(now.lines)
            lines = _diff(was.lines, now.lines) if left >= 0 else None
            found.append(SectionChange("changed", now.path, lines))
    found += [_whole("removed", each) for each in removed.values()]
    return Changes(tuple(found))


def _equal(older: Sequence[Line], newer: Sequence[Line]) -> bool:
    return [each.compared for each in older] == [each.compared for each in newer]


def _only(here: Mapping[Key, Section], other: Mapping[Key, Section]) -> dict[Key, list[Section]]:
    """The sections that only this text has, each with those inside of it, which follow it."""
    found: dict[Key, list[Section]] = {}
    outer: Key = ()
    for key, section in here.items():
        if key in other:
            continue
        if outer and key[: len(outer)] == outer:
            found[outer].append(section)
        else:
            outer = key
            found[key] = [section]
    return found


def _whole(kind: Literal["added", "removed"], parts: Sequence[Section]) -> SectionChange:
    lines = tuple(DiffLine(kind, line.text) for part in parts for line in part.lines)
    return SectionChange(kind, parts[0].path, lines)


def _diff(older: Sequence[Line], newer: Sequence[Line]) -> tuple[DiffLine, ...]:
    """The newer lines in their order, with the removed ones where they stood."""
    old, new = [each.compared for each in older], [each.compared for each in newer]
    found: list[DiffLine] = []
    for tag, i, j, k, m in SequenceMatcher(None, old, new).get_opcodes():
        if tag == "equal":
            found += [DiffLine("same", each.text) for each in newer[k:m]]
        else:
            found += [DiffLine("removed", each.text) for each in older[i:j]]
            found += [DiffLine("added", each.text) for each in newer[k:m]]
    return tuple(found)
