"""What is to happen once a transaction is committed, and only then.

A transaction collects; `Store.write` hands the collection on in the order of the commits. All of
it are hints: an event that is not pushed now is found in the outbox later, a timer that is not
set is found by the stage's next look at the database.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

from nod.domain.instant import Instant
from nod.domain.model import Event, Payload

Stage = Literal["fire", "deliver", "rescue", "sweep", "notify", "guard", "outside"]


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An event that may go to its agent now, with its payload where it carries one."""

    event: Event
    payload: Payload | None = None


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that happened, for the log, the metrics and the live pages."""

    name: str
    fields: dict[str, Any]


@dataclass(slots=True)
class Effects:
    """All of that for one transaction."""

    outbox: list[Outgoing] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    timers: dict[Stage, Instant] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)

    def fact(self, name: str, **fields: Any) -> None:
        """Something happened that a person may want to read or count."""
        self.facts.append(Fact(name, fields))

    def timer(self, stage: Stage, at: Instant | None) -> None:
        """`stage` has something to do at `at` (None: nothing)."""
        if at is not None:
            self.timers[stage] = min(at, self.timers.get(stage, at))

    def change(self, *ids: str) -> None:
        """Whoever waits for a change of these ids (long polls) looks again."""
        self.changed.update(ids)
