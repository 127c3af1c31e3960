"""What happened, as a person reads it: each thing with its kind and its words. Pure.

Kinds are finer than states: a run that nobody could be reached for has not failed at its work, and
a request that expired was not denied.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

from nod.domain.instant import Instant
from nod.domain.model import Activity, Decision, Run, Task
from nod.domain.notify import excerpt
from nod.domain.states import RunStatus

Group = Literal["results", "problems", "not_run", "requests", "signals", "changes"]
GROUPS: tuple[Group, ...] = get_args(Group)

_TEXT_CHARS = 280

_RUNS: dict[Group, tuple[RunStatus, ...]] = {
    "results": ("completed",),
    "problems": ("failed",),
    "not_run": ("skipped", "cancelled"),
}
_LINES: dict[Group, tuple[str, ...]] = {
    "problems": (
        "task_failing",
        "task_paused",
        "webhook_failing",
        "webhook_disabled",
        "target_disabled",
    ),
    "requests": (
        "decision_opened",
        "decision_waits",
        "decision_expired",
        "decision_returned",
        "rule_used",
    ),
    "signals": ("alert", "status"),
    "changes": ("task_recovered", "webhook_recovered", "secret_rotated", "morning"),
}
_ENDED: tuple[RunStatus, ...] = ("completed", "failed", "skipped", "cancelled")


class Place(NamedTuple):
    """Where an entry stands among all: by time, then by what follows from what, then by itself."""

    at: Instant
    rank: int  # of its source; of two in one moment the higher happened later
    tie: str | int  # within its source: an id, or a line's seq


@dataclass(frozen=True, slots=True)
class Happened:
    """One entry. `due` and `missed_until` are of a run, `decision` of an answer."""

    place: Place
    id: str
    agent_id: str
    kind: str
    title: str
    text: str
    task_id: str | None = None
    run_id: str | None = None
    decision_id: str | None = None
    due: Instant | None = None
    missed_until: Instant | None = None
    decision: Decision | None = None

    @property
    def at(self) -> Instant:
        """When it happened."""
        return self.place.at


TASK_MADE, RUN_ENDED, ANSWERED, LINE = range(4)


def run_states(group: Group | None) -> tuple[RunStatus, ...]:
    """The ends of runs that belong to the group; all without one."""
    return _ENDED if group is None else _RUNS.get(group, ())


def line_kinds(group: Group | None) -> tuple[str, ...] | None:
    """The kinds of lines that belong to the group; None for all."""
    return None if group is None else _LINES.get(group, ())


def line_happened(line: Activity) -> Happened:
    """A line that was written when it happened."""
    return Happened(
        Place(line.created_at, LINE, line.seq),
        line.id,
        line.agent_id,
        line.kind,
        line.title,
        excerpt(line.text, _TEXT_CHARS),
        line.task_id,
        line.run_id,
        line.decision_id,
    )


def run_ended(run: Run, task_name: str) -> Happened:
    """The end of a run, or a fire that did not run. Raises ValueError for one under way."""
    if run.finished_at is None:
        raise ValueError(f"run {run.id} has not ended")
    kind, text = _end_of(run)
    return Happened(
        Place(run.finished_at, RUN_ENDED, run.id),
        run.id,
        run.agent_id,
        kind,
        task_name,
        excerpt(text, _TEXT_CHARS),
        run.task_id,
        run.id,
        due=run.scheduled_for,
        missed_until=run.missed_until,
    )


def _end_of(run: Run) -> tuple[str, str]:
    """The kind and the words of a run's end."""
    if run.status != "failed":
        return f"run_{run.status}", run.summary or run.reason or ""
    error = run.error or ""
    if error.startswith("delivery:"):
        return "run_not_reached", error.removeprefix("delivery:").strip()
    if error == "timeout":
        return "run_timed_out", "There was no sign of life in time."
    return "run_failed", error.removeprefix("agent:").strip()


def answered(decision: Decision) -> Happened:
    """A request that was answered, or closed. Raises ValueError for one that waits."""
    if decision.resolved_at is None:
        raise ValueError(f"decision {decision.id} waits for an answer")
    return Happened(
        Place(decision.resolved_at, ANSWERED, decision.id),
        decision.id,
        decision.agent_id,
        f"decision_{decision.status}",
        decision.title,
        excerpt(decision.note or "", _TEXT_CHARS),
        decision.task_id,
        decision.run_id,
        decision.id,
        decision=decision,
    )


def task_made(task: Task) -> Happened:
    """A task that was made, by whom."""
    return Happened(
        Place(task.created_at, TASK_MADE, task.id),
        task.id,
        task.agent_id,
        "task_created",
        task.name,
        "By you." if task.created_by == "user" else "By the agent.",
        None if task.deleted_at else task.id,
    )
