"""The agent's WebSocket, `/ws/agent/{agent_id}`, as plain ASGI: it carries most of the traffic."""

import asyncio
import contextlib
from typing import Any, Protocol

import msgspec
import structlog

from nod.actions import agents
from nod.api.agent_frames import SOCKET, Named, handle, read_named
from nod.api.problems import sentence
from nod.app import Nod
from nod.delivery.sockets import NO_AGENT, NO_AUTH, WRONG_SECRET, Framed, HangUp, Socket
from nod.domain.errors import NodError, NotAuthenticated, NotFound, TooLarge, Unavailable
from nod.domain.model import Agent, Channel
from nod.engine.attempts import acknowledge
from nod.store.effects import Fact
from nod.store.people import Seen
from nod.store.store import Tx, Work

PATH = "/ws/agent/"
# Where a connection's scope keeps its Socket, which hears of its pings and their answers.
STATE_KEY = "nod.socket"

_GOING_AWAY, _POLICY, _TRY_LATER = 1001, 1008, 1013

_log = structlog.get_logger("nod.socket")

Message = dict[str, Any]


class Receive(Protocol):
    """ASGI's receive."""

    async def __call__(self) -> Message: ...


class Send(Protocol):
    """ASGI's send."""

    async def __call__(self, message: Message) -> None: ...


class _Auth(msgspec.Struct):
    """The first frame."""

    type: str
    secret: str
    acks: bool = False


class _Ack(msgspec.Struct):
    event_id: str


