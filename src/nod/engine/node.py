"""This process among those that share its database."""

from dataclasses import dataclass, field

from nod.domain.instant import SECOND, Instant
from nod.domain.model import new_id

SEEN_EVERY: Instant = 5 * SECOND
# Whoever has not been seen for longer is gone: two signs of life may come late.
_ALIVE: Instant = 3 * SEEN_EVERY


def alive_after(now: Instant) -> Instant:
    """Servers seen after this are there."""
    return now - _ALIVE


@dataclass(frozen=True, slots=True)
class Node:
    """`shared`: there may be others on the database, as there may not on a SQLite file."""

    shared: bool = False
    id: str = field(default_factory=lambda: new_id("node", 0))
