"""Whether the agents that are connected may stay: a socket proves itself only when it opens."""

from collections.abc import Iterator

from nod.clock import Clock
from nod.delivery.sockets import NO_AGENT, WRONG_SECRET, Sockets
from nod.domain.credentials import FOR_GOOD, holds_until
from nod.domain.instant import Instant
from nod.domain.model import Agent
from nod.store.store import Store


class Guard:
    """Hangs up on agents that were removed, and on connections whose secret holds no more."""

    def __init__(self, store: Store, sockets: Sockets, clock: Clock) -> None:
        self._store = store
        self._sockets = sockets
        self._clock = clock

    async def look(self) -> Instant | None:
        """Hang up where it is time to; return when the next secret in use ends."""
        if not len(self._sockets):
            return None
        suspects = await self._store.read(lambda tx: tx.people.suspects())
        return min((at for agent in suspects for at in self._check(agent)), default=None)

    def _check(self, agent: Agent) -> Iterator[Instant]:
        """Of one agent's connections those that go now are hung up; the ends of the others."""
        for socket in self._sockets.of(agent.id):
            until = holds_until(agent, socket.secret_hash)
            if agent.deleted_at is not None:
                socket.hang_up(NO_AGENT, "this agent was removed")
            elif until <= self._clock.now():
                socket.hang_up(WRONG_SECRET, "this secret holds no more")
            elif until < FOR_GOOD:
                yield until
