"""Tasks in the store."""

from collections.abc import Sequence
from dataclasses import fields
from typing import NamedTuple

import msgspec

from nod.domain.instant import Instant
from nod.domain.model import RefusedCall, Task
from nod.domain.states import RunStatus
from nod.store.port import Connection, Row
from nod.store.rows import row

_UPDATED = tuple(
    each.name
    for each in fields(Task)
    if each.name not in {"agent_id", "last_run_status", "created_by", "created_at"}
)

_NAMES = [each.name for each in fields(Task)]
_ID, _FIRE_AT = _NAMES.index("id"), _NAMES.index("next_fire_at")
_AGENT_ID, _BUDGETED = _NAMES.index("agent_id"), _NAMES.index("budgeted")


class DueTask(NamedTuple):
    """A task whose fire has come, or soon will; `busy` when an earlier run of it has not ended.

    It is kept as its row, which says whether it is the same as it was.
    """

    row: Row
    busy: bool = False

    @property
    def id(self) -> str:
        return str(self.row[_ID])

    @property
    def fire_at(self) -> Instant:
        return int(self.row[_FIRE_AT])

    @property
    def agent_id(self) -> str:
        return str(self.row[_AGENT_ID])

    @property
    def is_budgeted(self) -> bool:
        return bool(self.row[_BUDGETED])

    @property
    def task(self) -> Task:
        return Task(*self.row)


class Advance(NamedTuple):
    """A task's step to its next fire, in the order of the statement's values."""

    next_fire_at: Instant | None
    fired_until: Instant
    enabled: bool
    id: str
    seen: Instant


class TaskName(NamedTuple):
    """What a task is called."""

    id: str
    agent_id: str
    name: str


class TriggerCall(NamedTuple):
    """What an earlier call with the same key made."""

    run_id: str
    event_id: str


class PastCalls(NamedTuple):
    """How often a trigger was called of late, and what the same call made before."""

    calls: int
    same: TriggerCall | None


class AcceptedCall(NamedTuple):
    """A call of a trigger that made a run: the run, and what the call brought."""

    run_id: str
    created_at: Instant
    status: RunStatus
    reason: str | None
    size_bytes: int
    inbound: str
    held: bool  # it waits for a look, or was not let in


