"""One connection's account of what is on its way, on a clock that stands still."""

import asyncio
from dataclasses import replace

from nod.delivery.sockets import Framed, HangUp, Push, Socket, Sockets
from nod.domain.limits import Limits
from nod.engine.outbox import make_event
from nod.store.effects import Outgoing
from support.clock import FakeClock

LIMITS = replace(Limits(), socket_in_flight=3, socket_keep_alive_s=20, socket_ack_s=10)


def outgoing(run_id: str | None = None) -> Outgoing:
    kind = "user_message" if run_id is None else "task_due"
    return Outgoing(make_event(0, "agt_1", kind, {}, run_id=run_id))  # type: ignore[arg-type]


class Heard:
    """A socket and the pushes it called silent."""

    def __init__(self, *, strict: bool = False) -> None:
        self.clock = FakeClock()
        self.socket = Socket("agt_1", "", strict=strict, clock=self.clock, limits=LIMITS)
        self.silent: list[Push] = []
        self.socket.on_silence = lambda _, pushes: self.silent.extend(pushes)

    def push(self, run_id: str | None = None, *, send: bool = True) -> Push:
        self.socket.push(outgoing(run_id))
        frame = self.socket.frames.get_nowait()
        assert isinstance(frame, Framed)
        if send:
            self.socket.sent(frame.push)
        return frame.push

    def round_trip(self) -> None:
        self.socket.pinged()
        self.clock.advance(1)
        self.socket.answered()


async def test_time_alone_does_not_prove_that_a_push_arrived() -> None:
    heard = Heard()
    push = heard.push()
    heard.clock.advance(25)
    heard.socket._look()
    assert heard.silent == []
    heard.round_trip()
    assert heard.silent == [push]
    assert heard.socket.in_flight == {}


async def test_an_answer_to_a_ping_that_was_sent_before_the_push_proves_nothing() -> None:
    heard = Heard()
    heard.socket.pinged()
    heard.clock.advance(1)
    heard.push("run_1")
    heard.socket.answered()
    heard.clock.advance(25)
    heard.socket._look()
    heard.socket.answered()
    assert heard.silent == []


async def test_an_answered_ping_is_no_ack_before_the_round_is_over() -> None:
    heard = Heard()
    heard.push()
    heard.clock.advance(1)
    heard.round_trip()
    heard.socket._look()
    assert heard.silent == []
    heard.clock.advance(19)
    heard.socket._look()
    assert len(heard.silent) == 1
    heard.socket.take_all()


async def test_what_waits_behind_a_slow_peer_is_not_on_the_clock() -> None:
    for strict in (False, True):
        heard = Heard(strict=strict)
        heard.push(send=False)
        heard.clock.advance(100)
        heard.round_trip()
        heard.socket._look()
        assert heard.silent == []
        assert len(heard.socket.take_all()) == 1


async def test_a_strict_push_stays_known_after_its_time_and_can_still_be_acknowledged() -> None:
    heard = Heard(strict=True)
    first, second = heard.push("run_1"), heard.push()
    heard.clock.advance(11)
    heard.socket._look()
    assert heard.silent == [first, second]
    assert set(heard.socket.silent) == {first.event.id, second.event.id}
    assert heard.socket.names("run_1") == [first]
    assert heard.socket.acknowledge(second.event.id) == [second]
    assert heard.socket.acknowledge(second.event.id) == []
    assert heard.socket.names("run_1") == []


async def test_what_was_not_acknowledged_in_time_still_takes_room() -> None:
    heard = Heard(strict=True)
    for _ in range(3):
        heard.push()
    socket = heard.socket
    states = [(socket.full, socket.stalled)]
    heard.clock.advance(11)
    socket._look()
    states.append((socket.full, socket.stalled))
    socket.take_all()
    states.append((socket.full, socket.stalled))
    assert states == [(True, False), (True, True), (False, False)]


async def test_a_real_timer_looks_when_the_round_is_over() -> None:
    limits = replace(LIMITS, socket_ack_s=1)
    clock = FakeClock()
    socket = Socket("agt_1", "", strict=True, clock=clock, limits=limits)
    told = asyncio.Event()
    socket.on_silence = lambda *_: told.set()
    socket.push(outgoing())
    frame = socket.frames.get_nowait()
    assert isinstance(frame, Framed)
    socket.sent(frame.push)
    clock.advance(1)
    await asyncio.wait_for(told.wait(), 20)


async def test_pushing_again_what_is_on_its_way_keeps_one_account_of_it() -> None:
    heard = Heard(strict=True)
    event = outgoing("run_1")
    heard.socket.push(event)
    heard.socket.push(event)
    assert len(heard.socket.take_all()) == 1


async def test_a_socket_that_nobody_listens_to_is_quiet() -> None:
    socket = Socket("agt_1", "", strict=True, clock=FakeClock(), limits=LIMITS)
    socket.on_silence(socket, [])
    socket.note_settled("evt_1")
    assert socket.settled == set()
    socket.syncing = True
    socket.note_settled("evt_1")
    assert socket.settled == {"evt_1"}
    socket.hang_up(1008, "too many")
    assert socket.frames.get_nowait() == HangUp(1008, "too many")


def test_the_newest_socket_of_an_agent_is_the_last_that_opened() -> None:
    sockets = Sockets()
    made = [Socket("agt_1", "", strict=True, clock=FakeClock(), limits=LIMITS) for _ in range(2)]
    other = Socket("agt_2", "", strict=True, clock=FakeClock(), limits=LIMITS)
    for socket in (*made, other):
        sockets.add(socket)
    assert sockets.newest("agt_1") is made[1]
    assert (len(sockets), list(sockets)) == (3, [*made, other])
    sockets.remove(made[1])
    sockets.remove(made[1])
    assert sockets.of("agt_1") == made[:1]
    sockets.remove(made[0])
    sockets.remove(made[0])
    assert sockets.newest("agt_1") is None
