"""This process among those that share its database."""

from dataclasses import dataclass, field

from nod.config import Role
from nod.domain.instant import SECOND, Instant
from nod.domain.model import new_id
from nod.store.effects import Stage
from nod.store.nodes import Asker

SEEN_EVERY: Instant = 3 * SECOND
# Whoever has not been seen for longer is gone: two signs of life may come late.
_GONE: Instant = 10 * SECOND
# A server that can make itself seen no more gives up, before it is gone for the others, what they
# then take from it. In between their clocks may differ.
SEEN_FOR_S = 7.0

# What a server does that leaves the engine to others: it brings events to the agents connected to
# it, hangs up on those that may not stay, and looks what the others do.
_OF_API: frozenset[Stage] = frozenset(("deliver", "guard", "outside"))


@dataclass(slots=True)
class Node:
    """`shared`: there may be others on the database, as there may not on a SQLite file."""

    shared: bool = False
    role: Role = "all"
    id: str = field(default_factory=lambda: new_id("node", 0))
    leaving: bool = False
    """Whether the process is told to end, and leaves to others what is new."""
    is_seen: bool = field(init=False)
    """Whether the others know that this process is there, and leave to it what it has in hand."""

    def __post_init__(self) -> None:
        self.is_seen = not self.shared

    @property
    def is_engine(self) -> bool:
        """Whether it fires, ends what is overdue, and sends what goes to no connection of ours."""
        return self.role != "api"

    def runs(self, stage: Stage) -> bool:
        """Whether the stage is one of this process."""
        return self.is_engine or stage in _OF_API

    def asks(self, now: Instant) -> Asker:
        """This process as the store's verbs take it."""
        return Asker(self.id, now - _GONE)
