"""Runs in the store, with their scratchpads, payloads and deliverables."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import fields
from typing import NamedTuple

from nod.domain.agenda import RunCount
from nod.domain.instant import DAY, Instant
from nod.domain.model import ContextBlock, Decision, Payload, Run, RunDelivery, Task
from nod.domain.states import RunStatus
from nod.store.port import Connection
from nod.store.rows import row

_FIXED = {
    "task_id", "agent_id", "trigger", "attempt", "retry_of", "scheduled_for", "missed_until",
    "created_at", "useful_until", "timeout_s", "outside",
    "traceparent", "tracestate",
}  # fmt: skip
_TASK = len(fields(Task))
_MOVED = tuple(each.name for each in fields(Run) if each.name not in _FIXED)

_ALL = "all"  # in place of a status: the count of all of them


class Delivered(NamedTuple):
    """A run that has reached its agent, in the order of the statement's values."""

    delivery: RunDelivery
    at: Instant
    last_deadline_at: Instant
    id: str


class DueRetry(NamedTuple):
    """A retry whose time has come, and its task."""

    task: Task
    run: Run


class RunEnd(NamedTuple):
    """What the end of a run touches."""

    task: Task
    shown_in: str | None  # the conversation
    zone: str  # of the agent's owner, whose days what it used counts to
    has_context: bool
    has_questions: bool
    has_queue: bool  # runs of the same task wait for their turn
    has_reader: bool  # the person has somewhere to be notified
    is_thinking: bool  # the chat shows the agent at work


