"""What falls together: times at which an agent works on two tasks at once. Pure."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nod.domain.agenda import Agenda, Entry
from nod.domain.day_words import joined
from nod.domain.instant import MINUTE, Instant
from nod.domain.words import clock_words

# A run that nobody has timed yet: fires of one minute still fall together.
_SHORTEST: Instant = MINUTE
_MOST_NAMED = 3
# While it waits for a person, or is on its way, its agent is free.
_WORKS = frozenset({"running", "done", "failed", "cancelled", "due"})


@dataclass(frozen=True, slots=True)
class Clash:
    """Entries of one agent, of at least two tasks, that overlap from `start` to `end`."""

    agent_id: str
    start: Instant
    end: Instant
    keys: tuple[str, ...]  # of the entries, in order of time
    task_names: tuple[str, ...]
    sentence: str


def clashes(found: Agenda, zone: str, now: Instant) -> tuple[Clash, ...]:
    """All of them, in order of time. A task that fires so often that it is counted and not listed
    falls together with everything, which tells a person nothing."""
    dense = {each.task_id for each in found.bands}
    lanes: defaultdict[str, list[_Work]] = defaultdict(list)
    for each in (*found.carried, *found.entries):
        if each.start is not None and each.state in _WORKS and each.task_id not in dense:
            lanes[each.agent_id].append(_Work(each, each.start, _work_end(each, each.start)))
    together = [
        _clash(agent_id, group, zone, now)
        for agent_id, lane in lanes.items()
        for group in _groups(sorted(lane, key=_place))
    ]
    return tuple(sorted(together, key=lambda each: (each.start, each.agent_id)))


@dataclass(frozen=True, slots=True)
class _Work:
    entry: Entry
    start: Instant
    end: Instant


@dataclass(slots=True)
class _Group:
    start: Instant
    end: Instant
    works: dict[str, _Work]


def _work_end(entry: Entry, start: Instant) -> Instant:
    return max(entry.end, start + _SHORTEST) if entry.state == "due" else entry.end


def _place(work: _Work) -> tuple[Instant, str, str]:
    return work.start, work.entry.task_name, work.entry.key


def _groups(lane: Sequence[_Work]) -> Iterator[_Group]:
    """The overlaps of two works of different tasks; those that touch are one."""
    group: _Group | None = None
    going: list[_Work] = []
    for work in lane:
        going = [each for each in going if each.end > work.start]
        for other in going:
            if other.entry.task_id == work.entry.task_id:
                continue
            end = min(work.end, other.end)
            if group is None or work.start > group.end:
                if group is not None:
                    yield group
                group = _Group(work.start, end, {})
            group.end = max(group.end, end)
            group.works |= {other.entry.key: other, work.entry.key: work}
        going.append(work)
    if group is not None:
        yield group


def _clash(agent_id: str, group: _Group, zone: str, now: Instant) -> Clash:
    works = sorted(group.works.values(), key=_place)
    names = tuple({each.entry.task_id: each.entry.task_name for each in works}.values())
    return Clash(
        agent_id,
        group.start,
        group.end,
        tuple(work.entry.key for work in works),
        names,
        _sentence(names, group, zone, now),
    )


def _sentence(names: Sequence[str], group: _Group, zone: str, now: Instant) -> str:
    """`"Backup" and "Report" fall together, 14:00-14:10.`"""
    begin, end = clock_words(group.start, zone), clock_words(group.end, zone)
    # Runs that nobody has timed yet, or of less than a minute, have no length to show.
    when = f"at {begin}" if group.end - group.start <= _SHORTEST else f"{begin}\u2013{end}"
    verb = "ran at the same time" if group.end <= now else "fall together"
    named = [f'"{name}"' for name in names[:_MOST_NAMED]]
    if len(names) > _MOST_NAMED:
        named.append(f"{len(names) - _MOST_NAMED} more")
    return f"{joined(named)} {verb}, {when}."
