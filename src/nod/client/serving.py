"""Giving an agent's events to its handlers, and the server what comes of it."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any, Protocol, TypeVar, cast

from nod.client import requests
from nod.client.async_client import AsyncClient
from nod.client.bridge import Bridge, in_thread, is_async
from nod.client.errors import ApiError, Conflict, NodError, NotFound
from nod.client.handlers import Handlers, Message, TaskHandler
from nod.client.memory import Memory
from nod.client.patience import answered, brought
from nod.client.result import Result, raised, returned
from nod.client.run import ENDED, BlockingRun, Run, Work, answer_of
from nod.client.slot import Slot
from nod.client.types import Event, Usage

T = TypeVar("T")

logger = logging.getLogger("nod.agent")

_HEARTBEAT_S = 1.0
# Without a socket each heartbeat is a request.
_REST_HEARTBEAT_S = 5.0
# How long it may take to report on handlers that were ended.
_REPORT_S = 20.0
_STOPPED = "the agent was stopped before this was done"


class Voice(Protocol):
    """As much of an agent as this needs."""

    @property
    def client(self) -> AsyncClient: ...
    @property
    def connected(self) -> bool: ...
    async def heartbeat(
        self,
        run_id: str | None = None,
        *,
        status_text: str | None = None,
        conversation_id: str | None = None,
        usage: Usage | None = None,
    ) -> None: ...


class Serving:
    """Takes events, one after the other, and calls handlers. For one event loop.

    A run that waits for a person leaves its place among the `concurrency`. Its question is found
    again after a restart: the answer comes with the run's scratchpad, which tells what the run was
    about and what it has asked, and its handler is called again (see `Run.ask`).
    """

    def __init__(self, agent: Voice, handlers: Handlers, concurrency: int) -> None:
        self._agent = agent
        self._handlers = handlers
        self._slots = asyncio.Semaphore(concurrency)
        self._works: dict[str, tuple[Work, asyncio.Task[None]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._messages = asyncio.Lock()
        self._decisions = asyncio.Lock()
        self._stopping = False

    def take(self, event: Event) -> None:
        """Sees to an event. Does not wait for the handler."""
        match event.get("type"):
            case "task_due" | "task_trigger":
                self._start(event)
            case "user_message":
                self._spawn(self._reply(event))
            case "decision_resolved":
                self._resolved(event)
            case "error":
                self._refused(event)

    async def finish(self, grace_s: float) -> None:
        """Lets the handlers end for `grace_s` seconds, then ends them.

        What waits for a person is left as it is: the answer finds it when the agent is back.
        """
        self._stopping = True
        self._leave_the_waiting()
        await self._ended(grace_s)
        self._leave_the_waiting()
        for each in self._tasks:
            each.cancel()
        await self._ended(_REPORT_S)
        for each in self._tasks:
            each.cancel()
        await self._ended(None)

    def _leave_the_waiting(self) -> None:
        for work, task in self._works.values():
            if work.slot.waiting:
                work.left = True
                task.cancel()

    async def _ended(self, timeout_s: float | None) -> None:
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=timeout_s)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # runs

    def _start(self, event: Event) -> None:
        if event["run_id"] not in self._works:
            work = Work(event, self._agent.client, Memory(), Slot(self._slots))
            self._works[work.run_id] = work, self._spawn(self._work_safely(work))

    def _resolved(self, event: Event) -> None:
        """An answer goes to the run that waits here, or that waited before a restart; else to the
        handler of answers.
        """
        run_id = event.get("task_run_id")
        if run_id in self._works:
            self._works[run_id][0].answer(event["decision_id"]).set()
            return
        asked = Memory.of(event.get("context") or ()).event
        if asked is not None and self._handlers.of_task(asked["task_name"]) is not None:
            self._start(asked)
        elif self._handlers.decision is not None:
            self._spawn(self._decided(event))

    def _refused(self, event: Event) -> None:
        """A frame was refused; where its run has ended, so does the handler."""
        work, task = self._works.get(str(event.get("run_id")), (None, None))
        if work is not None and task is not None and event.get("status") in ENDED:
            work.over = event["status"]
            task.cancel()
        else:
            logger.warning("Nod answered: %s", event.get("detail"))

    async def _work_safely(self, work: Work) -> None:
        try:
            async with work.slot.held():
                await self._work(work)
        except asyncio.CancelledError:
            logger.info("%s stopped: %s", work.run_id, work.over or "the agent is stopping")
        except ApiError as error:
            logger.warning("%s cannot be done: %s", work.run_id, error.detail)
        except Exception:
            logger.exception("%s met an error of this package", work.run_id)
        finally:
            del self._works[work.run_id]

    async def _work(self, work: Work) -> None:
        """Does one run.

        1. Look whether it is still wanted, and fetch its scratchpad.
        2. Call the handler under heartbeats.
        3. Report, unless the server has closed the run already or it waits for its person.
        """
        client = self._agent.client
        run = await answered(client, requests.run(work.run_id))
        if run["status"] in ENDED:
            logger.info("%s not started, it is already %s", work.run_id, run["status"])
            return
        context = await answered(client, requests.context(work.run_id))
        work.memory = Memory.of(context["blocks"])
        result = await self._result(work)
        if result is not None:
            await self._report(work, result)

    async def _result(self, work: Work) -> Result | None:
        """What the handler has made of it; None when there is nothing to report."""
        heart = asyncio.create_task(self._beat(work))
        try:
            return returned(await self._handle(work), work.output)
        except asyncio.CancelledError as error:
            if work.over is not None or work.left:
                raise
            return raised(Stopped(_STOPPED) if self._stopping else error, work.output)
        except Exception as error:
            logger.exception("the handler failed on %s", work.run_id)
            return raised(error, work.output)
        finally:
            heart.cancel()

    async def _handle(self, work: Work) -> str | None:
        name = str(work.event["task_name"])
        handler = self._handlers.of_task(name)
        if handler is None:
            raise LookupError(f"this agent has no handler for the task {name!r}")
        return await _call(handler, work)

    async def _beat(self, work: Work) -> None:
        """Signs of life while the handler works; what the server says of the run comes back."""
        while True:
            if not work.slot.waiting:
                await self._beat_once(work)
            await asyncio.sleep(_HEARTBEAT_S if self._agent.connected else _REST_HEARTBEAT_S)

    async def _beat_once(self, work: Work) -> None:
        text = work.status_text or str(work.event["task_name"])
        try:
            await self._agent.heartbeat(work.run_id, status_text=text[:200], usage=work.usage)
        except (Conflict, NotFound) as error:
            await self._look(work, error)
        except NodError as error:
            logger.debug("%s: no sign of life: %s", work.run_id, error)

    async def _look(self, work: Work, refusal: NodError) -> None:
        """Finds out how the run has ended, when a heartbeat by REST was refused for it."""
        with suppress(NodError):
            status = (await self._agent.client.run(work.run_id))["status"]
            event = {"run_id": work.run_id, "status": status, "detail": refusal.detail}
            self._refused(event)

    async def _report(self, work: Work, result: Result) -> None:
        """Stores the output, then the result, however long the server is out of reach."""
        client, run_id = self._agent.client, work.run_id
        try:
            if result.output is not None:
                await answered(client, requests.put_output(run_id, result.output))
            completion = requests.complete_run(
                run_id, result.status, result.summary, usage=work.usage
            )
            await answered(client, completion)
        except Conflict as error:
            logger.warning("%s: Nod had closed the run: %s", run_id, error.detail)
        else:
            logger.info("%s %s: %s", run_id, result.status, work.event["task_name"])

    # messages and answers

    async def _reply(self, event: Event) -> None:
        handler = self._handlers.message
        if handler is None:
            return
        text, sender = str(event["text"]), str(event["sender_name"])
        message = Message(text, sender, str(event["conversation_id"]), event)
        async with self._messages, _thinking(self._agent, message.conversation_id):
            reply = await _guarded(handler, message)
            if reply is not None:
                await self._send(str(reply), message.conversation_id)

    async def _send(self, text: str, conversation_id: str) -> None:
        try:
            request = requests.message(text, conversation_id=conversation_id)
            await brought(self._agent.client, request)
        except ApiError as error:
            logger.warning("the reply was refused: %s", error.detail)

    async def _decided(self, event: Event) -> None:
        answer = answer_of(event, event["decision_id"], event.get("task_run_id"))
        async with self._decisions:
            await _guarded(self._handlers.decision, answer)


class Stopped(Exception):
    """The agent is stopping."""


async def _call(handler: TaskHandler, work: Work) -> str | None:
    """Calls the handler: here if it is async, else in a thread."""
    if is_async(handler):
        return await cast("Callable[[Run], Coroutine[Any, Any, str | None]]", handler)(Run(work))
    bridge = Bridge(asyncio.get_running_loop())
    blocking = cast("Callable[[BlockingRun], str | None]", handler)
    try:
        return await in_thread(lambda: blocking(BlockingRun(work, bridge)))
    finally:
        bridge.end()


async def _guarded(handler: Callable[[T], Any] | None, subject: T) -> Any:
    """What the handler returns. What it raises is logged, and ends nothing."""
    if handler is None:
        return None
    try:
        return await handler(subject) if is_async(handler) else await _in_thread(handler, subject)
    except Exception:
        logger.exception("the handler failed on %r", subject)
        return None


async def _in_thread(handler: Callable[[T], Any], subject: T) -> Any:
    return await in_thread(lambda: handler(subject))


@asynccontextmanager
async def _thinking(agent: Voice, conversation_id: str) -> AsyncIterator[None]:
    """Shows "Thinking…" in the conversation meanwhile."""

    async def think() -> None:
        while True:
            with suppress(NodError):
                await agent.heartbeat(conversation_id=conversation_id)
            await asyncio.sleep(_REST_HEARTBEAT_S)

    thinking = asyncio.create_task(think())
    try:
        yield
    finally:
        thinking.cancel()
