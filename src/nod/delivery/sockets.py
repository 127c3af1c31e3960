"""Open WebSockets, and which events are on their way on each.

A push counts as delivered once the agent acknowledges it, names the run it brings, or, where it
never asked for strict acks, once the connection has stayed healthy for a keep-alive round after it:
the time has passed, and a ping sent after it was answered. Until then the event stays in the
outbox, so a socket that dies loses nothing.
"""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from nod.clock import Clock
from nod.delivery.frames import wire
from nod.domain.limits import Limits
from nod.domain.model import Event
from nod.store.effects import Outgoing

# Close codes of the contract; the others are RFC 6455's.
NO_AUTH, WRONG_SECRET, NO_AGENT = 4001, 4003, 4004

_BRINGS_A_RUN = ("task_due", "task_trigger")


@dataclass(eq=False, slots=True)
class Push:
    """An event on its way. Times are monotonic seconds; `sent_at` is None while it waits behind
    what a slow peer has not taken yet."""

    event: Event
    pushed_at: float
    sent_at: float | None = None


class Framed(NamedTuple):
    """A push as its writer sends it."""

    text: str
    push: Push


@dataclass(frozen=True, slots=True)
class HangUp:
    """Close the connection with this code, after the frames before it."""

    code: int
    reason: str


class Socket:
    """One authenticated connection of an agent. `frames` is what its writer sends, in order."""

    def __init__(
        self, agent_id: str, secret_hash: str, *, strict: bool, clock: Clock, limits: Limits
    ) -> None:
        """`secret_hash` is of the secret by which the agent has proved itself."""
        self.agent_id = agent_id
        self.secret_hash = secret_hash
        self.strict = strict
        self.frames: asyncio.Queue[str | Framed | HangUp] = asyncio.Queue()
        self.in_flight: dict[str, Push] = {}
        self.silent: dict[str, Push] = {}  # pushed, and not acknowledged in time (strict acks)
        self.behind = True  # the outbox may hold events that this socket has not been given
        self.syncing = False
        self.read_to = 0  # up to which seq the outbox was read, when the socket was full then
        self.settled: set[str] = set()  # events delivered while the outbox is read for it
        self._by_run: dict[str, str] = {}  # run -> the event that brings it
        self._pinged_at = 0.0
        self._alive_at = 0.0  # when the newest ping was sent that the peer has answered
        self._clock = clock
        self._limits = limits
        self._timer: asyncio.TimerHandle | None = None
        self.on_silence: Callable[[Socket, list[Push]], None] = lambda _socket, _pushes: None

    @property
    def full(self) -> bool:
        """Whether as many events wait for their acknowledgement as may."""
        return len(self.in_flight) + len(self.silent) >= self._limits.socket_in_flight

    @property
    def stalled(self) -> bool:
        """Whether it is full of events that the agent ought to have acknowledged."""
        return bool(self.silent) and self.full

    def push(self, outgoing: Outgoing) -> None:
        """Send the event; it is on its way until it is acknowledged."""
        event = outgoing.event
        push = Push(event, self._clock.monotonic())
        self.silent.pop(event.id, None)
        self.in_flight[event.id] = push
        # Only who has this event knows the run. An answer to a run's question is not proved to
        # have arrived by the agent naming that run, which it may do in the same moment.
        if event.run_id is not None and event.type in _BRINGS_A_RUN:
            self._by_run[event.run_id] = event.id
        self.frames.put_nowait(Framed(wire(outgoing), push))

    def sent(self, push: Push) -> None:
        """The writer has sent it: from now on the agent has time to acknowledge it."""
        push.sent_at = self._clock.monotonic()
        self._arm()

    def pinged(self) -> None:
        """A ping is sent, behind everything sent before."""
        self._pinged_at = self._clock.monotonic()

    def answered(self) -> None:
        """The last ping is answered, so the peer has what was sent before it."""
        self._alive_at = self._pinged_at
        if self._timer is None:
            self._look()

    def hang_up(self, code: int, reason: str) -> None:
        """Close the connection from our side; `code` is a WebSocket close code."""
        self.frames.put_nowait(HangUp(code, reason))

    def acknowledge(self, event_id: str) -> list[Push]:
        """The agent has the event. Empty when it was not on its way."""
        push = self.in_flight.pop(event_id, None) or self.silent.pop(event_id, None)
        if push is None:
            return []
        self._forget(push)
        return [push]

    def names(self, run_id: str) -> list[Push]:
        """The agent has named a run, so it has the event that brought it."""
        event_id = self._by_run.get(run_id)
        return [] if event_id is None else self.acknowledge(event_id)

    def note_settled(self, event_id: str) -> None:
        """The event is delivered. What is being read from the outbox may not show it yet."""
        if self.syncing:
            self.settled.add(event_id)

    def take_all(self) -> list[Push]:
        """Everything on its way, which is not any more: the connection is gone or replaced."""
        pushes = list(self.in_flight.values())
        self.in_flight.clear()
        self.silent.clear()
        self._by_run.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        return pushes

    def _forget(self, push: Push) -> None:
        if push.event.run_id is not None:
            self._by_run.pop(push.event.run_id, None)

    def _patience_s(self) -> int:
        return self._limits.socket_ack_s if self.strict else self._limits.socket_keep_alive_s

    def _arm(self) -> None:
        """Look again when the oldest push has been silent for as long as it may."""
        oldest = next(iter(self.in_flight.values()), None)
        if self._timer is not None or oldest is None or oldest.sent_at is None:
            return
        wait_s = oldest.sent_at + self._patience_s() - self._clock.monotonic()
        # What has waited long enough already waits for the answer to a ping.
        if wait_s > 0:
            self._timer = asyncio.get_running_loop().call_later(wait_s, self._look)

    def _look(self) -> None:
        self._timer = None
        silent = [push for push in self.in_flight.values() if self._is_over(push)]
        for push in silent:
            del self.in_flight[push.event.id]
            if self.strict:
                self.silent[push.event.id] = push
            else:
                self._forget(push)
        self._arm()
        if silent:
            self.on_silence(self, silent)

    def _is_over(self, push: Push) -> bool:
        """Whether the push has been silent for as long as it may, and over a live connection."""
        if push.sent_at is None or push.sent_at > self._clock.monotonic() - self._patience_s():
            return False
        return self.strict or push.sent_at < self._alive_at


