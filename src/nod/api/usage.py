"""What was used by day, and budgets, as the API shows them to agents and people alike."""

from typing import Any, Literal

import msgspec
from litestar.params import FromQuery

from nod.actions.usage import DEFAULT_DAYS, UsageReport
from nod.domain.budget import Budget, Measure, Share, Used, Verdict, budget_words, shares
from nod.engine.budgets import Account
from nod.store.usage import UsedOn

Days = FromQuery[int]
__all__ = ["DEFAULT_DAYS", "Days", "UsageReportView", "usage_report_view"]


class UsedView(msgspec.Struct, kw_only=True):
    """What was used up."""

    runs: int
    input_tokens: int
    output_tokens: int
    cost_usd: float
    minutes: float


class DayView(UsedView, kw_only=True):
    """What was used up on a day, such as 2030-12-24."""

    day: str


class TaskUseView(UsedView, kw_only=True):
    """What a task used up."""

    task_id: str
    task_name: str


class ShareView(msgspec.Struct):
    """How much of one thing is used today, and how much of it a day has."""

    measure: Measure
    used: float
    most: float
    percent: int


class AccountView(msgspec.Struct):
    """A budget today. `state`: free; ask (80 % are used); over (nothing more runs); or what the
    person said: lifted, stopped. `decision_id` is the request about it."""

    of: Literal["task", "agent"]
    budget: Budget
    words: str
    used: list[ShareView]
    state: Verdict
    decision_id: str | None


class UsageReportView(msgspec.Struct):
    """The days, the oldest first, today with what is under way; the budgets that hold; of an agent
    its tasks."""

    timezone: str
    days: list[DayView]
    budgets: list[AccountView]
    tasks: list[TaskUseView]


def usage_report_view(found: UsageReport) -> UsageReportView:
    return UsageReportView(
        found.zone,
        [_day(each) for each in found.days],
        [_account(each) for each in found.accounts],
        [
            TaskUseView(task_id=each.task.id, task_name=each.task.name, **_used(each.used))
            for each in found.tasks
        ],
    )


def _used(used: Used) -> dict[str, Any]:
    return {
        "runs": used.runs,
        "input_tokens": used.input_tokens,
        "output_tokens": used.output_tokens,
        "cost_usd": used.cost_usd,
        "minutes": used.minutes,
    }


def _day(each: UsedOn) -> DayView:
    return DayView(day=str(each.day), **_used(each.used))


def _account(each: Account) -> AccountView:
    return AccountView(
        "agent" if each.task is None else "task",
        each.budget,
        budget_words(each.budget),
        [_share(share) for share in shares(each.budget, each.used)],
        each.verdict,
        each.decision_id,
    )


def _share(share: Share) -> ShareView:
    return ShareView(share.measure, share.used / share.unit, share.most / share.unit, share.percent)
