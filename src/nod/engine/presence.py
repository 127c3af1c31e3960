"""To which node each agent is connected, where several share a database.

An agent's events are sent by the node it is connected to, on whatever channel, so that no two send
the same one. Its newest connection counts: where that is on another node, the older ones here get
nothing more. The nodes tell each other by hints; what is missed is seen at the next look, every
few seconds, and so is a node that is gone.
"""

import asyncio
from collections.abc import Callable, Iterable

import structlog

from nod.clock import Clock
from nod.delivery.sockets import Sockets
from nod.domain.errors import NodError
from nod.domain.instant import HOUR, MINUTE, SECOND, Instant
from nod.engine.node import SEEN_EVERY, SEEN_FOR_S, Node
from nod.store.store import Store, Tx

_log = structlog.get_logger("nod.presence")
CONNECTED, LEFT = "at_node", "left_node"
_AGAIN_S = 1.0
_MOST = 5_000
# A hint is here long before; and what has waited for longer has not been overlooked.
_HEARD: Instant = 2 * SECOND
_SOON: Instant = 5 * MINUTE


class Presence:
    """Tells the others who is connected here, and knows who is connected there."""

    def __init__(self, store: Store, sockets: Sockets, node: Node, clock: Clock) -> None:
        self._store = store
        self._sockets = sockets
        self._node = node
        self._clock = clock
        self._untold: set[str] = set()
        self._moved: set[str] = set()  # since the last look began
        self._telling: asyncio.Task[None] | None = None
        self._until_lost: asyncio.TimerHandle | None = None
        self.former: str | None = None
        """Who this process was before it was started anew, and cannot be any more."""
        self.has_company = False
        """Whether there were other nodes at the last look, to which agents can connect."""
        self.is_known: Callable[[str, str], bool] = lambda _agent, _event: True
        """Whether an event of an agent is under way here."""
        self.overlooked: Callable[[Iterable[str]], None] = lambda _: None
        """These agents have something here that nobody has told of."""
        self.lost: Callable[[], None] = lambda: None
        """The others are about to take this node for gone."""
        self.look_again: Callable[[], None] = lambda: None
        """Something about connections here has to be looked up at once."""

    def moved(self, agent_id: str) -> None:
        """A connection of the agent has opened or closed here."""
        self._moved.add(agent_id)
        self._untold.add(agent_id)
        self._start_telling()

    def heard(self, name: str, agent_id: str, node_id: str) -> None:
        """Another node has told of a connection, by the name of the fact."""
        if self._sockets.of(agent_id):
            self.look_again()  # who was last, only the database knows
            return
        self._moved.add(agent_id)
        elsewhere = self._sockets.elsewhere
        if name == CONNECTED:
            elsewhere[agent_id] = node_id
        elif elsewhere.get(agent_id) == node_id:
            del elsewhere[agent_id]

    async def look(self) -> Instant:
        """Be seen, and see who is where; return when to look again."""
        self._moved.clear()
        began = asyncio.get_running_loop().time()
        self.has_company, connections, waiting = await self._store.write(self._beat)
        self.former = None
        self._is_seen(began)
        self._settle(connections)
        self.overlooked({agent for agent, event in waiting if not self.is_known(agent, event)})
        return self._clock.now() + SEEN_EVERY

    async def close(self) -> None:
        """The process ends: nobody is connected to it any more."""
        if self._telling is not None:
            self._telling.cancel()
            await asyncio.gather(self._telling, return_exceptions=True)
        if self._until_lost is not None:
            self._until_lost.cancel()
        try:
            await self._store.write(self._leave)
        except NodError as error:
            _log.warning("others learn later that this node is gone", reason=error.detail)

    async def _leave(self, tx: Tx) -> None:
        await tx.nodes.leave(self._node.id)
        tx.effects.timer("deliver", tx.now)  # what was in hand here, another one sends

    async def _beat(self, tx: Tx) -> tuple[bool, dict[str, str], list[tuple[str, str]]]:
        if self.former is not None:
            await tx.nodes.leave(self.former)
        await tx.nodes.see(self._node.id, tx.now)
        await tx.nodes.forget_gone(tx.now - HOUR)
        asker = self._node.asks(tx.now)
        return (
            await tx.nodes.others(asker),
            await tx.nodes.connections(asker.alive),
            await tx.nodes.waiting(asker, tx.now - _SOON, tx.now - _HEARD, _MOST),
        )

    def _is_seen(self, since: float) -> None:
        if self._until_lost is not None:
            self._until_lost.cancel()
        self._node.is_seen = True
        loop = asyncio.get_running_loop()
        self._until_lost = loop.call_at(since + SEEN_FOR_S, self._is_lost)

    def _is_lost(self) -> None:
        self._node.is_seen = False
        self.lost()

    def _settle(self, connections: dict[str, str]) -> None:
        """Take over what the database says, but of those that have moved meanwhile."""
        before = dict(self._sockets.elsewhere)
        there = {agent: node for agent, node in connections.items() if node != self._node.id}
        for agent in self._moved:
            there.pop(agent, None)
            if agent in before:
                there[agent] = before[agent]
        self._sockets.elsewhere = there
        for socket in self._sockets:
            if socket.agent_id in there:
                socket.take_all()  # they go out there
        here = {socket.agent_id for socket in self._sockets} - set(there)
        known = {agent for agent, node in connections.items() if node == self._node.id}
        for agent in (here ^ known) - self._moved - set(there):
            self.moved(agent)
        self.overlooked(here & set(before))

    def _start_telling(self) -> None:
        if self._untold and self._telling is None:
            self._telling = asyncio.create_task(self._tell(), name="presence")

    async def _tell(self) -> None:
        """Write who has come and gone; what changes meanwhile goes into the next transaction."""
        try:
            while self._untold:
                agents, self._untold = self._untold, set()
                try:
                    await self._store.write(lambda tx: self._record(agents, tx))  # noqa: B023
                except BaseException:
                    self._untold |= agents
                    raise
        except NodError as error:
            _log.warning("others learn later who is connected", reason=error.detail)
            asyncio.get_running_loop().call_later(_AGAIN_S, self._start_telling)
        finally:
            self._telling = None

    async def _record(self, agents: set[str], tx: Tx) -> None:
        here = {each for each in agents if self._sockets.newest(each) is not None}
        gone = {each for each in agents if not self._sockets.of(each)}
        await tx.nodes.connect(here, self._node.id)
        await tx.nodes.disconnect(gone, self._node.id)
        for each in here:
            tx.effects.fact(CONNECTED, agent_id=each, node_id=self._node.id)
        for each in gone:
            tx.effects.fact(LEFT, agent_id=each, node_id=self._node.id)
        if gone:
            tx.effects.timer("deliver", tx.now)
