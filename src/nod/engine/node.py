"""This process among those that share its database."""

from dataclasses import dataclass, field

from nod.config import Role
from nod.domain.instant import SECOND, Instant
from nod.domain.model import new_id
from nod.store.effects import Stage

SEEN_EVERY: Instant = 5 * SECOND
# Whoever has not been seen for longer is gone: two signs of life may come late.
_ALIVE: Instant = 3 * SEEN_EVERY


def alive_after(now: Instant) -> Instant:
    """Servers seen after this are there."""
    return now - _ALIVE


# What a server does that leaves the engine to others: it brings events to the agents connected to
# it, hangs up on those that may not stay, and looks what the others do.
_OF_API: frozenset[Stage] = frozenset(("deliver", "guard", "outside"))


@dataclass(frozen=True, slots=True)
class Node:
    """`shared`: there may be others on the database, as there may not on a SQLite file."""

    shared: bool = False
    role: Role = "all"
    id: str = field(default_factory=lambda: new_id("node", 0))

    @property
    def is_engine(self) -> bool:
        """Whether it fires, ends what is overdue, and sends what goes to no connection of ours."""
        return self.role != "api"

    def runs(self, stage: Stage) -> bool:
        """Whether the stage is one of this process."""
        return self.is_engine or stage in _OF_API
