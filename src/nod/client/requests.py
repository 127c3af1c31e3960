"""Every call of an agent as a value: what to send and what comes back, without any I/O.

A function here is the one description of its call; `Client` and `AsyncClient` carry it out.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar, Unpack
from urllib.parse import quote

from nod.client.answers import Answer, Page, events_of, json_of, nothing_of, page_of
from nod.client.errors import ConfigError
from nod.client.types import (
    BlockAdded,
    Context,
    Decision,
    DecisionFields,
    Event,
    MessageFields,
    PendingTrigger,
    Preview,
    Run,
    RunDone,
    RunResult,
    RunStarted,
    Sent,
    Task,
    TaskChanges,
    TaskFields,
    Usage,
    UsageReport,
    Why,
)

T = TypeVar("T")

Json = Mapping[str, Any]
_TASKS = "/api/agent/tasks"
_RUNS = f"{_TASKS}/runs"
_EVENTS = "/api/agent/events"

# How long one long poll asks the server to wait. Proxies often cut idle requests after 60 s.
LONG_POLL_S = 50
# Retries of a call that has nothing better to do than to outlast a restart of the server.
PATIENT = 10_000
# Time for an answer beyond what the server itself was asked to wait.
_ANSWER_S = 30.0


@dataclass(frozen=True, slots=True)
class Request(Generic[T]):
    """One HTTP request and how to read its answer.

    `repeatable`: sending it twice does no more than sending it once, so it may be tried again
    when the connection breaks. `timeout_s` is how long to wait for the answer, in seconds.
    """

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    decode: Callable[[Answer], T]
    json: Json | None = None
    params: Mapping[str, str] = field(default_factory=dict)
    repeatable: bool = False
    timeout_s: float = _ANSWER_S


def _part(value: str) -> str:
    """One segment of a path; ids are opaque, so nothing in them may act as a separator."""
    if not value or value in (".", ".."):
        raise ConfigError("the id in this call is empty; pass the id as Nod gave it")
    return quote(value, safe="")


def _given(**fields: object) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _query(**fields: object) -> dict[str, str]:
    return {name.rstrip("_"): str(value) for name, value in _given(**fields).items()}


def _get(path: str, **params: object) -> Request[Any]:
    return Request("GET", path, json_of, params=_query(**params), repeatable=True)


# tasks


def tasks() -> Request[list[Task]]:
    """All tasks of the agent."""
    return _get(_TASKS)


def create_task(
    name: str, prompt: str, schedule: str, **fields: Unpack[TaskFields]
) -> Request[Task]:
    """A new task. `schedule` is a cron expression, `once` (with `run_at`) or `event`."""
    body = {"name": name, "prompt": prompt, "schedule": schedule, **fields}
    return Request("POST", _TASKS, json_of, json=body)


def task(task_id: str) -> Request[Task]:
    """One task. Raises NotFound."""
    return _get(f"{_TASKS}/{_part(task_id)}")


def update_task(task_id: str, **changes: Unpack[TaskChanges]) -> Request[Task]:
    """Changes the fields given and no others; a new schedule recomputes the next fire."""
    return Request("PATCH", f"{_TASKS}/{_part(task_id)}", json_of, json=dict(changes))


def delete_task(task_id: str) -> Request[None]:
    """Removes the task. Its runs stay until they are old enough to be swept."""
    return Request("DELETE", f"{_TASKS}/{_part(task_id)}", nothing_of)


def pause_task(task_id: str, reason: str | None = None) -> Request[Task]:
    """Stops the task from firing, with the reason shown to the person."""
    path = f"{_TASKS}/{_part(task_id)}/pause"
    return Request("POST", path, json_of, json=_given(reason=reason), repeatable=True)


def resume_task(task_id: str) -> Request[Task]:
    """Lets a paused task fire again."""
    return Request("POST", f"{_TASKS}/{_part(task_id)}/resume", json_of, repeatable=True)


def rotate_trigger(task_id: str) -> Request[Task]:
    """A new `trigger_id` for an event task; the old address stops working at once."""
    return Request("POST", f"{_TASKS}/{_part(task_id)}/rotate-trigger", json_of)


def due_tasks() -> Request[list[Task]]:
    """Tasks with a run that is due and that nobody has taken up. Reading changes nothing."""
    return _get(f"{_TASKS}/due")


def pending_triggers() -> Request[list[PendingTrigger]]:
    """Trigger events that arrived while the agent could not be reached."""
    return _get(f"{_TASKS}/triggers/pending")


def why(task_id: str, at: str) -> Request[Why]:
    """What happened to a task at a time (RFC 3339, or a time of day such as 09:00)."""
    return _get(f"{_TASKS}/{_part(task_id)}/why", at=at)


def usage(task_id: str | None = None, *, days: int = 30) -> Request[UsageReport]:
    """What a task, or all of them, used up in the last days, and how far budgets are."""
    path = "/api/agent/usage" if task_id is None else f"{_TASKS}/{_part(task_id)}/usage"
    return _get(path, days=days)


def preview_schedule(
    schedule: str,
    *,
    timezone: str | None = None,
    start: str | None = None,
    count: int = 5,
    run_at: str | None = None,
) -> Request[Preview]:
    """A schedule in words and its next fires after `start` (RFC 3339; now if not given).

    `schedule` may be words itself: "every weekday at 9". `run_at` belongs to `once`.
    """
    path = "/api/agent/schedule/preview"
    return _get(path, schedule=schedule, timezone=timezone, from_=start, count=count, run_at=run_at)


# runs


def start_run(task_id: str) -> Request[RunStarted]:
    """Takes up the oldest run that waits on the task, or makes one if none does."""
    return Request("POST", f"{_TASKS}/{_part(task_id)}/run/start", json_of)


def run(run_id: str) -> Request[Run]:
    """One run; its `summary` is the full deliverable. Looking changes nothing."""
    return _get(f"{_RUNS}/{_part(run_id)}")


def runs_page(
    task_id: str, *, limit: int | None = None, cursor: str | None = None
) -> Request[Page[Run]]:
    """One page of a task's runs, newest first; `next_cursor` is None on the last one."""
    path = f"{_TASKS}/{_part(task_id)}/runs"
    return Request("GET", path, page_of, params=_query(limit=limit, cursor=cursor), repeatable=True)


