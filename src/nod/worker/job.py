"""A run to be done, as its event describes it."""

from dataclasses import dataclass
from typing import Any

from nod.client.types import Event

# The states in which a run is over for the server, and work on it is for nothing.
ENDED = ("completed", "failed", "cancelled", "skipped")


@dataclass(frozen=True, slots=True)
class Job:
    """`payload` and `trigger` are set for runs that a call from outside started."""

    run_id: str
    task_id: str
    name: str
    prompt: str
    triggered: bool
    payload: Any
    trigger: Any
    traceparent: str | None = None
    tracestate: str | None = None


def job_of(event: Event) -> Job | None:
    """The job a `task_due` or `task_trigger` event asks for; None for every other event."""
    match event:
        case {
            "type": "task_due" | "task_trigger" as kind,
            "run_id": str(run_id),
            "task_id": str(task_id),
            "task_name": str(name),
            "task_prompt": str(prompt),
        }:
            triggered = kind == "task_trigger"
            payload, trigger = event.get("payload"), event.get("trigger")
            trace = _text(event, "traceparent"), _text(event, "tracestate")
            return Job(run_id, task_id, name, prompt, triggered, payload, trigger, *trace)
        case _:
            return None


def _text(event: Event, name: str) -> str | None:
    found = event.get(name)
    return found if isinstance(found, str) else None
