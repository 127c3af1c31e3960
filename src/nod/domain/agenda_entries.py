"""The entries of an agenda: runs, fires that did not run, and fires to come. Pure."""

from nod.domain.agenda import Entry, Scene, State
from nod.domain.fires import paused_reason
from nod.domain.instant import Instant
from nod.domain.model import Run, Task
from nod.domain.moments import day_time_words
from nod.domain.runs import waits_as_retry
from nod.domain.strip import STATES, outcome_words

_BY_SCHEDULE = ("schedule", "once")


def state_ahead(task: Task) -> State:
    """What its fires to come are."""
    return "due" if task.enabled else "paused"


def entry_of_fire(task: Task, at: Instant, scene: Scene) -> Entry:
    """A fire to come."""
    words = "to come" if at > scene.now else "due now"
    if not task.enabled:
        words = f"{paused_reason(task)}; it will not run"
    return Entry(
        key=f"{task.id}-{at}",
        task_id=task.id,
        task_name=task.name,
        agent_id=task.agent_id,
        state=state_ahead(task),
        at=at,
        start=at if task.enabled else None,
        end=at + (scene.lengths.get(task.id, 0) if task.enabled else 0),
        run_id=None,
        words=words,
        label=f"{day_time_words(at, scene.zone)} {task.name}: {words}",
        changed_at=task.updated_at,
    )


def entry_of_run(run: Run, scene: Scene) -> Entry:
    """A run, or the entry of a fire that did not run."""
    task = scene.tasks[run.task_id]
    words = _words(run, scene)
    at = run.scheduled_for
    return Entry(
        key=f"{task.id}-{at}" if run.trigger in _BY_SCHEDULE else run.id,
        task_id=task.id,
        task_name=task.name,
        agent_id=run.agent_id,
        state=STATES[run.status],
        at=at,
        start=run.started_at,
        end=max(at, _end(run, scene.now)),
        run_id=run.id,
        words=words,
        label=f"{day_time_words(at, scene.zone)} {task.name}: {words}",
        changed_at=max(filter(None, (run.created_at, run.started_at, run.finished_at))),
    )


def _end(run: Run, now: Instant) -> Instant:
    """When it was over. An entry that stands for many misses reaches to the last of them."""
    if run.status == "skipped":
        return run.scheduled_for if run.missed_until is None else run.missed_until
    return now if run.finished_at is None else run.finished_at


def _words(run: Run, scene: Scene) -> str:
    if waits_as_retry(run, scene.now):
        return f"attempt {run.attempt}, to come"
    words = outcome_words(run)
    if run.missed_until is None:
        return words
    last = day_time_words(run.missed_until, scene.zone)
    return words.replace("skipped", f"skipped until {last}", 1)
