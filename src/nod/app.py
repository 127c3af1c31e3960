"""One Nod process: everything it is made of, put together, started and stopped in order."""

import asyncio
from collections.abc import Iterable, Mapping
from functools import partial
from importlib.resources import files
from typing import Any

from nod.actions.act import buttons
from nod.actions.answers import held_answers
from nod.actions.decisions import DUE_DECISIONS
from nod.actions.heartbeats import Heartbeats
from nod.bus.hints import Bus, Hints
from nod.bus.line import LineBus, Lines
from nod.bus.live import Live
from nod.bus.local import Changes
from nod.clock import Clock, SystemClock
from nod.config import Settings
from nod.delivery.address_guard import AddressGuard
from nod.delivery.sockets import Sockets
from nod.delivery.webhook import WebhookSender
from nod.domain.errors import Unavailable
from nod.domain.instant import Instant
from nod.engine.aside import Aside
from nod.engine.deliver import Deliverer
from nod.engine.guard import Guard
from nod.engine.hints import hints_of, timers_of
from nod.engine.loops import Engine, Look
from nod.engine.node import Node
from nod.engine.notifier import Notifier, installation, make_vapid_key
from nod.engine.outside import Outside
from nod.engine.presence import CONNECTED, LEFT, Presence
from nod.engine.rescue import EXPIRED_EVENTS, OVERDUE_RUNS
from nod.engine.retries import DUE_RETRIES
from nod.engine.rush import Rush
from nod.engine.webhooks import Webhooks
from nod.notify.apprise_sender import AppriseSender
from nod.notify.push import PushSender
from nod.pictures import Pictures
from nod.secrets import Vault, load_secret_key
from nod.store.effects import Effects, Stage
from nod.store.migrate import load_migrations
from nod.store.port import Database
from nod.store.rows import fragments
from nod.store.sqlite import SqliteDatabase
from nod.store.statements import load_statements
from nod.store.store import Store
from nod.telemetry import Telemetry


def open_database(settings: Settings, *, exclusive: bool) -> Database:
    """The settings' database; `exclusive` for the server, which keeps other servers off a file.

    A PostgreSQL server has room for several. Without `exclusive` they are told of changes.
    """
    here = files("nod.store")
    if settings.is_postgres:
        from nod.store.postgres import PostgresDatabase

        return PostgresDatabase(
            settings.database_url,
            load_statements(here / "sql", "postgres", fragments()),
            load_migrations(here / "migrations", "postgres"),
            connections=settings.limits.database_connections,
            beside=not exclusive,
        )
    return SqliteDatabase(
        settings.database_path,
        load_statements(here / "sql", "sqlite", fragments()),
        load_migrations(here / "migrations"),
        exclusive=exclusive,
    )


async def open_bus(settings: Settings, store: Store) -> Bus | None:
    """What carries hints between the nodes. A file has one server, and needs none.

    Raises Unavailable where the driver of the bus is not installed.
    """
    if settings.bus_url is not None:
        return LineBus(_nats_lines(settings.bus_url, await store.read(installation)))
    if not settings.is_postgres:
        return None
    from nod.store.postgres_bus import PostgresLines

    return LineBus(PostgresLines(settings.database_url))


def _nats_lines(url: str, installation: str) -> Lines:
    try:
        from nod.bus.nats import NatsLines
    except ImportError:
        raise Unavailable(
            "the bus needs the driver of NATS: pip install 'nod-tasks[server,nats]'"
        ) from None
    return NatsLines(url, f"nod.{installation}")


# What they do is in the database, where any of them may find it.
_SHARED_STAGES: tuple[Stage, ...] = ("fire", "deliver", "rescue", "notify")


