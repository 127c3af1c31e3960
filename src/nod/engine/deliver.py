"""Events to their agents: an open socket first, else the webhook, else they wait for polling.

The outbox in the database is the truth. What is committed is handed over here at once, so that
the usual case needs no second look at the database; whatever is not delivered that way is found
in the outbox when a socket opens, a retry comes due, or the process starts again.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from functools import partial
from itertools import islice
from typing import Any

import structlog

from nod.clock import Clock
from nod.delivery.sockets import Push, Socket, Sockets
from nod.domain.errors import NodError
from nod.domain.instant import SECOND, Instant
from nod.domain.limits import Limits
from nod.domain.model import Channel, Event
from nod.engine.aside import Aside
from nod.engine.attempts import Pushed, record_pushes
from nod.engine.node import Node
from nod.engine.rush import Rush
from nod.engine.webhooks import Webhooks
from nod.store.effects import Outgoing
from nod.store.store import Store, Tx

_log = structlog.get_logger("nod.deliver")
_PAGE = 200
_AGAIN_S = 1.0
# After a herd, whoever else wants to write something waits for no more than these.
_WRITTEN_AT_ONCE = 1_000
_AFTER_ERROR_S = 60.0


class Deliverer:
    """Routes events, keeps account of pushes, and settles what is acknowledged."""

    def __init__(
        self,
        store: Store,
        sockets: Sockets,
        webhooks: Webhooks,
        clock: Clock,
        limits: Limits,
        rush: Rush,
        aside: Aside,
        node: Node,
    ) -> None:
        """`aside` is the one of `webhooks`: events that cannot be handled, by either channel."""
        self._node = node
        self.moved: Callable[[str], None] = lambda _agent_id: None
        """Hears of each agent of which a connection has opened or closed."""
        self._store = store
        self._sockets = sockets
        self._webhooks = webhooks
        self._clock = clock
        self._limits = limits
        self._rush = rush
        self._aside = aside
        self._troubled: set[str] = set()  # agents with an event that was set aside
        self._unwritten: dict[str, Pushed] = {}
        self._reached: set[str] = set()  # runs of which that is about to be written
        self._writing: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        webhooks.may_send = self._may_use_webhook
        webhooks.on_ended = self._webhook_ended

    def take(self, outbox: Sequence[Outgoing]) -> None:
        """Route events that have just been committed."""
        for outgoing in outbox:
            socket = self._sockets.newest(outgoing.event.agent_id)
            if socket is None:
                self._wake_webhook(outgoing.event.agent_id)
            elif self._must_wait(socket, outgoing.event):
                self._catch_up(socket)
                if socket.stalled:
                    self._webhooks.wake(socket.agent_id)
            elif not self._is_under_way(socket, outgoing.event.id):
                socket.push(outgoing)

    def look_for(self, agent_ids: Iterable[str]) -> None:
        """Another process has something for these agents: whoever is connected here gets it here.

        What goes by webhook, that process sends.
        """
        for agent_id in agent_ids:
            self._look_for_socket(agent_id)

    def opened(self, socket: Socket) -> None:
        """An agent has connected: what is undelivered goes there first, oldest first.

        What was on its way on an older connection goes out again here: the newest gets the events.
        """
        for older in self._sockets.of(socket.agent_id):
            older.take_all()
        self._sockets.add(socket)
        self.moved(socket.agent_id)
        socket.on_silence = self._silent
        self._catch_up(socket)

    def closed(self, socket: Socket) -> None:
        """A connection is gone: what was on its way takes the next channel."""
        self._sockets.remove(socket)
        self.moved(socket.agent_id)
        self._note(socket.take_all(), "the connection closed before it was acknowledged")
        self._look_for_socket(socket.agent_id)
        self._wake_webhook(socket.agent_id)

    def acknowledged(self, socket: Socket, event_id: str) -> bool:
        """The agent has acknowledged an event; False when it was not on its way on this socket."""
        pushes = socket.acknowledge(event_id)
        self._delivered(socket, pushes)
        return bool(pushes) or self._is_written_soon(event_id)

    def named(self, agent_id: str, run_id: str) -> Channel:
        """The agent has named a run; returns the channel by which the run reached it."""
        for socket in self._sockets.of(agent_id):
            self._delivered(socket, socket.names(run_id))
        return "websocket" if run_id in self._reached else self.channel_elsewhere(agent_id)

    def channel_elsewhere(self, agent_id: str) -> Channel:
        """How an agent has got what this node has not sent: by its connection to another one, or
        it has asked for it."""
        return "websocket" if agent_id in self._sockets.elsewhere else "poll"

    def ended_elsewhere(self, agent_id: str, *, event_id: str = "", run_id: str = "") -> None:
        """The agent has told another node that it has an event, or the run that one brings."""
        for socket in self._sockets.of(agent_id):
            pushes = [*socket.acknowledge(event_id), *socket.names(run_id)]
            for push in pushes:
                socket.note_settled(push.event.id)
            if pushes and socket.behind:
                self._catch_up(socket)

    def is_known(self, agent_id: str, event_id: str) -> bool:
        """Whether an event that waits for the agent is under way, or will be without more ado."""
        socket = self._sockets.newest(agent_id)
        return (
            socket is None
            or socket.behind
            or socket.syncing
            or event_id in socket.silent
            or self._is_under_way(socket, event_id)
        )

    async def look(self) -> Instant | None:
        """Start what has come due in the outbox; return when to look again."""

        async def due(tx: Tx) -> tuple[set[str], Instant | None]:
            agents = await tx.events.agents_to_attempt(tx.now, self._node.asks(tx.now))
            return set(agents), await tx.events.next_attempt_at(tx.now)

        agents, next_at = await self._store.read(due)
        agents |= self._troubled | self._webhooks.to_give_back()
        aside_at = self._aside.next_at()
        if aside_at is None:
            self._troubled.clear()
        for agent_id in agents:
            self._wake_webhook(agent_id)
            self._look_for_socket(agent_id)
        return min((each for each in (next_at, aside_at) if each is not None), default=None)

    async def close(self) -> None:
        """Write down what was acknowledged, and stop. The rest stays in the outbox."""
        for task in self._tasks:
            task.cancel()
        await self._webhooks.close()
        if self._writing is not None:
            await self._writing

    def _must_wait(self, socket: Socket, event: Event) -> bool:
        """Whether older events go first, or there is no room."""
        return socket.behind or socket.syncing or socket.full or self._webhooks.holds(event)

    def _may_use_webhook(self, event: Event) -> bool:
        """A webhook is tried without a socket, or for what a socket does not acknowledge."""
        socket = self._sockets.newest(event.agent_id)
        if socket is None and not self._node.is_engine:
            return False
        if socket is None or event.id in socket.silent:
            return not self._is_written_soon(event.id)
        return socket.stalled and event.id not in socket.in_flight

    def _is_under_way(self, socket: Socket, event_id: str) -> bool:
        """Whether a read of the outbox has been faster than the news of the commit."""
        return event_id in socket.in_flight or self._is_written_soon(event_id)

    def _webhook_ended(self, event: Event, delivered: bool) -> None:
        """An attempt by webhook is over: a socket may take what came after it, or itself."""
        socket = self._sockets.newest(event.agent_id)
        if socket is not None:
            if delivered:
                socket.note_settled(event.id)
            self._catch_up(socket)

    def _wake_webhook(self, agent_id: str) -> None:
        """To an agent that is not connected an engine sends; to one that is, whoever has it."""
        if self._node.is_engine or self._sockets.newest(agent_id) is not None:
            self._webhooks.wake(agent_id)

    def _look_for_socket(self, agent_id: str) -> None:
        socket = self._sockets.newest(agent_id)
        if socket is not None:
            self._catch_up(socket)

    # what was pushed

    def _silent(self, socket: Socket, pushes: list[Push]) -> None:
        """Nothing was heard of these for as long as an acknowledgement may take."""
        if not socket.strict:
            self._delivered(socket, pushes)
            return
        # The next channel may have them now; on this connection they are not pushed again.
        self._note(pushes, f"no acknowledgement within {self._limits.socket_ack_s} s")
        self._webhooks.wake(socket.agent_id)

    def _delivered(self, socket: Socket, pushes: Sequence[Push]) -> None:
        self._note(pushes, None)
        if pushes and socket.behind:
            self._catch_up(socket)

    def _note(self, pushes: Sequence[Push], error: str | None) -> None:
        now, mono = self._clock.now(), self._clock.monotonic()
        for push in pushes:
            latency_ms = round((mono - push.pushed_at) * 1000)
            self._unwritten[push.event.id] = Pushed(push.event, now, latency_ms, error)
            if error is None and push.event.run_id is not None:
                self._reached.add(push.event.run_id)
        self._start_writing()

    def _start_writing(self) -> None:
        if self._unwritten and self._writing is None:
            self._writing = asyncio.create_task(self._write(), name="acknowledgements")

    async def _write(self) -> None:
        """Write acknowledgements in batches: what comes in during one write goes into the next."""
        try:
            while self._unwritten:
                await self._rush.over()
                batch = list(islice(self._unwritten.values(), _WRITTEN_AT_ONCE))
                await self._store_pushes(batch)
                for push in batch:
                    self._is_written(push)
        except NodError as error:
            _log.warning("acknowledgements wait to be stored", reason=error.detail)
            asyncio.get_running_loop().call_later(_AGAIN_S, self._start_writing)
        finally:
            self._writing = None

    async def _store_pushes(self, batch: list[Pushed]) -> None:
        """Store them together, or one by one. What cannot be stored goes out again later."""
        try:
            await self._store.write(partial(_record, batch))
        except NodError:
            raise
        except Exception as error:  # noqa: BLE001 - one must not hold up all others
            if len(batch) == 1:
                self._troubled.add(batch[0].event.agent_id)
                self._aside.put(batch[0].event.id, error)
                return
            for push in batch:
                await self._store_pushes([push])

    def _is_written(self, push: Pushed) -> None:
        event = push.event
        if self._unwritten.get(event.id) is push:
            del self._unwritten[event.id]
        if push.error is None:
            self._reached.discard(event.run_id or "")
            socket = self._sockets.newest(event.agent_id)
            if socket is not None:
                socket.note_settled(event.id)

    def _is_written_soon(self, event_id: str) -> bool:
        """Whether the event is acknowledged, and the outbox does not know it yet."""
        pushed = self._unwritten.get(event_id)
        return pushed is not None and pushed.error is None

    # what waits in the outbox

    def _catch_up(self, socket: Socket) -> None:
        """Give the socket what waits in the outbox, as far as there is room."""
        socket.behind = True
        if not socket.syncing:
            socket.syncing = True
            self._spawn(self._sync(socket))

    async def _sync(self, socket: Socket) -> None:
        """Read until nothing is left. What is committed meanwhile makes it read once more."""
        try:
            while socket.behind and not socket.full:
                # After going on where it was full, once more from the start.
                socket.behind = socket.read_to > 0
                if not await self._push_waiting(socket):
                    socket.behind = True
        except NodError as error:
            _log.warning("a socket waits for its events", reason=error.detail)
            self._catch_up_later(socket, _AGAIN_S)
        except Exception:  # noqa: BLE001 - the socket goes on, whatever one read runs into
            _log.exception("a socket's events cannot be read", agent_id=socket.agent_id)
            self._catch_up_later(socket, _AFTER_ERROR_S)
        finally:
            socket.syncing = False

    def _catch_up_later(self, socket: Socket, wait_s: float) -> None:
        socket.behind = True
        asyncio.get_running_loop().call_later(wait_s, self._catch_up, socket)

    async def _push_waiting(self, socket: Socket) -> bool:
        """Push the agent's undelivered events; False when the socket is full before the end."""
        while True:
            # What is settled from here on, the page may still show as undelivered.
            socket.settled.clear()
            aside = self._aside.waiting()
            page = await self._store.read(
                partial(self._undelivered, socket.agent_id, socket.read_to)
            )
            for outgoing in page:
                if socket is not self._sockets.newest(socket.agent_id):
                    return True
                if socket.full:
                    return False
                if outgoing.event.id not in aside and not self._known(socket, outgoing.event):
                    socket.push(outgoing)
                socket.read_to = outgoing.event.seq
            if len(page) < _PAGE:
                socket.read_to = 0
                return True

    def _known(self, socket: Socket, event: Event) -> bool:
        """Whether the event is on its way already, or delivered since the outbox was read."""
        return (
            self._is_under_way(socket, event.id)
            or event.id in socket.silent
            or event.id in socket.settled
            or self._webhooks.holds(event)
        )

    async def _undelivered(self, agent_id: str, after: int, tx: Tx) -> list[Outgoing]:
        polled_before = tx.now - self._limits.poll_repeat_s * SECOND
        asker = self._node.asks(tx.now)
        return await tx.events.undelivered(agent_id, after, tx.now, asker, polled_before, _PAGE)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _record(pushes: list[Pushed], tx: Tx) -> None:
    await record_pushes(tx, pushes)
