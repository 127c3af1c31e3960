"""The newest entries of a task as a row of cells, the oldest first. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from nod.domain.instant import Instant
from nod.domain.model import Run
from nod.domain.moments import day_time_words, length_words
from nod.domain.states import RunStatus

CellState = Literal["pending", "running", "waiting", "done", "failed", "cancelled", "skipped"]

STATES: dict[RunStatus, CellState] = {
    "pending": "pending",
    "running": "running",
    "waiting": "waiting",
    "completed": "done",
    "failed": "failed",
    "cancelled": "cancelled",
    "skipped": "skipped",
}
_UNDER_WAY = {
    "pending": "waiting to be taken up",
    "running": "working",
    "waiting": "waiting for you",
}


@dataclass(frozen=True, slots=True)
class Cell:
    """One entry; `label` says in words what its colour says."""

    run_id: str
    state: CellState
    at: Instant
    label: str


def strip(runs: Iterable[Run], timezone: str) -> tuple[Cell, ...]:
    """A cell for each of the runs, which come newest first as the store gives them."""
    cells = [
        Cell(
            run.id,
            STATES[run.status],
            run.scheduled_for,
            f"{day_time_words(run.scheduled_for, timezone)}: {outcome_words(run)}",
        )
        for run in runs
    ]
    return tuple(cells[::-1])


def outcome_words(run: Run) -> str:
    """`done in 2 min 30 s`, `failed: timeout`, `skipped: the 8:00 run was still going`."""
    state = STATES[run.status]
    if state == "done":
        return f"done{_took(run)}"
    if state in _UNDER_WAY:
        return _UNDER_WAY[state]
    why = (run.error or run.reason or "").removeprefix("agent:").strip()
    return f"{state}: {why}" if why else state


def _took(run: Run) -> str:
    if run.started_at is None or run.finished_at is None:
        return ""
    return f" in {length_words(run.started_at, run.finished_at)}"