class Runs:
    """The verbs on runs."""

    __slots__ = ("_db",)

    def __init__(self, db: Connection) -> None:
        self._db = db

    async def insert(self, runs: Sequence[Run]) -> None:
        """Raises UniqueViolation when one of the fires has its run already."""
        await self._db.many("insert_runs", [row(run) for run in runs])

    async def get(self, run_id: str) -> Run | None:
        """The run. Whoever writes has it, with its task (`Tasks.get`)."""
        found = await self._db.one("run", run_id=run_id)
        return None if found is None else Run(*found)

    async def of_task(
        self, task_id: str, limit: int, before: tuple[Instant, str] = (1 << 62, "")
    ) -> list[Run]:
        """Newest first, those older than `before` (a run's scheduled_for and id)."""
        found = await self._db.all(
            "runs_of_task", task_id=task_id, before=before[0], before_id=before[1], limit=limit
        )
        return [Run(*each) for each in found]

    async def newest_of_user(self, user_id: str, each: int) -> list[Run]:
        """The `each` newest entries of every task of the person, newest first in each task."""
        found = await self._db.all("newest_runs_of_user", user_id=user_id, each=each)
        return [Run(*row) for row in found]

    async def ended_of(
        self,
        agent_id: str,
        limit: int,
        before: tuple[Instant, str],
        task_id: str | None,
        states: Sequence[RunStatus],
    ) -> list[tuple[Run, str]]:
        """The agent's entries that ended in one of the states, each with the name of its task, the
        newest end first, those older than `before` (finished_at, id)."""
        found = await self._db.all(
            "ended_runs_of_agent",
            agent_id=agent_id,
            at=before[0],
            id=before[1],
            task_id=task_id,
            states=f" {' '.join(states)} ",
            limit=limit,
        )
        return [(Run(*row[:-1]), row[-1]) for row in found]

    async def lengths(self, task_id: str, limit: int) -> list[Instant]:
        """How long the last runs of the task took that completed, in milliseconds."""
        found = await self._db.all("run_lengths", task_id=task_id, limit=limit)
        return [each[0] for each in found]

    async def between(
        self, user_id: str, agent_id: str | None, since: Instant, until: Instant, each: int
    ) -> list[Run]:
        """What was due from `since` up to `until` of the person's tasks, or of those of one agent,
        in order: of every task the first `each` that completed, that did not, and under way."""
        found = await self._db.all(
            "runs_between",
            user_id=user_id,
            agent_id=agent_id,
            since=since,
            until=until,
            each=each,
        )
        return [Run(*row) for row in found]

    async def count_between(
        self, user_id: str, agent_id: str | None, since: Instant, until: Instant
    ) -> list[RunCount]:
        """How many there are of them, by task and status."""
        found = await self._db.all(
            "count_between", user_id=user_id, agent_id=agent_id, since=since, until=until
        )
        counts = [RunCount(*row) for row in found if row[1] != _ALL]
        others = Counter[str]()
        for each in counts:
            others[each.task_id] += each.number
        completed = [
            RunCount(task_id, "completed", number - others[task_id], first, last)
            for task_id, kind, number, first, last in found
            if kind == _ALL and number > others[task_id]
        ]
        return [*completed, *counts]

    async def across(self, user_id: str, agent_id: str | None, at: Instant) -> list[Run]:
        """Their entries that were due before `at` and not over then."""
        found = await self._db.all(
            "runs_across", user_id=user_id, agent_id=agent_id, at=at, day_before=at - DAY
        )
        return [Run(*row) for row in found]

    async def lengths_of_user(self, user_id: str, each: int) -> dict[str, list[Instant]]:
        """`lengths` of every task of the person that has a fire to come."""
        lengths: defaultdict[str, list[Instant]] = defaultdict(list)
        for task_id, length in await self._db.all("lengths_of_user", user_id=user_id, each=each):
            lengths[task_id].append(length)
        return dict(lengths)

    async def active(self, task_id: str) -> list[Run]:
        """Pending, running and waiting runs of a task, the oldest first."""
        return [Run(*each) for each in await self._db.all("active_runs", task_id=task_id)]

    async def oldest_pending(self, task_id: str, now: Instant) -> Run | None:
        found = await self._db.one("oldest_waiting_run", task_id=task_id, now=now)
        return None if found is None else Run(*found)

    async def next_queued(self, task_id: str, *, by_hand_first: bool) -> Run | None:
        """The run of the task that has waited for its turn the longest."""
        found = await self._db.one("next_queued_run", task_id=task_id, by_hand_first=by_hand_first)
        return None if found is None else Run(*found)

    async def due_retries(self, now: Instant, limit: int) -> list[DueRetry]:
        """Retries whose time has come, the longest due first."""
        found = await self._db.all("due_retries", now=now, limit=limit)
        return [DueRetry(Task(*each[:_TASK]), Run(*each[_TASK:])) for each in found]

    async def next_retry_at(self) -> Instant | None:
        """When the time of the next retry comes."""
        found = await self._db.one("next_retry_at")
        return None if found is None else found[0]

    async def due_tasks(self, agent_id: str, now: Instant) -> list[Task]:
        """Tasks of the agent with a run that is due and that nobody has been given."""
        found = await self._db.all("due_for_polling", agent_id=agent_id, now=now)
        return [Task(*each) for each in found]

    async def move(self, run: Run, expected: RunStatus) -> bool:
        """Write the run's state, if it still is in `expected`. False: somebody was faster."""
        values = {name: getattr(run, name) for name in _MOVED}
        return await self._db.run("move_run", **values, expected=expected) == 1

    async def end_of(self, run: Run) -> RunEnd:
        """What is to be seen to when the run ends."""
        [found] = await self._db.all("run_end", run_id=run.id, task_id=run.task_id)
        task, where, flags = found[:_TASK], found[_TASK : _TASK + 2], found[_TASK + 2 :]
        return RunEnd(Task(*task), *where, *map(bool, flags))

    async def mark_delivered(self, runs: Sequence[Delivered]) -> None:
        await self._db.many("mark_delivered", runs)

    async def unfinished_retries(self, run_id: str) -> list[Run]:
        """Retries of the run, and retries of those, that the agent has not taken up."""
        found = await self._db.all("unfinished_retries", run_id=run_id)
        return [Run(*each) for each in found]

    async def overdue(self, now: Instant, limit: int) -> list[Run]:
        """Runs whose deadline has passed."""
        return [Run(*each) for each in await self._db.all("overdue_runs", now=now, limit=limit)]

    async def next_deadline(self) -> Instant | None:
        """When the next run times out."""
        found = await self._db.one("next_deadline")
        return None if found is None else found[0]

    async def fired(self, task_id: str, since: Instant, until: Instant) -> set[Instant]:
        """The fires of the task from `since` to `until`, both included, that have their entry."""
        found = await self._db.all("fired", task_id=task_id, since=since, until=until)
        return {each[0] for each in found}

    async def forget_ahead(self, task_id: str, now: Instant) -> None:
        """Remove the entries of fires that did not run and that lie after `now`: the clock was
        ahead when they were made, and their time is still to come."""
        await self._db.run("forget_skipped_ahead", task_id=task_id, now=now)
        await self._db.run("shorten_missed", task_id=task_id, now=now)

    async def count_triggered(self, agent_id: str) -> int:
        """How many runs of the agent are under way that a call from outside started."""
        found = await self._db.one("count_triggered", agent_id=agent_id)
        return 0 if found is None else int(found[0])

    async def around(self, task_id: str, at: Instant) -> Run | None:
        """The last entry at or before a time."""
        found = await self._db.one("run_around", task_id=task_id, at=at)
        return None if found is None else Run(*found)

    async def ended_before(self, run: Run) -> Run | None:
        """The last run of the same task before this one that completed or failed."""
        return await self._beside("ended_before", run)

    async def ended_after(self, run: Run) -> Run | None:
        """The first run of the same task after this one that completed or failed."""
        return await self._beside("ended_after", run)

    async def completed_before(self, run: Run) -> Run | None:
        """The last run of the same task before this one that completed."""
        return await self._beside("completed_before", run)

    async def _beside(self, statement: str, run: Run) -> Run | None:
        found = await self._db.one(statement, task_id=run.task_id, at=run.scheduled_for, id=run.id)
        return None if found is None else Run(*found)

    async def questions(self, run_id: str) -> list[Decision]:
        """All that the run has asked, the oldest first."""
        found = await self._db.all("questions_of_run", run_id=run_id)
        return [Decision(*each) for each in found]

    async def put_output(self, run_id: str, text: str, now: Instant) -> None:
        await self._db.run("put_output", run_id=run_id, text=text, now=now)

    async def output(self, run_id: str) -> str | None:
        found = await self._db.one("output", run_id=run_id)
        return None if found is None else str(found[0])

    async def insert_payload(self, payload: Payload) -> None:
        await self._db.run(
            "insert_payload",
            run_id=payload.run_id,
            payload=payload.payload,
            inbound=payload.inbound,
        )

    async def payload(self, run_id: str) -> Payload | None:
        found = await self._db.one("payload", run_id=run_id)
        return None if found is None else Payload(*found)

    async def copy_payload(self, from_run_id: str, run_id: str) -> None:
        """Give a retry what the first run was called with."""
        await self._db.run("copy_payload", from_run_id=from_run_id, run_id=run_id)

    async def context_size(self, run_id: str) -> tuple[int, int]:
        """The last block's id (0: none) and the bytes of all blocks."""
        found = await self._db.one("context_size", run_id=run_id)
        return (0, 0) if found is None else (found[0], found[1])

    async def add_context(self, block: ContextBlock) -> None:
        await self._db.run(
            "insert_context",
            run_id=block.run_id,
            id=block.id,
            text=block.text,
            created_at=block.created_at,
        )

    async def context_blocks(self, run_id: str) -> list[ContextBlock]:
        """The scratchpad, the oldest block first."""
        found = await self._db.all("context_blocks", run_id=run_id)
        return [ContextBlock(*each) for each in found]

    async def clear_context(self, run_id: str) -> None:
        await self._db.run("clear_context", run_id=run_id)

    async def sweep(self, before: Instant, keep: int, limit: int) -> int:
        """Remove runs that ended before a time, except the `keep` newest of each task."""
        return await self._db.run("sweep_runs", before=before, keep=keep, limit=limit)
