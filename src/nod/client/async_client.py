"""The asyncio client: the same calls as `Client`, awaited."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from types import TracebackType
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Self, TypeVar, Unpack

from nod.client import requests
from nod.client.conversation import Outcome, Pause, conversation
from nod.client.methods import present
from nod.client.requests import Request
from nod.client.settings import resolve
from nod.client.types import Decision, DecisionFields, Run

if TYPE_CHECKING:
    import httpx

P = ParamSpec("P")
T = TypeVar("T")


def _call(
    build: Callable[P, Request[T]],
) -> "Callable[Concatenate[AsyncClient, P], Coroutine[Any, Any, T]]":
    """A coroutine method that carries out what `build` describes."""

    async def method(self: "AsyncClient", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.call(build(*args, **kwargs))

    present(method, build)
    return method


class AsyncClient:
    """Nod for an agent, on asyncio. For one event loop.

    Arguments and errors are those of `Client`; `http` is an `httpx.AsyncClient` of your own.
    """

    def __init__(
        self,
        url: str | None = None,
        agent_id: str | None = None,
        secret: str | None = None,
        *,
        retries: int = 3,
        http: "httpx.AsyncClient | None" = None,
    ) -> None:
        from nod.client import transport

        self.settings = resolve(url, agent_id, secret)
        self._retries = retries
        self._transport = transport.Async(self.settings, http)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the connections."""
        await self._transport.close()

    async def call(self, request: Request[T], *, retries: int | None = None) -> T:
        """Carries out a request made by a function of `nod.client.requests`."""
        steps = conversation(request, self._retries if retries is None else retries)
        outcome: Outcome = None
        try:
            while True:
                step = steps.send(outcome)
                if isinstance(step, Pause):
                    await asyncio.sleep(step.delay_s)
                    outcome = None
                else:
                    outcome = await self._transport.send(step)
        except StopIteration as end:
            result: T = end.value
            return result

    async def runs(self, task_id: str) -> AsyncIterator[Run]:
        """All runs of a task, newest first, page after page."""
        cursor = None
        while True:
            page = await self.runs_page(task_id, cursor=cursor)
            for run in page.items:
                yield run
            cursor = page.next_cursor
            if not cursor:
                return

    async def wait_for(self, decision_id: str, *, timeout_s: float | None = None) -> Decision:
        """The decision once the person has answered; see `Client.wait_for`."""
        until = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            left_s = None if until is None else until - time.monotonic()
            request = requests.decision_wait(decision_id, left_s)
            found = await self.call(request, retries=requests.PATIENT)
            if found["status"] != "pending" or (left_s is not None and left_s <= 0):
                return found

    async def ask_and_wait(
        self, title: str, *, timeout_s: float | None = None, **fields: Unpack[DecisionFields]
    ) -> Decision:
        """Puts a decision before the person and waits for the answer like `wait_for`."""
        decision_id = (await self.ask(title, **fields))["decision_id"]
        return await self.wait_for(decision_id, timeout_s=timeout_s)

    tasks = _call(requests.tasks)
    create_task = _call(requests.create_task)
    task = _call(requests.task)
    update_task = _call(requests.update_task)
    delete_task = _call(requests.delete_task)
    pause_task = _call(requests.pause_task)
    resume_task = _call(requests.resume_task)
    rotate_trigger = _call(requests.rotate_trigger)
    due_tasks = _call(requests.due_tasks)
    pending_triggers = _call(requests.pending_triggers)
    why = _call(requests.why)
    usage = _call(requests.usage)
    preview_schedule = _call(requests.preview_schedule)

    start_run = _call(requests.start_run)
    run = _call(requests.run)
    runs_page = _call(requests.runs_page)
    complete_run = _call(requests.complete_run)
    put_output = _call(requests.put_output)
    context = _call(requests.context)
    add_context = _call(requests.add_context)

    events = _call(requests.events)
    ack_event = _call(requests.ack_event)
    decision = _call(requests.decision)

    send_event = _call(requests.send_event)
    message = _call(requests.message)
    ask = _call(requests.ask)
    propose_task = _call(requests.propose_task)
    alert = _call(requests.alert)
    processing_start = _call(requests.processing_start)
    processing_stop = _call(requests.processing_stop)
