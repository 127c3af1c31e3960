"""What runs have used up by day, and what people said of budgets, in the store."""

from dataclasses import asdict
from datetime import date
from typing import NamedTuple

from nod.domain.budget import Today, Used
from nod.domain.instant import Instant
from nod.store.port import Connection


class UsedOn(NamedTuple):
    """What was used up on a day."""

    day: date
    used: Used


class BudgetDay(NamedTuple):
    """The request about a budget on a day, and what a person has said."""

    decision_id: str
    today: Today | None


class Usage:
    """The verbs on what is used up. Days are of the owner's zone."""

    __slots__ = ("_db",)

    def __init__(self, db: Connection) -> None:
        self._db = db

    async def add(self, task_id: str, agent_id: str, day: date, used: Used) -> None:
        """Count it to what the task has used on the day. Whoever does it has the task."""
        await self._db.run(
            "add_usage", task_id=task_id, agent_id=agent_id, day=str(day), **asdict(used)
        )

    async def of_task(self, task_id: str, first: date, last: date) -> list[UsedOn]:
        """What the task used from one day to another, those days in which it did."""
        found = await self._db.all(
            "usage_of_task", task_id=task_id, first=str(first), last=str(last)
        )
        return [UsedOn(date.fromisoformat(day), Used(*used)) for day, *used in found]

    async def of_agent(self, agent_id: str, first: date, last: date) -> list[UsedOn]:
        """What all tasks of the agent used."""
        found = await self._db.all(
            "usage_of_agent", agent_id=agent_id, first=str(first), last=str(last)
        )
        return [UsedOn(date.fromisoformat(day), Used(*used)) for day, *used in found]

    async def by_task(self, agent_id: str, first: date, last: date) -> list[tuple[str, Used]]:
        """How much each task of the agent used in those days, by the tasks' ids."""
        found = await self._db.all(
            "usage_by_task", agent_id=agent_id, first=str(first), last=str(last)
        )
        return [(task_id, Used(*used)) for task_id, *used in found]

    async def underway_of_task(self, task_id: str, now: Instant) -> Used:
        """The runs of the task that have not ended, and the work on them."""
        [(runs, worked)] = await self._db.all("underway_of_task", task_id=task_id, now=now)
        return Used(runs=runs, work_ms=worked)

    async def underway_of_agent(self, agent_id: str, now: Instant) -> Used:
        """The same of all its tasks."""
        [(runs, worked)] = await self._db.all("underway_of_agent", agent_id=agent_id, now=now)
        return Used(runs=runs, work_ms=worked)

    async def zone(self, agent_id: str) -> str:
        """The zone of the agent's owner. Raises LookupError for no agent."""
        found = await self._db.one("owner_zone", agent_id=agent_id)
        if found is None:
            raise LookupError(f"no agent {agent_id}")
        return str(found[0])

    async def budget_day(self, subject: str, day: date) -> BudgetDay | None:
        """What is known of the budget of a task or an agent (`subject`) on the day."""
        found = await self._db.one("budget_day", subject=subject, day=str(day))
        return None if found is None else BudgetDay(*found)

    async def open_budget_day(self, subject: str, day: date, decision_id: str) -> None:
        """The person is asked by this request, the only one of the day. Whoever does it has the
        agent."""
        await self._db.run(
            "open_budget_day", subject=subject, day=str(day), decision_id=decision_id
        )

    async def say(self, subject: str, decision_id: str, today: Today) -> None:
        """Keep what the person said of the budget on the day of the request."""
        await self._db.run("say_of_budget", subject=subject, decision_id=decision_id, today=today)

    async def forget_budget_days(self, subject: str, day: date) -> None:
        """Forget what was asked and said of the budget on the day and later."""
        await self._db.run("forget_budget_days", subject=subject, day=str(day))

    async def sweep(self, before: date, limit: int) -> int:
        """Remove what was used, asked and said on days before then."""
        days = await self._db.run("sweep_usage", before_day=str(before), limit=limit)
        return days + await self._db.run("sweep_budget_days", before_day=str(before), limit=limit)
