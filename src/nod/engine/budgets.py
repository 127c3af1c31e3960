"""Budgets as things happen: what runs use is counted by day, the person is asked when most of a
budget is used, and a fire beyond it does not run.

Only tasks that are marked (`task.budgeted`) look at any of this. An agent's row is kept while one
of its tasks decides, so that two nodes do not both begin the last run, nor both ask.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta

from nod.domain.agenda_days import day_of
from nod.domain.budget import (
    NOTHING,
    Budget,
    Share,
    Today,
    Used,
    Verdict,
    fullest,
    read_budget,
    refusal_words,
    share_words,
    used_by,
    verdict,
)
from nod.domain.decisions import make_decision
from nod.domain.instant import SECOND
from nod.domain.model import Agent, Decision, Run, Task
from nod.domain.zones import known_timezone, start_of_day
from nod.engine.requests import open_request
from nod.store.store import Tx

_SAID: dict[str, Today] = {"approved": "go_on", "rejected": "stop"}


@dataclass(slots=True)
class Account:
    """The budget of a task or of an agent (`task` is None) today, and what of it is used.

    `decision_id` is the request of today about it, `today` what the person has said.
    """

    agent: Agent
    task: Task | None
    budget: Budget
    used: Used
    decision_id: str | None
    today: Today | None

    @property
    def subject(self) -> str:
        """The id of whose budget it is."""
        return self.agent.id if self.task is None else self.task.id

    @property
    def whose(self) -> str:
        return self.agent.name if self.task is None else "this task"

    @property
    def share(self) -> Share:
        """Of what it names that of which most is used."""
        return fullest(self.budget, self.used)

    @property
    def verdict(self) -> Verdict:
        """Whether one more run may begin."""
        return verdict(self.budget, self.used, self.today)

    def refusal(self) -> str | None:
        """Why no more run may begin, where none may."""
        return refusal_words(self.whose, self.share, self.verdict)


async def today_of(tx: Tx, agent_id: str) -> tuple[date, str]:
    """The day that it is for the agent's owner, and their zone."""
    zone = known_timezone(await tx.usage.zone(agent_id))
    return day_of(tx.now, zone), zone


async def account_of(tx: Tx, agent: Agent, task: Task | None) -> Account | None:
    """The account of the task's own budget, or of the agent's; None where there is no budget."""
    budget = read_budget(agent.budget if task is None else task.budget)
    if budget is None:
        return None
    day, _ = await today_of(tx, agent.id)
    if task is None:
        used = await tx.usage.of_agent(agent.id, day, day)
        underway = await tx.usage.underway_of_agent(agent.id, tx.now)
    else:
        used = await tx.usage.of_task(task.id, day, day)
        underway = await tx.usage.underway_of_task(task.id, tx.now)
    known = await tx.usage.budget_day(agent.id if task is None else task.id, day)
    so_far = used[0].used if used else NOTHING
    decision_id, said = (None, None) if known is None else known
    return Account(agent, task, budget, so_far + underway, decision_id, said)


class Ledger:
    """The budgets that one transaction has to do with."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx
        self._agents: dict[str, Agent] = {}
        self._accounts: dict[str, Account | None] = {}

    async def keep(self, agent_ids: Iterable[str]) -> None:
        """Take these agents in hand, in the order in which everybody does."""
        for agent in await self._tx.people.keep_agents(agent_ids):
            self._agents[agent.id] = agent

    async def refusal(self, task: Task, run: Run | None = None) -> str | None:
        """Why a fire of the task does not run, or `run`, made earlier, does not begin; None: it
        may. What a person wants by hand always may."""
        if not task.budgeted or (run is not None and run.trigger == "manual"):
            return None
        for account in await self._of(task):
            await self._ask_in_time(account)
            counted = NOTHING if run is None else Used(runs=1)  # among those under way
            why = replace(account, used=account.used - counted).refusal()
            if why is not None:
                return why
        return None

    async def begun(self, task: Task) -> None:
        """One more run of the task is under way."""
        for account in await self._of(task):
            account.used += Used(runs=1)
            await self._ask_in_time(account)

    async def look(self, task: Task) -> None:
        """Something of its budgets was used: ask the person if it is time to."""
        for account in await self._of(task):
            await self._ask_in_time(account)

    async def _of(self, task: Task) -> list[Account]:
        if not task.budgeted:
            return []
        if task.agent_id not in self._agents:
            await self.keep([task.agent_id])
        agent = self._agents[task.agent_id]  # there is one: its tasks end before it is removed
        for subject, of_task in ((task.id, task), (agent.id, None)):
            if subject not in self._accounts:
                self._accounts[subject] = await account_of(self._tx, agent, of_task)
        found = (self._accounts[task.id], self._accounts[agent.id])
        return [each for each in found if each is not None]

    async def _ask_in_time(self, account: Account) -> None:
        """Ask whether to go on, once a day, when most of the budget is used."""
        if account.decision_id is None and account.verdict in ("ask", "over"):
            account.decision_id = await _ask(self._tx, account)


async def _ask(tx: Tx, account: Account) -> str:
    day, zone = await today_of(tx, account.agent.id)
    ends = start_of_day(day + timedelta(days=1), zone)
    asked = await _question(tx, account, (ends - tx.now) // SECOND)
    await tx.usage.open_budget_day(account.subject, day, asked.id)
    await open_request(tx, asked)
    return asked.id


async def _question(tx: Tx, account: Account, left_s: int) -> Decision:
    where = await tx.chat.default_conversation(account.agent.id)
    name = account.agent.name if account.task is None else account.task.name
    if account.verdict == "over":
        then = "Nothing more of it runs until midnight, unless you let it go on."
    else:
        then = "Without an answer it goes on until the budget is used up."
    decision = make_decision(
        tx.now,
        account.agent.id,
        where.id,
        "budget",
        f"{name}: {share_words(account.share)} used today. Go on?",
        left_s,
        description=then,
        task_id=None if account.task is None else account.task.id,
    )
    return replace(decision, warn_at=None)  # it is over by midnight, and does no harm till then


async def answered(tx: Tx, decision: Decision) -> None:
    """The person has said whether to go on today."""
    today = _SAID.get(decision.status)
    if today is not None:
        subject = decision.task_id or decision.agent_id
        await tx.usage.say(subject, decision.id, today)
        tx.effects.fact(
            "budget_answered",
            agent_id=decision.agent_id,
            task_id=decision.task_id,
            decision_id=decision.id,
            today=today,
        )


async def start_anew(tx: Tx, agent_id: str, subject: str) -> None:
    """The budget is another one: what was asked and said today was about the former."""
    day, _ = await today_of(tx, agent_id)
    known = await tx.usage.budget_day(subject, day)
    if known is None:
        return
    asked = await tx.chat.decision(known.decision_id)
    if asked is not None and asked.status == "pending":
        await tx.chat.dismiss(asked, tx.now)
        tx.effects.change(asked.id, agent_id, asked.conversation_id)
    await tx.usage.forget_budget_days(subject, day)


async def count(tx: Tx, before: Run, after: Run, task: Task, zone: str) -> None:
    """Count what the run has used more than before to the day that it is in its owner's zone, and
    ask the person about a budget of which it uses most."""
    used = used_by(after) - used_by(before)
    if used == NOTHING:
        return
    day = day_of(tx.now, known_timezone(zone))
    await tx.usage.add(task.id, task.agent_id, day, used)
    if task.deleted_at is None:
        await Ledger(tx).look(task)
