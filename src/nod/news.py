"""What was committed, here or by another process, handed on to whoever has to know."""

from collections.abc import Iterable, Mapping
from typing import Any

from nod.actions.heartbeats import Heartbeats
from nod.bus.hints import Bus, Hints
from nod.bus.live import Live
from nod.bus.local import Changes
from nod.clock import Clock
from nod.delivery.sockets import Sockets
from nod.domain.instant import Instant
from nod.engine.deliver import Deliverer
from nod.engine.hints import hints_of, timers_of
from nod.engine.loops import Engine
from nod.engine.node import Node
from nod.engine.presence import CONNECTED, LEFT, Presence
from nod.store.effects import Effects, Stage
from nod.telemetry import Telemetry

# What they do is in the database, where any node may find it.
_SHARED_STAGES: tuple[Stage, ...] = ("fire", "deliver", "rescue", "notify")


class News:
    """Hands on what has happened: to the stages, to sockets, to open pages, to other nodes."""

    def __init__(
        self,
        sockets: Sockets,
        presence: Presence,
        heartbeats: Heartbeats,
        telemetry: Telemetry,
        node: Node,
        clock: Clock,
    ) -> None:
        self.changes = Changes()
        self.live = Live(clock.now())
        self._sockets = sockets
        self._presence = presence
        self._heartbeats = heartbeats
        self._telemetry = telemetry
        self._node = node
        self._clock = clock
        self._deliverer: Deliverer | None = None
        self._engine: Engine | None = None
        self._bus: Bus | None = None

    def start(self, deliverer: Deliverer, engine: Engine, bus: Bus | None) -> None:
        """From now on they get what happens. Before that, nothing happens that concerns them."""
        self._deliverer, self._engine, self._bus = deliverer, engine, bus
        if bus is not None:
            bus.start(self._heard)

    async def close(self) -> None:
        """Tell the other nodes what is still to be told, and hear no more of them."""
        if self._bus is not None:
            await self._bus.close()

    def release(self) -> None:
        """Let go of all that wait for something, and end the streams of open pages."""
        self.changes.release()
        self.live.close()

    def committed(self, effects: Effects) -> None:
        """Hand on what one transaction has caused, right after its commit."""
        if self._deliverer is not None:
            self._deliverer.take(effects.outbox)
        if self._engine is not None:
            self._engine.wake(effects)
        self._happened((fact.name, fact.fields) for fact in effects.facts)
        self.changes.notify(effects.changed)
        self._telemetry.record(effects.facts)
        if self._bus is not None:
            delivers = self._node.is_engine and not self._node.leaving
            self._bus.tell(hints_of(effects, delivers=delivers))

    def changed_outside(self) -> None:
        """Another process has changed the database; nobody knows what."""
        if self._engine is not None:
            self._engine.look_again()
        if self._deliverer is not None:
            self._deliverer.look_for({socket.agent_id for socket in self._sockets})
        self._all_look_again()

    async def look_at_nodes(self) -> Instant:
        """See who else is there, and what others have left; return when to look again."""
        next_at = await self._presence.look()
        if self._engine is not None:
            # Whoever has made something due may have ended before the hint of it went out.
            self._engine.wake_at(dict.fromkeys(_SHARED_STAGES, self._clock.now()))
        return next_at

    def look_at_nodes_again(self) -> None:
        """Something that only the database knows has to be looked up at once."""
        if self._engine is not None:
            self._engine.wake_at({"outside": self._clock.now()})

    def _heard(self, hints: Hints) -> None:
        """Another process has committed something."""
        if hints.everything:
            self.changed_outside()
            return
        if self._deliverer is not None:
            self._deliverer.look_for(hints.agents)
        if self._engine is not None:
            self._engine.wake_at(timers_of(hints))
        told = list(hints.happened())
        self._told_elsewhere(told)
        self._happened(told)
        self.changes.notify(hints.changed)
        if hints.much:
            self._all_look_again()

    def _told_elsewhere(self, facts: Iterable[tuple[str, Mapping[str, str]]]) -> None:
        """What another process has done to agents that may be connected here."""
        for name, fields in facts:
            agent_id = fields.get("agent_id", "")
            if name in (CONNECTED, LEFT):
                self._presence.heard(name, agent_id, fields["node_id"])
            elif name == "delivered" and self._deliverer is not None:
                self._deliverer.ended_elsewhere(agent_id, event_id=fields["event_id"])
            elif name == "taken_up" and self._deliverer is not None:
                self._deliverer.ended_elsewhere(agent_id, run_id=fields["run_id"])

    def _all_look_again(self) -> None:
        self.changes.release()
        self.live.resync(self._clock.now())

    def _happened(self, facts: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
        """What happened, here or elsewhere, by name and fields."""
        known = list(facts)
        for name, fields in known:
            if name == "run_ended":
                self._heartbeats.forget_run(fields["agent_id"], fields["run_id"])
        self.live.record((fields for _, fields in known), self._clock.now())