class _Refused(Exception):
    """The connection ends with this close code and reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class AgentSockets:
    """The ASGI app behind the path: one call is one connection."""

    def __init__(self, nod: Nod) -> None:
        self._nod = nod

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        await receive()  # websocket.connect
        await send({"type": "websocket.accept"})
        try:
            agent, socket = await self._authenticate(scope["path"][len(PATH) :], receive)
        except _Refused as refused:
            await send({"type": "websocket.close", "code": refused.code, "reason": refused.reason})
        else:
            scope["state"][STATE_KEY] = socket
            await self._serve(agent, socket, receive, send)

    # the first frame

    async def _authenticate(self, agent_id: str, receive: Receive) -> tuple[Agent, Socket]:
        first = await self._first_frame(receive)
        try:
            agent = await self._nod.store.read(
                lambda tx: agents.authenticate(tx, agent_id, first.secret)
            )
            await self._store_seen(agent, lambda tx: _arrived(tx, agent, first.secret))
        except NotFound as error:
            raise _Refused(NO_AGENT, "no such agent") from error
        except NotAuthenticated as error:
            raise _Refused(WRONG_SECRET, "wrong secret") from error
        except NodError as error:
            raise _Refused(_TRY_LATER, error.detail[:100]) from error
        if self._nod.draining.is_set():
            raise _Refused(_GOING_AWAY, "the server is shutting down")
        return agent, Socket(
            agent.id,
            agents.hash_secret(first.secret),
            strict=first.acks,
            clock=self._nod.clock,
            limits=self._nod.limits,
        )

    async def _first_frame(self, receive: Receive) -> _Auth:
        limit_s = self._nod.limits.socket_auth_s
        try:
            async with asyncio.timeout(limit_s):
                message = await receive()
        except TimeoutError:
            raise _Refused(NO_AUTH, f"no auth frame within {limit_s} s") from None
        try:
            auth = msgspec.json.decode(
                message.get("text") or message.get("bytes") or b"", type=_Auth
            )
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise _Refused(NO_AUTH, "the first frame must be an auth message") from None
        if auth.type != "auth":
            raise _Refused(NO_AUTH, "the first frame must be an auth message")
        return auth

    # after it

    async def _serve(self, agent: Agent, socket: Socket, receive: Receive, send: Send) -> None:
        nod = self._nod
        self._make_room(agent.id)
        socket.frames.put_nowait(_frame({"type": "auth_ok", "agent_id": agent.id}))
        writer = asyncio.create_task(_write(socket, send), name=f"socket of {agent.id}")
        nod.deliverer.opened(socket)
        self._tell("agent_connected", agent)
        try:
            await self._read(agent, socket, receive)
        finally:
            nod.deliverer.closed(socket)
            self._tell("agent_disconnected", agent)
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
            await self._store_seen(agent, lambda tx: _seen(tx, agent))

    def _tell(self, name: str, agent: Agent) -> None:
        """Who is connected is stored nowhere: logs, metrics and open pages are told at once."""
        fact = Fact(name, {"agent_id": agent.id})
        self._nod.telemetry.record([fact])
        self._nod.live.record([fact.fields], self._nod.clock.now())

    def _make_room(self, agent_id: str) -> None:
        """Close the oldest connections of an agent that opens too many of them."""
        others = self._nod.sockets.of(agent_id)
        for socket in others[: max(0, len(others) + 1 - self._nod.limits.connections_per_agent)]:
            socket.hang_up(_POLICY, "too many connections of this agent")

    async def _store_seen(self, agent: Agent, work: Work[None]) -> None:
        """Write that the agent was seen. A store that cannot just now keeps no agent away."""
        try:
            await self._nod.store.write(work)
        except Unavailable as error:
            _log.warning("last seen not stored", agent_id=agent.id, reason=error.detail)

    async def _read(self, agent: Agent, socket: Socket, receive: Receive) -> None:
        while True:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                return
            text = message.get("text")
            raw = text.encode(errors="surrogatepass") if text is not None else message["bytes"]
            await self._frame(agent, socket, raw)

    async def _frame(self, agent: Agent, socket: Socket, raw: bytes) -> None:
        """One frame. Whatever is wrong with it is answered, and the connection stays open."""
        named = None
        try:
            if len(raw) > self._nod.limits.frame_bytes:
                most = self._nod.limits.frame_bytes
                raise TooLarge(f"a frame holds at most {most} bytes; this one has {len(raw)}")
            named = read_named(raw)
            await self._handle(agent, socket, named, raw)
        except Exception as error:  # noqa: BLE001 - answered by its sentence, unexpected ones logged
            answer: dict[str, Any] = {"type": "error", "detail": sentence(error)[1]}
            if named is not None and named.task_run_id is not None:
                answer |= await self._run_status(agent, named.task_run_id)
            socket.frames.put_nowait(_frame(answer))

    async def _handle(self, agent: Agent, socket: Socket, named: Named, raw: bytes) -> None:
        if named.type == "ping":
            socket.frames.put_nowait('{"type":"pong"}')
        elif named.type == "ack":
            await self._acknowledged(agent, socket, msgspec.json.decode(raw, type=_Ack).event_id)
        else:
            via: Channel = "poll"
            if named.task_run_id is not None:
                via = self._nod.deliverer.named(agent.id, named.task_run_id)
            await handle(SOCKET, self._nod, agent, named, raw, via)

    async def _acknowledged(self, agent: Agent, socket: Socket, event_id: str) -> None:
        """The agent has an event: by this socket, by an older one, or by polling."""
        if self._nod.deliverer.acknowledged(socket, event_id):
            return
        with contextlib.suppress(NotFound):
            await self._nod.store.write(
                lambda tx: acknowledge(tx, agent, event_id, via="websocket")
            )

    async def _run_status(self, agent: Agent, run_id: str) -> dict[str, str]:
        """Which run an error is about and how it stands, so that a worker knows when to stop."""
        try:
            run = await self._nod.store.read(lambda tx: tx.runs.get(run_id))
        except NodError:
            return {}
        if run is None or run.agent_id != agent.id:
            return {}
        return {"run_id": run.id, "status": run.status}


async def _write(socket: Socket, send: Send) -> None:
    """Send the socket's frames in order. A slow peer holds up nobody but itself."""
    while True:
        frame = await socket.frames.get()
        match frame:
            case Framed(text, push):
                await send({"type": "websocket.send", "text": text})
                socket.sent(push)
            case HangUp(code, reason):
                await send({"type": "websocket.close", "code": code, "reason": reason})
                return
            case _:
                await send({"type": "websocket.send", "text": frame})


async def _arrived(tx: Tx, agent: Agent, secret: str) -> None:
    # Once more: from this commit on the guard hears of the agent's removal, and not before.
    await agents.authenticate(tx, agent.id, secret)
    if agents.shows_new_secret(agent, secret):
        await agents.new_secret_seen(tx, agent.id)
    await _seen(tx, agent)


async def _seen(tx: Tx, agent: Agent) -> None:
    await tx.people.touch([Seen(agent.id, tx.now)])
    tx.effects.change(agent.id)


def _frame(fields: dict[str, Any]) -> str:
    return msgspec.json.encode(fields).decode()
