"""What processes on the same database tell each other of what they have committed, and by what.

Hints only: whoever misses one finds the change at the next look at the database, and one that is
told twice does no harm.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

import msgspec

from nod.domain.instant import Instant

_ID = "_id"
_MOST = 500  # what is told one by one


@dataclass(slots=True)
class Hints:
    """What was committed, as far as another process needs to know to look at the right moment."""

    timers: dict[str, Instant] = field(default_factory=dict)
    """Stages, and when they have something to do."""
    agents: set[str] = field(default_factory=set)
    """For these something waits in the outbox."""
    changed: set[str] = field(default_factory=set)
    """Ids of what others may wait for."""
    facts: set[tuple[str, ...]] = field(default_factory=set)
    """What happened: its name, then its fields that are ids, each as `agent_id=agt_…`."""
    much: bool = False
    """More than is told one by one: whoever waits for something, or looks on, looks again."""
    everything: bool = False
    """Anything may have changed."""

    def fact(self, name: str, fields: Mapping[str, Any]) -> None:
        """Something happened."""
        ids = (f"{key}={value}" for key, value in fields.items() if _is_id(key, value))
        self.facts.add((name, *ids))

    def add(self, other: "Hints") -> None:
        """Have what the other has too."""
        for stage, at in other.timers.items():
            self.timers[stage] = min(at, self.timers.get(stage, at))
        self.agents |= other.agents
        self.changed |= other.changed
        self.facts |= other.facts
        self.much |= other.much
        self.everything |= other.everything
        if len(self.facts) + len(self.changed) > _MOST:
            self.facts.clear()
            self.changed.clear()
            self.much = True

    def happened(self) -> Iterator[tuple[str, dict[str, str]]]:
        """The facts: the name and the ids of each."""
        for name, *ids in self.facts:
            yield name, dict(each.split("=", 1) for each in ids)


Heard: TypeAlias = Callable[[Hints], None]


class Bus(Protocol):
    """What carries hints between processes. It may lose them, and says so by `everything`."""

    def start(self, heard: Heard) -> None:
        """Begin to listen; `heard` gets what others tell, never what this process tells."""
        ...

    def tell(self, hints: Hints) -> None:
        """Tell the others soon. Waits for nobody and never fails."""
        ...

    async def close(self) -> None:
        """Tell what is still to be told, if that goes quickly, and stop."""
        ...


def pieces(hints: Hints, most_bytes: int) -> Iterator[str]:
    """The hints as texts of at most so many bytes."""
    piece: list[str] = []
    size = 2
    for word in _words(hints):
        length = len(msgspec.json.encode(word)) + 1
        if piece and size + length > most_bytes:
            yield _text(piece)
            piece, size = [], 2
        piece.append(word)
        size += length
    if piece:
        yield _text(piece)


def read_piece(text: str) -> Hints:
    """What a piece says. One that cannot be understood may say anything."""
    hints = Hints()
    try:
        for word in msgspec.json.decode(text, type=list[str]):
            _read(word, hints)
    except ValueError:
        return Hints(everything=True)
    return hints


def _words(hints: Hints) -> Iterator[str]:
    yield from (f"t {stage} {at}" for stage, at in hints.timers.items())
    yield from (f"a {each}" for each in hints.agents)
    yield from (f"c {each}" for each in hints.changed)
    yield from (f"f {' '.join(each)}" for each in hints.facts)
    if hints.much:
        yield "much"
    if hints.everything:
        yield "everything"


def _read(word: str, hints: Hints) -> None:
    kind, *rest = word.split(" ")
    match kind, rest:
        case "t", [stage, at]:
            hints.timers[stage] = int(at)
        case "a", [agent_id]:
            hints.agents.add(agent_id)
        case "c", [id_]:
            hints.changed.add(id_)
        case "f", [_, *_]:
            hints.facts.add(tuple(rest))
        case "much", []:
            hints.much = True
        case _:
            hints.everything = True


def _is_id(key: str, value: object) -> bool:
    return key.endswith(_ID) and isinstance(value, str) and " " not in value


def _text(words: Iterable[str]) -> str:
    return msgspec.json.encode(list(words)).decode()
