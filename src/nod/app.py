"""One Nod process: everything it is made of, put together, started and stopped in order."""

import asyncio
import os
from functools import partial

from nod.actions.act import buttons
from nod.actions.answers import held_answers
from nod.actions.decisions import DUE_DECISIONS
from nod.actions.heartbeats import Heartbeats
from nod.clock import Clock, SystemClock
from nod.config import Settings
from nod.delivery.address_guard import AddressGuard
from nod.delivery.sockets import Sockets
from nod.delivery.webhook import WebhookSender
from nod.engine.aside import Aside
from nod.engine.deliver import Deliverer
from nod.engine.guard import Guard
from nod.engine.loops import Engine, Look
from nod.engine.node import Node
from nod.engine.notifier import Notifier, make_vapid_key
from nod.engine.outside import Outside
from nod.engine.presence import Presence
from nod.engine.rescue import EXPIRED_EVENTS, OVERDUE_RUNS
from nod.engine.retries import DUE_RETRIES
from nod.engine.rush import Rush
from nod.engine.webhooks import Webhooks
from nod.news import News
from nod.notify.apprise_sender import AppriseSender
from nod.notify.push import PushSender
from nod.opening import open_bus, open_database, open_spans
from nod.pictures import Pictures
from nod.secrets import Vault, load_secret_key
from nod.store.effects import Effects
from nod.store.place import Place
from nod.store.port import Database
from nod.store.sqlite import SqliteDatabase
from nod.store.store import Store
from nod.telemetry import Telemetry


class Nod:
    """The parts of one process. What the doors need is public."""

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        self.settings = settings
        self.clock = clock or SystemClock()
        self.limits = settings.limits
        self.vault = Vault(load_secret_key(settings.secret_key, settings.data_dir))
        database = open_database(settings, exclusive=True)
        self._spans = open_spans(os.environ)
        self.store = Store(
            database,
            self.clock,
            self.limits,
            self._committed,
            traced=self._spans is not None,
        )
        self.pictures = Pictures(self.limits)
        self.sockets = Sockets()
        self._node = Node(settings.is_postgres, settings.role)
        self._presence = Presence(self.store, self.sockets, self._node, self.clock)
        self._place: Place | None = None
        self.heartbeats = Heartbeats(self.store, self.clock, self.limits)
        self._rush = Rush()
        self.telemetry = Telemetry(settings.log_json, calm=self._rush.over)
        if self._spans is not None:
            self._spans.start(self.store)
            self.telemetry.run_ended = self._spans.run_ended
        self.telemetry.watch_sockets(lambda: len(self.sockets))
        self._news = News(
            self.sockets, self._presence, self.heartbeats, self.telemetry, self._node, self.clock
        )
        self.changes, self.live = self._news.changes, self._news.live
        self._outside = self._look_outside(database)
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
            self.store,
            self._sender,
            self.vault,
            self.clock,
            self.limits,
            aside,
            self._node,
            self.settings.public_url,
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
            self._join_nodes(self._deliverer, webhooks)
        await self.store.write(lambda tx: make_vapid_key(tx, self.vault))
        bus = await open_bus(self.settings, self.store)
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
        self._news.start(self._deliverer, self._engine, bus)
        self._engine.start()

    def _look_outside(self, database: Database) -> Look:
        """How this process sees what others do of which it gets no hint."""
        if isinstance(database, SqliteDatabase):
            return Outside(database, self.clock, self._news.changed_outside).look
        return self._news.look_at_nodes

    def _join_nodes(self, deliverer: Deliverer, webhooks: Webhooks) -> None:
        deliverer.moved = self._presence.moved
        self._presence.is_known = deliverer.is_known
        self._presence.overlooked = deliverer.look_for
        self._presence.lost = webhooks.give_up
        self._presence.look_again = self._news.look_at_nodes_again
        self._place = Place(self.settings.data_dir, self._node.id)
        self._presence.former = self._place.former

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

    @property
    def leaving(self) -> bool:
        """Whether it is ready for nothing new, and goes on with what there is."""
        return self._node.leaving

    def leave(self) -> int:
        """The process is told to end: it says so to whoever asks whether it is ready. Returns for
        how many seconds it goes on, where others can take over from it meanwhile."""
        self._node.leaving = True
        return self.limits.drain_s if self._presence.has_company else 0

    def drain(self) -> None:
        """The process is about to end: nobody is kept waiting, nobody new is let in."""
        self._node.leaving = True
        self.draining.set()
        self._news.release()

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
        await self._news.close()
        if self._spans is not None:
            await self._spans.close()
        await self.store.close()
        if self._place is not None:
            self._place.leave()
        await self.telemetry.close()

    def _committed(self, effects: Effects) -> None:
        self._news.committed(effects)
