"""What the sample's tasks have used up of late, and the budgets that watch over them."""

from dataclasses import replace
from datetime import timedelta

from nod.domain.agenda_days import day_of
from nod.domain.budget import Budget, Used, written
from nod.domain.instant import MINUTE
from nod.domain.model import Agent, Task
from nod.store.store import Tx


async def used_lately(tx: Tx, agent: Agent, daily: Task, nightly: Task) -> None:
    """Four weeks of use: a task near its budget of today, and an agent far from its own."""
    today = day_of(tx.now, await tx.usage.zone(agent.id))
    for back in range(28, -1, -1):
        day = today - timedelta(days=back)
        if day.weekday() < 5 or back == 0:
            cents = 34 if back == 0 else 18 + back * 37 % 29 + (22 if back == 9 else 0)
            await tx.usage.add(daily.id, agent.id, day, _used(1, cents, 6 + back % 5))
        if back % 6:
            await tx.usage.add(nightly.id, agent.id, day, _used(2, 4 + back % 3, 2))
    budget = Budget(cost_usd=0.4, runs=4)
    watched = replace(daily, budget=written(budget), budget_by="user", budgeted=True)
    await tx.tasks.update(watched)
    await tx.people.update_agent(replace(agent, budget=written(Budget(cost_usd=1, minutes=60))))
    await tx.tasks.mark_budgeted(agent.id, agent_has=True)


def _used(runs: int, cents: int, minutes: int) -> Used:
    return Used(runs, cents * 2700, cents * 310, cents * 10_000, minutes * MINUTE)