def complete_run(
    run_id: str,
    status: RunResult = "completed",
    summary: str | None = None,
    *,
    usage: Usage | None = None,
) -> Request[RunDone]:
    """Reports a run's result. `summary` is Markdown of at most 1,000 characters; longer results
    go through `put_output`. Doing it twice is safe: the first result stands.
    """
    body = _given(status=status, summary=summary, usage=usage)
    return Request("POST", f"{_RUNS}/{_part(run_id)}/complete", json_of, body, repeatable=True)


def put_output(run_id: str, text: str) -> Request[Json]:
    """Makes `text` (Markdown, at most 1 MiB) the run's full deliverable, also after its end."""
    path = f"{_RUNS}/{_part(run_id)}/output"
    return Request("PUT", path, json_of, json={"text": text}, repeatable=True)


def context(run_id: str) -> Request[Context]:
    """The run's scratchpad, oldest block first. Reading it takes the run up."""
    return _get(f"{_RUNS}/{_part(run_id)}/context")


def add_context(run_id: str, text: str) -> Request[BlockAdded]:
    """Adds a block to the run's scratchpad, which lasts until the run ends."""
    body = {"run_id": run_id, "text": text}
    return Request("POST", f"{_RUNS}/{_part(run_id)}/context", json_of, json=body)


# events to the agent


def events(*, after: str | None = None, wait_s: int = 0) -> Request[list[Event]]:
    """Events nobody has acknowledged, or all after the one whose id is `after`; oldest first.

    Waits up to `wait_s` seconds for the first one.
    """
    return _waiting(_EVENTS, wait_s, events_of, after=after)


def ack_event(event_id: str) -> Request[Json]:
    """Tells the server that the event is in the agent's hands and need not be sent again."""
    return Request("POST", f"{_EVENTS}/{_part(event_id)}/ack", json_of, repeatable=True)


def decision(decision_id: str, *, wait_s: int = 0) -> Request[Decision]:
    """A decision; waits up to `wait_s` seconds for the person's answer."""
    return _waiting(f"/api/agent/decisions/{_part(decision_id)}", wait_s, json_of)


def decision_wait(decision_id: str, left_s: float | None) -> Request[Decision]:
    """A decision, waiting as long as one request may and at most `left_s` seconds."""
    wait_s = LONG_POLL_S if left_s is None else max(0, min(LONG_POLL_S, math.ceil(left_s)))
    return decision(decision_id, wait_s=wait_s)


def _waiting(path: str, wait_s: int, decode: Callable[[Answer], T], **params: object) -> Request[T]:
    query = _query(wait_s=wait_s or None, **params)
    return Request("GET", path, decode, None, query, repeatable=True, timeout_s=wait_s + _ANSWER_S)


# events from the agent


def send_event(event: Json) -> Request[Sent]:
    """Any event with its `type`, as the WebSocket would carry it."""
    return Request("POST", _EVENTS, json_of, json=event)


def message(text: str, **fields: Unpack[MessageFields]) -> Request[Sent]:
    """A chat message to the person, in Markdown."""
    return send_event({"type": "message", "text": text, **fields})


def ask(title: str, **fields: Unpack[DecisionFields]) -> Request[Sent]:
    """Puts a decision before the person: `approval` if no `kind` is given."""
    body: dict[str, Any] = {"type": "decision", "title": title, "kind": "approval", **fields}
    return send_event({"description": "", **body})


def propose_task(
    title: str,
    task_name: str,
    task_prompt: str,
    task_schedule: str,
    *,
    run_at: str | None = None,
    timezone: str | None = None,
) -> Request[Sent]:
    """Proposes a task to the person; approving the card creates it."""
    body = _given(
        type="task_proposal",
        title=title,
        task_name=task_name,
        task_prompt=task_prompt,
        task_schedule=task_schedule,
        run_at=run_at,
        timezone=timezone,
    )
    return send_event(body)


def alert(title: str, text: str | None = None, *, task_run_id: str | None = None) -> Request[Sent]:
    """A line in the person's activity."""
    return send_event(_given(type="alert", title=title, text=text, task_run_id=task_run_id))


def processing_start(
    *,
    conversation_id: str | None = None,
    status_text: str | None = None,
    task_run_id: str | None = None,
) -> Request[Sent]:
    """Shows "Thinking…" for 30 seconds; the same as the frame `agent_heartbeat`."""
    body = _given(
        type="processing_start",
        conversation_id=conversation_id,
        status_text=status_text,
        task_run_id=task_run_id,
    )
    return send_event(body)


def processing_stop(*, conversation_id: str | None = None) -> Request[Sent]:
    """Clears "Thinking…"."""
    return send_event(_given(type="processing_stop", conversation_id=conversation_id))