class Nod:
    """The parts of one process. What the doors need is public."""

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        self.settings = settings
        self.clock = clock or SystemClock()
        self.limits = settings.limits
        self.vault = Vault(load_secret_key(settings.secret_key, settings.data_dir))
        database = open_database(settings, exclusive=True)
        self.store = Store(database, self.clock, self.limits, self._committed)
        self._bus: Bus | None = None
        self._outside = self._look_outside(database)
        self.pictures = Pictures(self.limits)
        self.changes = Changes()
        self.live = Live(self.clock.now())
        self.sockets = Sockets()
        self._node = Node(settings.is_postgres, settings.role)
        self._presence = Presence(self.store, self.sockets, self._node, self.clock)
        self.heartbeats = Heartbeats(self.store, self.clock, self.limits)
        self._rush = Rush()
        self.telemetry = Telemetry(settings.log_json, calm=self._rush.over)
        self.telemetry.watch_sockets(lambda: len(self.sockets))
        self.leaving = False  # it is ready for nothing new, and goes on with what there is
        self.draining = asyncio.Event()
        self._sender: WebhookSender | None = None
        self._deliverer: Deliverer | None = None
        self._engine: Engine | None = None
        self._notifier: Notifier | None = None

    @property
    def deliverer(self) -> Deliverer:
        if self._deliverer is None:
            raise RuntimeError("Nod has not been started")
        return self._deliverer

    @property
    def sender(self) -> WebhookSender:
        if self._sender is None:
            raise RuntimeError("Nod has not been started")
        return self._sender

    @property
    def notifier(self) -> Notifier:
        if self._notifier is None:
            raise RuntimeError("Nod has not been started")
        return self._notifier

    async def start(self) -> None:
        """Open the database, then start the stages."""
        await self.store.start()
        guard = AddressGuard(self.settings.allow_webhook_nets)
        self._sender = WebhookSender(guard, self.limits, self.clock)
        aside = Aside("event", self.clock, self.telemetry.record)
        webhooks = Webhooks(
            self.store, self._sender, self.vault, self.clock, self.limits, aside, self._node
        )
        self._deliverer = Deliverer(
            self.store,
            self.sockets,
            webhooks,
            self.clock,
            self.limits,
            self._rush,
            aside,
            self._node,
        )
        if self._node.shared:
            self._join_nodes(self._deliverer)
        await self.store.write(lambda tx: make_vapid_key(tx, self.vault))
        self._bus = await open_bus(self.settings, self.store)
        self._notifier = self._make_notifier(guard)
        self._engine = Engine(
            self.store,
            self._deliverer,
            self.clock,
            self._rush,
            (OVERDUE_RUNS, DUE_RETRIES, EXPIRED_EVENTS, held_answers(self.vault), DUE_DECISIONS),
            self.telemetry.record,
            {
                "notify": self._notifier.look,
                "guard": Guard(self.store, self.sockets, self.clock).look,
                "outside": self._outside,
            },
            self._node,
        )
        self._engine.start()
        if self._bus is not None:
            self._bus.start(self._heard)

    def _look_outside(self, database: Database) -> Look:
        """How this process sees what others do of which it gets no hint."""
        if isinstance(database, SqliteDatabase):
            return Outside(database, self.clock, self._changed_outside).look
        return self._look_at_nodes

    async def _look_at_nodes(self) -> Instant:
        next_at = await self._presence.look()
        if self._engine is not None:
            # Whoever has made something due may have ended before the hint of it went out.
            self._engine.wake_at(dict.fromkeys(_SHARED_STAGES, self.clock.now()))
        return next_at

    def _join_nodes(self, deliverer: Deliverer) -> None:
        deliverer.moved = self._presence.moved
        self._presence.is_known = deliverer.is_known
        self._presence.overlooked = deliverer.look_for
        self._presence.look_again = self._look_outside_again

    def _look_outside_again(self) -> None:
        if self._engine is not None:
            self._engine.wake_at({"outside": self.clock.now()})

    def _make_notifier(self, guard: AddressGuard) -> Notifier:
        return Notifier(
            self.store,
            PushSender(guard, self.limits, self.clock),
            AppriseSender(guard, self.limits),
            self.vault,
            self.clock,
            self.limits,
            self.settings.public_url,
            partial(buttons, self.vault, self.limits),
            self.telemetry.record,
        )

    def leave(self) -> int:
        """The process is told to end: it says so to whoever asks whether it is ready. Returns for
        how many seconds it goes on, where others can take over from it meanwhile."""
        self.leaving = True
        return self.limits.drain_s if self._presence.has_company else 0

    def drain(self) -> None:
        """The process is about to end: nobody is kept waiting, nobody new is let in."""
        self.leaving = True
        self.draining.set()
        self.changes.release()
        self.live.close()

    async def stop(self) -> None:
        """Stop the stages, then delivery, then the database. What is not delivered is stored."""
        self.drain()
        if self._engine is not None:
            await self._engine.stop()
        if self._deliverer is not None:
            await self._deliverer.close()
        if self._node.shared and self._deliverer is not None:
            await self._presence.close()
        if self._notifier is not None:
            await self._notifier.close()
        if self._sender is not None:
            await self._sender.close()
        if self._bus is not None:
            await self._bus.close()
        await self.store.close()
        await self.telemetry.close()

    def _changed_outside(self) -> None:
        """Another process has changed the database; nobody knows what."""
        if self._engine is not None:
            self._engine.look_again()
        self.deliverer.look_for({socket.agent_id for socket in self.sockets})
        self._all_look_again()

    def _all_look_again(self) -> None:
        self.changes.release()
        self.live.resync(self.clock.now())

    def _committed(self, effects: Effects) -> None:
        """Hand on what one transaction has caused, right after its commit."""
        self.deliverer.take(effects.outbox)
        if self._engine is not None:
            self._engine.wake(effects)
        self._happened((fact.name, fact.fields) for fact in effects.facts)
        self.changes.notify(effects.changed)
        self.telemetry.record(effects.facts)
        if self._bus is not None:
            self._bus.tell(hints_of(effects, delivers=self._node.is_engine and not self.leaving))

    def _heard(self, hints: Hints) -> None:
        """Another process has committed something."""
        if hints.everything:
            self._changed_outside()
            return
        self.deliverer.look_for(hints.agents)
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
            elif name == "delivered":
                self.deliverer.ended_elsewhere(agent_id, event_id=fields["event_id"])
            elif name == "taken_up":
                self.deliverer.ended_elsewhere(agent_id, run_id=fields["run_id"])

    def _happened(self, facts: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
        """What happened, here or elsewhere, by name and fields."""
        known = list(facts)
        for name, fields in known:
            if name == "run_ended":
                self.heartbeats.forget_run(fields["agent_id"], fields["run_id"])
        self.live.record((fields for _, fields in known), self.clock.now())
