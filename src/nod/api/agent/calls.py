"""What calls of agents have in common: who may call, which run they name, and waiting."""

import math
from collections.abc import Callable
from typing import TypeVar

from litestar.handlers.base import BaseRouteHandler

from nod.api.auth import Connection
from nod.app import Nod
from nod.domain.errors import Forbidden, InvalidInput
from nod.domain.instant import SECOND
from nod.domain.limits import Limits
from nod.domain.model import Agent, Channel
from nod.store.store import Work

T = TypeVar("T")


async def require_interactive(connection: Connection, _: BaseRouteHandler) -> None:
    """Guard behind `require_agent`: the agent has tasks. Raises Forbidden."""
    if connection.scope["user"].kind != "interactive":
        raise Forbidden("an approval_only agent has no tasks; create an interactive agent for them")


def via_of(nod: Nod, agent: Agent, run_id: str) -> Channel:
    """The agent names the run: what was pushed of it has arrived."""
    return nod.deliverer.named(agent.id, run_id)


def check_wait(wait_s: int, limits: Limits) -> None:
    if not 0 <= wait_s <= limits.long_poll_s:
        raise InvalidInput(f"wait_s must be between 0 and {limits.long_poll_s}; got {wait_s}")


async def wait_for(
    nod: Nod, id_: str, wait_s: int, look: Work[T], enough: Callable[[T], bool]
) -> T:
    """Look, and look again at each change of `id_`, until there is enough or time is up.

    The time is monotonic: a wall clock that is set makes nobody wait longer or shorter.
    """
    ends = nod.clock.monotonic() + wait_s
    while True:
        with nod.changes.watch(id_) as changed:
            found = await nod.store.read(look)
            left_s = ends - nod.clock.monotonic()
            if enough(found) or left_s <= 0 or nod.draining.is_set():
                return found
            await nod.clock.wait(changed, nod.clock.now() + math.ceil(left_s * SECOND))
