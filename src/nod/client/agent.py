"""An agent that stays in touch: over its WebSocket, and by long poll while there is none.

    agent = Agent()

    @agent.task("Daily summary")
    async def summary(run: Run) -> str:
        ...

    agent.run()

Handlers are called by `Serving`; who wants the bare events iterates over `events`.

What it takes care of:

- It reconnects with exponential backoff and full jitter, at most 30 s apart. While the socket
  cannot be opened (a proxy that blocks upgrades, say) events come by long poll.
- An event is acknowledged when it has entered the agent's inbox, after it has been checked
  against the events seen before. From then on it is in the hands of this process: one that is
  killed before its code has handled the event leaves the run to the task's timeout and retries,
  unless `keep` has written the event down.
  An event that comes again is acknowledged again, and not handed out again.
- When the server refuses the agent for good (wrong secret, no such agent) `events` raises
  AuthError; nothing else ends it but `close`.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, Unpack

from nod.client.async_client import AsyncClient
from nod.client.conversation import backoff_s
from nod.client.errors import AuthError, ConnectError, Forbidden, NodError
from nod.client.handlers import Decorators
from nod.client.inbox import Inbox
from nod.client.requests import LONG_POLL_S
from nod.client.serving import Serving
from nod.client.signals import stopped_by_signals
from nod.client.types import Decision, DecisionFields, Event, MessageFields, Sent, Usage

if TYPE_CHECKING:
    from nod.client.link import Link

logger = logging.getLogger("nod.agent")

FIRST_BACKOFF_S = 0.5
LONGEST_BACKOFF_S = 30.0
# A connection that lasted this long was a good one: the next attempt is soon after its end.
_GOOD_S = 10.0
# A long poll that ends empty sooner was cut by something on the way; it is not repeated at once.
_SHORT_POLL_S = 1.0
_INBOX_EVENTS = 1_000
_SEEN_EVENTS = 10_000

# Frames that REST carries as well, and what they are called there.
_BY_REST = {
    "message": "message",
    "decision": "decision",
    "task_proposal": "task_proposal",
    "alert": "alert",
    "agent_heartbeat": "processing_start",
    "agent_idle": "processing_stop",
}
_SILENT = ("pong", "auth_ok")


class Agent(Decorators):
    """Events in, frames out. `client` has all other calls.

    Arguments default to NOD_API_URL, NOD_AGENT_ID and NOD_SECRET, which are read when the agent is
    first used. An agent lives once: after `close` it is not started again, see `copy`.
    """

    def __init__(
        self, url: str | None = None, agent_id: str | None = None, secret: str | None = None
    ) -> None:
        super().__init__()
        self._given = (url, agent_id, secret)
        self._inbox = Inbox(_INBOX_EVENTS, _SEEN_EVENTS)
        self._link: Link | None = None
        self._online = asyncio.Event()
        self._offline = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopped: asyncio.Event | None = None
        self.keep: Callable[[Event], None] | None = None
        """Called with each event before it is acknowledged: to write down what must not be lost
        with this process.
        """

    @cached_property
    def client(self) -> AsyncClient:
        """All calls. Raises ConfigError when the credentials are missing."""
        return AsyncClient(*self._given)

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        await self.close()

    def start(self) -> None:
        """Begins to connect, in the background. `events` and `serve` do it by themselves."""
        self._started()

    def _started(self) -> asyncio.Task[None]:
        if self._task is None:
            self._task = asyncio.create_task(self._live())
        return self._task

    async def hang_up(self) -> None:
        """Closes the connection cleanly and takes no more events; `events` ends after those that
        have come. All other calls still work, by REST.
        """
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        await self._inbox.end()

    async def close(self) -> None:
        """Hangs up, and closes `client`."""
        await self.hang_up()
        if "client" in vars(self):
            await self.client.close()

    @property
    def connected(self) -> bool:
        """Whether the WebSocket is open."""
        return self._link is not None

    async def wait_connected(self) -> None:
        """Returns when the WebSocket is open. Raises AuthError when Nod refuses the agent."""
        living = self._started()
        opened = asyncio.create_task(self._online.wait())
        await asyncio.wait({opened, living}, return_when=asyncio.FIRST_COMPLETED)
        opened.cancel()
        self._inbox.check()

    # events in

    async def events(self) -> AsyncIterator[Event]:
        """Every event once, until `close` or `hang_up`. Frames of `type` `error` come here too.

        Raises AuthError when the server refuses the agent for good.
        """
        self.start()
        while (event := await self._inbox.get()) is not None:
            yield event

    # handlers

    def copy(
        self, url: str | None = None, agent_id: str | None = None, secret: str | None = None
    ) -> Self:
        """An agent with the same handlers, at another server or with other credentials."""
        other = type(self)(url, agent_id, secret)
        other.handlers = self.handlers
        return other

    async def serve(self, *, concurrency: int = 4, grace_s: float = 10.0) -> None:
        """Calls the handlers until `stop`, then closes.

        At most `concurrency` runs are worked on at the same time; one that waits for a person does
        not count. Handlers that are at work when it is stopped have `grace_s` seconds to end.
        Raises AuthError when the server refuses the agent for good.
        """
        serving = Serving(self, self.handlers, concurrency)
        self._loop, self._stopped = asyncio.get_running_loop(), asyncio.Event()
        stopping = asyncio.create_task(self._hang_up_when_stopped(self._stopped))
        try:
            async for event in self.events():
                serving.take(event)
        except asyncio.CancelledError:
            grace_s = 0.0
            raise
        finally:
            stopping.cancel()
            await serving.finish(grace_s)
            await self.close()

    async def _hang_up_when_stopped(self, stopped: asyncio.Event) -> None:
        await stopped.wait()
        await self.hang_up()

    def stop(self) -> None:
        """Ends `serve` and `run`. May be called from any thread."""
        if self._loop is not None and self._stopped is not None:
            with suppress(RuntimeError):  # the loop is closed: it has ended by itself
                self._loop.call_soon_threadsafe(self._stopped.set)

    def run(self, *, concurrency: int = 4, grace_s: float = 10.0) -> None:
        """`serve`, for a program that does nothing else: until SIGTERM or Ctrl-C."""

        async def serve() -> None:
            with stopped_by_signals(self.stop):
                await self.serve(concurrency=concurrency, grace_s=grace_s)

        asyncio.run(serve())

    # frames out

    async def send(self, frame: dict[str, Any]) -> None:
        """Sends a frame over the WebSocket, or by REST while there is none.

        A frame that is on its way when the connection breaks can be lost; `message` and `ask`
        wait for the server's word. Raises ConnectError when neither way is open.
        """
        try:
            if self._link is not None:
                await self._link.send(frame)
                return
        except ConnectError:
            logger.debug("the connection broke under a frame; it goes by REST")
        kind = _BY_REST.get(str(frame.get("type")))
        if kind is None:
            raise ConnectError(f"not connected, and only the WebSocket carries {frame.get('type')}")
        await self.client.send_event({**frame, "type": kind})

    async def message(self, text: str, **fields: Unpack[MessageFields]) -> Sent:
        """Sends a chat message; returns once the server has stored it, with its `message_id`."""
        return await self.client.message(text, **fields)

    async def ask(
        self, title: str, *, timeout_s: float | None = None, **fields: Unpack[DecisionFields]
    ) -> Decision:
        """Puts a decision before the person and waits for the answer, over reconnects.

        With `timeout_s` the decision comes back after that time even if it is still `pending`.
        """
        return await self.client.ask_and_wait(title, timeout_s=timeout_s, **fields)

    async def heartbeat(
        self,
        run_id: str | None = None,
        *,
        status_text: str | None = None,
        conversation_id: str | None = None,
        usage: Usage | None = None,
    ) -> None:
        """Shows "Thinking…" and renews the run's lease. Meant to be sent each second."""
        frame = {
            "type": "agent_heartbeat",
            "usage": usage,
            "task_run_id": run_id,
            "status_text": status_text,
            "conversation_id": conversation_id,
        }
        await self.send({name: value for name, value in frame.items() if value is not None})

    # staying in touch

    async def _live(self) -> None:
        """Runs until `close`, or until the server refuses the agent."""
        failure: Exception | None = None
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._stay_connected())
                tasks.create_task(self._poll_while_offline())
        except ExceptionGroup as group:
            failure = group.exceptions[0]
        finally:
            await self._inbox.end(failure)

    async def _stay_connected(self) -> None:
        failures = 0
        while True:
            began = time.monotonic()
            try:
                await self._one_connection()
            except ConnectError as error:
                failures = 0 if time.monotonic() - began > _GOOD_S else failures + 1
                delay_s = backoff_s(failures, FIRST_BACKOFF_S, LONGEST_BACKOFF_S)
                logger.warning("%s; trying again in %.1f s", error, delay_s)
                await asyncio.sleep(delay_s)

    async def _one_connection(self) -> None:
        """Connects and receives until the connection is gone. Raises why."""
        from nod.client.link import Link  # a fifth of the time that the package's import takes

        try:
            link = await Link.open(self.client.settings)
        except ConnectError:
            self._offline.set()
            raise
        self._link = link
        self._offline.clear()
        self._online.set()
        logger.info("connected to %s", self.client.settings.url)
        try:
            while True:
                await self._receive(link)
        finally:
            self._link = None
            self._online.clear()
            await link.close()

    async def _receive(self, link: "Link") -> None:
        frame = await link.receive()
        if frame.get("type") in _SILENT:
            return
        if self.keep is not None:
            self.keep(frame)
        await self._inbox.put(frame)
        if isinstance(frame.get("event_id"), str):
            await link.send({"type": "ack", "event_id": frame["event_id"]})

    async def _poll_while_offline(self) -> None:
        """Long polls while the socket cannot be opened. A round that has begun is not broken off
        when the socket opens, so that no event is handed to a request nobody waits for.
        """
        failures = 0
        while True:
            await self._offline.wait()
            try:
                await self._poll()
                failures = 0
            except (AuthError, Forbidden):
                raise
            except NodError as error:
                failures += 1
                delay_s = backoff_s(failures, FIRST_BACKOFF_S, LONGEST_BACKOFF_S)
                logger.debug("long poll: %s; trying again in %.1f s", error, delay_s)
                await asyncio.sleep(delay_s)

    async def _poll(self) -> None:
        """One long poll for the events that have not been acknowledged."""
        began = time.monotonic()
        events = await self.client.events(wait_s=LONG_POLL_S)
        if not events and time.monotonic() - began < _SHORT_POLL_S:
            raise ConnectError("the long poll came back empty at once")
        for event in events:
            if self.keep is not None:
                self.keep(event)
            await self._inbox.put(event)
            await self.client.ack_event(event["event_id"])