class Sockets:
    """All open sockets. Of several connections of one agent the newest gets the events."""

    def __init__(self) -> None:
        self._open: dict[str, list[Socket]] = {}
        self.elsewhere: dict[str, str] = {}
        """Agents whose newest connection is to another node, and which one that is."""

    def __len__(self) -> int:
        return sum(len(sockets) for sockets in self._open.values())

    def __iter__(self) -> Iterator[Socket]:
        return iter([socket for sockets in self._open.values() for socket in sockets])

    def newest(self, agent_id: str) -> Socket | None:
        """The agent's connection that gets its events, if that is one of ours."""
        sockets = self._open.get(agent_id)
        return sockets[-1] if sockets and agent_id not in self.elsewhere else None

    def connected(self, agent_id: str) -> bool:
        """Whether the agent has a connection, here or elsewhere."""
        return agent_id in self._open or agent_id in self.elsewhere

    def of(self, agent_id: str) -> list[Socket]:
        """All connections of the agent, the newest last."""
        return list(self._open.get(agent_id, ()))

    def add(self, socket: Socket) -> None:
        self.elsewhere.pop(socket.agent_id, None)
        self._open.setdefault(socket.agent_id, []).append(socket)

    def remove(self, socket: Socket) -> None:
        sockets = self._open.get(socket.agent_id, [])
        if socket in sockets:
            sockets.remove(socket)
        if not sockets:
            self._open.pop(socket.agent_id, None)
