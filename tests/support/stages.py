"""The engine without what has tests of its own: delivering, and sending notices."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from nod.domain.instant import Instant
from nod.engine.batches import Work
from nod.engine.loops import Engine
from nod.engine.node import Node
from nod.engine.rush import Rush
from nod.store.effects import Fact
from support.world import World


class NoDeliverer:
    """A stage with nothing to do."""

    async def look(self) -> Instant | None:
        return None


def make_engine(
    world: World, rescues: Sequence[Work[Any]], tell: Callable[[Iterable[Fact]], None]
) -> Engine:
    """The engine of `world`, not started."""
    nothing = NoDeliverer()
    return Engine(
        world.store,
        nothing,  # type: ignore[arg-type]
        world.clock,
        Rush(),
        rescues,
        tell,
        {"notify": nothing.look, "guard": nothing.look},
        Node(),
    )
