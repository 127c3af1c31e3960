"""The blocking client."""

import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Concatenate, ParamSpec, Self, TypeVar, Unpack

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


def _call(build: Callable[P, Request[T]]) -> "Callable[Concatenate[Client, P], T]":
    """A method that carries out what `build` describes."""

    def method(self: "Client", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.call(build(*args, **kwargs))

    present(method, build)
    return method


class Client:
    """Nod for an agent, blocking. Safe to share between threads.

    `url`, `agent_id` and `secret` default to NOD_API_URL, NOD_AGENT_ID and NOD_SECRET. `retries`
    is how often a call that may safely be repeated is tried again. Pass `http` to bring your own
    `httpx.Client` (proxy, certificates); it is then yours to close.

    Every method raises the errors of `nod.client.errors`: ConnectError when the server cannot be
    reached, a subclass of ApiError when it says no, ConfigError for missing credentials.
    """

    def __init__(
        self,
        url: str | None = None,
        agent_id: str | None = None,
        secret: str | None = None,
        *,
        retries: int = 3,
        http: "httpx.Client | None" = None,
    ) -> None:
        from nod.client import transport

        self.settings = resolve(url, agent_id, secret)
        self._retries = retries
        self._transport = transport.Blocking(self.settings, http)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections."""
        self._transport.close()

    def call(self, request: Request[T], *, retries: int | None = None) -> T:
        """Carries out a request made by a function of `nod.client.requests`."""
        steps = conversation(request, self._retries if retries is None else retries)
        outcome: Outcome = None
        try:
            while True:
                step = steps.send(outcome)
                if isinstance(step, Pause):
                    # The backoff before another try: without an event loop, waiting is this.
                    time.sleep(step.delay_s)
                    outcome = None
                else:
                    outcome = self._transport.send(step)
        except StopIteration as end:
            result: T = end.value
            return result

    def runs(self, task_id: str) -> Iterator[Run]:
        """All runs of a task, newest first, page after page."""
        page = self.runs_page(task_id)
        yield from page.items
        while page.next_cursor:
            page = self.runs_page(task_id, cursor=page.next_cursor)
            yield from page.items

    def wait_for(self, decision_id: str, *, timeout_s: float | None = None) -> Decision:
        """The decision once the person has answered, however long that takes.

        With `timeout_s` it is returned after that time even if it is still `pending`. Restarts of
        the server meanwhile do no harm.
        """
        until = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            left_s = None if until is None else until - time.monotonic()
            found = self.call(requests.decision_wait(decision_id, left_s), retries=requests.PATIENT)
            if found["status"] != "pending" or (left_s is not None and left_s <= 0):
                return found

    def ask_and_wait(
        self, title: str, *, timeout_s: float | None = None, **fields: Unpack[DecisionFields]
    ) -> Decision:
        """Puts a decision before the person and waits for the answer like `wait_for`."""
        return self.wait_for(self.ask(title, **fields)["decision_id"], timeout_s=timeout_s)

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