class Tasks:
    """The verbs on tasks."""

    __slots__ = ("_db",)

    def __init__(self, db: Connection) -> None:
        self._db = db

    async def insert(self, task: Task) -> None:
        await self._db.many("insert_task", [row(task)])

    async def get(self, task_id: str) -> Task | None:
        """The task, also a removed one (history names it).

        Whoever writes has it: nobody else changes the task, its runs or its questions meanwhile.
        """
        found = await self._db.one("task", task_id=task_id)
        return None if found is None else Task(*found)

    async def known(self, task_id: str) -> Task:
        """`get` by an id that stands in a row of another table. Raises KeyError for any other."""
        found = await self.get(task_id)
        if found is None:
            raise KeyError(task_id)
        return found

    async def by_trigger(self, trigger_id: str) -> Task | None:
        """The task of a trigger, unless it or its agent was removed."""
        found = await self._db.one("task_by_trigger", trigger_id=trigger_id)
        return None if found is None else Task(*found)

    async def of_agent(self, agent_id: str) -> list[Task]:
        """The agent's tasks, the oldest first."""
        return [Task(*each) for each in await self._db.all("tasks_of_agent", agent_id=agent_id)]

    async def made_of(
        self, agent_id: str, limit: int, before: tuple[Instant, str], task_id: str | None
    ) -> list[Task]:
        """The agent's tasks, removed ones among them, the newest first, those older than `before`
        (created_at, id); or the one that is named."""
        found = await self._db.all(
            "made_of_agent",
            agent_id=agent_id,
            at=before[0],
            id=before[1],
            task_id=task_id,
            limit=limit,
        )
        return [Task(*each) for each in found]

    async def of_user(self, user_id: str) -> list[Task]:
        """The tasks of all the person's agents, the oldest first."""
        return [Task(*each) for each in await self._db.all("tasks_of_user", user_id=user_id)]

    async def names_of(self, agent_id: str, limit: int) -> list[TaskName]:
        """What the agent's tasks are called, the newest first."""
        found = await self._db.all("task_names", agent_id=agent_id, limit=limit)
        return [TaskName(*each) for each in found]

    async def with_fires(self, agent_id: str, limit: int) -> list[Task]:
        """The agent's tasks that will fire by themselves, the soonest first."""
        found = await self._db.all("tasks_with_fires", agent_id=agent_id, limit=limit)
        return [Task(*each) for each in found]

    async def count_created(self, agent_id: str, since: Instant) -> tuple[int, int]:
        """How many tasks the agent has made itself: that stand now, and since a time."""
        found = await self._db.one("count_tasks", agent_id=agent_id, since=since)
        return (0, 0) if found is None else (found[0], found[1])

    async def oldest_created(self, agent_id: str, since: Instant) -> Instant | None:
        found = await self._db.one("oldest_created_since", agent_id=agent_id, since=since)
        return None if found is None else found[0]

    async def update(self, task: Task) -> None:
        """Write the fields that an edit may change."""
        await self._db.run("update_task", **{name: getattr(task, name) for name in _UPDATED})

    async def mark_budgeted(self, agent_id: str, *, agent_has: bool) -> None:
        """Write of the agent's tasks whether there is a budget to look at."""
        await self._db.run("mark_budgeted", agent_id=agent_id, agent_has=agent_has)

    async def due(self, now: Instant, limit: int) -> list[DueTask]:
        """The tasks whose next fire is at or before `now`, the longest due first."""
        found = await self._db.all("due_tasks", now=now, limit=limit)
        if not found:
            return []
        ids = msgspec.json.encode([row[_ID] for row in found]).decode()
        busy = {each[0] for each in await self._db.all("busy_tasks", task_ids=ids)}
        return [DueTask(row, row[_ID] in busy) for row in found]

    async def upcoming(self, until: Instant, skip: int, limit: int) -> list[DueTask]:
        """The tasks whose next fire is at or before `until`, the soonest first, but the first
        `skip`; whether busy or not. They are looked at, and taken by nobody."""
        found = await self._db.all("upcoming_tasks", until=until, skip=skip, limit=limit)
        return [DueTask(row) for row in found]

    async def next_fire_at(self) -> Instant | None:
        """When the next fire of any task is."""
        found = await self._db.one("next_fire_at")
        return None if found is None else found[0]

    async def advance(self, steps: Sequence[Advance]) -> None:
        await self._db.many("advance_task", steps)

    async def set_outcome(self, task_id: str, status: RunStatus, failures: int) -> None:
        await self._db.run("set_outcome", task_id=task_id, status=status, failures=failures)

    async def set_paused(self, task: Task, now: Instant) -> None:
        """Write `enabled`, `pause_reason` and `failures` of the task."""
        await self._db.run(
            "set_paused",
            task_id=task.id,
            enabled=task.enabled,
            pause_reason=task.pause_reason,
            failures=task.failures,
            now=now,
        )

    async def past_calls(
        self,
        task_id: str,
        key: str | None,
        *,
        same_since: Instant,
        counted_since: Instant,
        now: Instant,
        most: int,
    ) -> PastCalls:
        """The calls of a trigger: those after `counted_since`, counted up to `most`, and the one
        with the same key after `same_since`."""
        [(calls, run_id, event_id)] = await self._db.all(
            "past_calls",
            task_id=task_id,
            dedupe_key=key,
            same_since=same_since,
            counted_since=counted_since,
            now=now,
            most=most,
        )
        return PastCalls(calls, None if run_id is None else TriggerCall(run_id, event_id))

    async def remember_call(self, task_id: str, key: str, call: TriggerCall, now: Instant) -> None:
        await self._db.run(
            "insert_trigger_call",
            task_id=task_id,
            dedupe_key=key,
            run_id=call.run_id,
            event_id=call.event_id,
            created_at=now,
        )

    async def sweep_calls(self, before: Instant) -> int:
        return await self._db.run("sweep_trigger_calls", before=before)

    async def refuse_call(self, call: RefusedCall, keep: int) -> None:
        """Keep the call among the newest `keep` of its task."""
        await self._db.many("insert_refused_call", [row(call)])
        await self._db.run("keep_refused_calls", task_id=call.task_id, keep=keep)

    async def last_refused(self, task_id: str) -> Instant | None:
        """When a call of the task was refused last, as far as it was written."""
        found = await self._db.one("last_refused_call", task_id=task_id)
        return None if found is None else found[0]

    async def refused_calls(self, task_id: str, limit: int) -> list[RefusedCall]:
        """Newest first."""
        found = await self._db.all("refused_calls", task_id=task_id, limit=limit)
        return [RefusedCall(*each) for each in found]

    async def accepted_calls(self, task_id: str, limit: int) -> list[AcceptedCall]:
        """Newest first."""
        found = await self._db.all("accepted_calls", task_id=task_id, limit=limit)
        return [AcceptedCall(*each) for each in found]

    async def sweep_refused(self, before: Instant, limit: int) -> int:
        return await self._db.run("sweep_refused_calls", before=before, limit=limit)
