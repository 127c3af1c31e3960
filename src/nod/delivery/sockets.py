"""Open WebSockets, and which events are on their way on each.

A push counts as delivered once the agent acknowledges it, names its run, or, where it never asked
for strict acks, once the connection has stayed healthy for a keep-alive round after it. Until
then the event stays in the outbox, so a socket that dies loses nothing.
"""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from nod.clock import Clock
from nod.delivery.frames import wire
from nod.domain.limits import Limits
from nod.domain.model import Event
from nod.store.effects import Outgoing


@dataclass(frozen=True, slots=True)
class Push:
    """An event on its way: pushed at a monotonic time in seconds."""

    event: Event
    pushed_at: float


@dataclass(frozen=True, slots=True)
class HangUp:
    """Close the connection with this code, after the frames before it."""

    code: int
    reason: str


class Socket:
    """One authenticated connection of an agent. `frames` is what its writer sends, in order."""

    def __init__(self, agent_id: str, *, strict: bool, clock: Clock, limits: Limits) -> None:
        self.agent_id = agent_id
        self.strict = strict
        self.frames: asyncio.Queue[str | HangUp] = asyncio.Queue()
        self.in_flight: dict[str, Push] = {}
        self.silent: dict[str, Push] = {}  # pushed, and not acknowledged in time (strict acks)
        self.behind = True  # the outbox may hold events that this socket has not been given
        self.syncing = False
        self._by_run: dict[str, set[str]] = {}
        self._clock = clock
        self._limits = limits
        self._timer: asyncio.TimerHandle | None = None
        self.on_silence: Callable[[Socket, list[Push]], None] = lambda _socket, _pushes: None

    @property
    def full(self) -> bool:
        """Whether as many events are on their way as may be."""
        return len(self.in_flight) >= self._limits.socket_in_flight

    def push(self, outgoing: Outgoing) -> None:
        """Send the event; it is on its way until it is acknowledged."""
        event = outgoing.event
        self.in_flight[event.id] = Push(event, self._clock.monotonic())
        if event.run_id is not None:
            self._by_run.setdefault(event.run_id, set()).add(event.id)
        self.frames.put_nowait(wire(outgoing))
        self._arm()

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
        """The agent has named a run, so it has the events of it that were pushed."""
        found = [self.in_flight, self.silent]
        events = self._by_run.pop(run_id, set())
        return [pushes.pop(each) for pushes in found for each in events if each in pushes]

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
        run_id = push.event.run_id
        if run_id in self._by_run:
            self._by_run[run_id].discard(push.event.id)
            if not self._by_run[run_id]:
                del self._by_run[run_id]

    def _patience_s(self) -> int:
        return self._limits.socket_ack_s if self.strict else self._limits.socket_keep_alive_s

    def _arm(self) -> None:
        """Look again when the oldest push has been silent for as long as it may."""
        if self._timer is not None or not self.in_flight:
            return
        oldest = next(iter(self.in_flight.values()))
        wait_s = oldest.pushed_at + self._patience_s() - self._clock.monotonic()
        self._timer = asyncio.get_running_loop().call_later(max(wait_s, 0), self._look)

    def _look(self) -> None:
        self._timer = None
        before = self._clock.monotonic() - self._patience_s()
        silent = [push for push in self.in_flight.values() if push.pushed_at <= before]
        for push in silent:
            del self.in_flight[push.event.id]
            if self.strict:
                self.silent[push.event.id] = push
            else:
                self._forget(push)
        self._arm()
        if silent:
            self.on_silence(self, silent)


class Sockets:
    """All open sockets. Of several connections of one agent the newest gets the events."""

    def __init__(self) -> None:
        self._open: dict[str, list[Socket]] = {}

    def __len__(self) -> int:
        return sum(len(sockets) for sockets in self._open.values())

    def __iter__(self) -> Iterator[Socket]:
        return iter([socket for sockets in self._open.values() for socket in sockets])

    def newest(self, agent_id: str) -> Socket | None:
        """The agent's connection that gets its events."""
        sockets = self._open.get(agent_id)
        return sockets[-1] if sockets else None

    def of(self, agent_id: str) -> list[Socket]:
        """All connections of the agent, the newest last."""
        return list(self._open.get(agent_id, ()))

    def add(self, socket: Socket) -> None:
        self._open.setdefault(socket.agent_id, []).append(socket)

    def remove(self, socket: Socket) -> None:
        sockets = self._open.get(socket.agent_id, [])
        if socket in sockets:
            sockets.remove(socket)
        if not sockets:
            self._open.pop(socket.agent_id, None)
