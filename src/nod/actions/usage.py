"""What tasks have used up by day, and how far their budgets of today are."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from nod.domain.budget import NOTHING, Used
from nod.domain.errors import InvalidInput
from nod.domain.limits import DAY
from nod.domain.model import Agent, Task
from nod.engine.budgets import Account, account_of, today_of
from nod.store.store import Tx
from nod.store.usage import UsedOn

DEFAULT_DAYS = 30


@dataclass(frozen=True, slots=True)
class TaskUse:
    """What one task used in the days of a report. Removed tasks count."""

    task: Task
    used: Used


@dataclass(frozen=True, slots=True)
class UsageReport:
    """The last days, each of them, the oldest first; today with what is under way.

    `accounts` are the budgets that hold, the task's own first. `tasks` are those of an agent that
    used something, the newest last.
    """

    zone: str
    days: tuple[UsedOn, ...]
    accounts: tuple[Account, ...]
    tasks: tuple[TaskUse, ...] = ()

    @property
    def today(self) -> Used:
        return self.days[-1].used

    @property
    def total(self) -> Used:
        return sum((each.used for each in self.days), NOTHING)


async def usage_of_task(tx: Tx, agent: Agent, task: Task, days: int) -> UsageReport:
    """What the task used in the last `days`. Raises InvalidInput for more days than are kept."""
    _check_days(tx, days)
    last, zone = await today_of(tx, agent.id)
    found = await tx.usage.of_task(task.id, last - timedelta(days=days - 1), last)
    underway = await tx.usage.underway_of_task(task.id, tx.now)
    accounts = [await account_of(tx, agent, task), await account_of(tx, agent, None)]
    return UsageReport(zone, _each_day(found, last, days, underway), _those(accounts))


async def usage_of_agent(tx: Tx, agent: Agent, days: int) -> UsageReport:
    """The same of all tasks of the agent together."""
    _check_days(tx, days)
    last, zone = await today_of(tx, agent.id)
    first = last - timedelta(days=days - 1)
    found = await tx.usage.of_agent(agent.id, first, last)
    underway = await tx.usage.underway_of_agent(agent.id, tx.now)
    tasks = [
        TaskUse(task, used)
        for task_id, used in await tx.usage.by_task(agent.id, first, last)
        if (task := await tx.tasks.get(task_id)) is not None
    ]
    accounts = _those([await account_of(tx, agent, None)])
    return UsageReport(zone, _each_day(found, last, days, underway), accounts, tuple(tasks))


def _check_days(tx: Tx, days: int) -> None:
    most = max(1, tx.limits.usage_s // DAY)
    if not 1 <= days <= most:
        raise InvalidInput(f"must be between 1 and {most}; got {days}", field="days")


def _each_day(found: Sequence[UsedOn], last: date, days: int, underway: Used) -> tuple[UsedOn, ...]:
    used = dict(found)
    used[last] = used.get(last, NOTHING) + underway
    span = (last - timedelta(days=back) for back in reversed(range(days)))
    return tuple(UsedOn(day, used.get(day, NOTHING)) for day in span)


def _those(accounts: Sequence[Account | None]) -> tuple[Account, ...]:
    return tuple(each for each in accounts if each is not None)
