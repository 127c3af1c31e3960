"""Runs made ahead of their time, so that a herd finds them ready.

To make a run takes as long as to store it. So shortly before the next tasks come due, what will
become of each is worked out and kept in memory. In the transaction of the fire a draft counts only
where nothing has changed: the task's row is the one it was made from, none of its runs is under
way, and no moment has passed that would change the plan. Any other fire is worked out then and
there, as after a restart; a draft saves time and decides nothing.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, NamedTuple

from nod.clock import Clock
from nod.domain.fires import Due, due_fires
from nod.domain.instant import SECOND, Instant
from nod.domain.limits import Limits
from nod.domain.model import Event, Run, Task
from nod.domain.runs import make_run, trigger_of_fire
from nod.engine.outbox import make_run_event
from nod.store.port import Row
from nod.store.store import Store, Tx
from nod.store.tasks import Advance, DueTask

LEAD: Final[Instant] = 2 * SECOND
"""How long before its time a fire is drafted."""

# Then the fire stage has to be back at its work, whatever is drafted by then.
_BACK: Instant = SECOND // 5
# A run says when it was made: at its time, which has to stay nearly true.
_GOOD_FOR: Instant = 5 * SECOND
_MOST = 10_000
_MOST_BYTES = 32 * 1024 * 1024
_SLICE = 500


@dataclass(frozen=True, slots=True)
class Draft:
    """What becomes of a task at its next fire, as long as its row is `row`, until `good_until`."""

    row: Row
    task_name: str
    run: Run
    event: Event
    step: Advance
    good_until: Instant


class _Rules(NamedTuple):
    """What a draft is made by, beside its task."""

    limits: Limits
    traced: bool


class Drafts:
    """The fires that are drafted now."""

    def __init__(self) -> None:
        self._made: dict[str, Draft] = {}

    def fitting(self, due: DueTask, now: Instant) -> Draft | None:
        """The draft of this fire, if it still says what becomes of it."""
        draft = self._made.get(due.id)
        if draft is None or due.busy or now >= draft.good_until or due.row != draft.row:
            return None
        return draft

    async def prepare(
        self, store: Store, clock: Clock, next_fire_at: Instant | None
    ) -> Instant | None:
        """Draft what comes due next, if that is soon; return when there is something to do."""
        before, self._made = self._made, {}
        if next_fire_at is None:
            return None
        if next_fire_at - clock.now() > LEAD:
            return next_fire_at - LEAD
        room = _MOST_BYTES
        for skip in range(0, _MOST, _SLICE):
            if room <= 0 or clock.now() >= next_fire_at - _BACK:
                break
            soon, rules = await store.read(partial(_upcoming, next_fire_at, skip))
            made = await asyncio.to_thread(_drafted, soon, before, rules)
            self._made |= made
            room -= sum(len(each.event.body) for each in made.values())
            if len(soon) < _SLICE:
                break
        return next_fire_at


async def _upcoming(until: Instant, skip: int, tx: Tx) -> tuple[list[DueTask], _Rules]:
    return await tx.tasks.upcoming(until, skip, _SLICE), _Rules(tx.limits, tx.traced)


def _drafted(
    upcoming: Sequence[DueTask], before: Mapping[str, Draft], rules: _Rules
) -> dict[str, Draft]:
    made = {}
    for due in upcoming:
        known = before.get(due.id)
        draft = known if known and known.row == due.row else _try_draft(due, rules)
        if draft is not None:
            made[due.id] = draft
    return made


def _try_draft(due: DueTask, rules: _Rules) -> Draft | None:
    try:
        return _draft(due, rules)
    except Exception:  # noqa: BLE001 - the fire runs into it too, and says what is wrong
        return None


def _draft(due: DueTask, rules: _Rules) -> Draft | None:
    """What becomes of the task at its next fire, if nothing is in the way. None: that has to be
    seen when it comes."""
    task, limits = due.task, rules.limits
    at = due.fire_at
    if not task.enabled or task.budgeted or at <= task.fired_until:
        return None
    plan = due_fires(task, at, limits)  # this one fire, for no later one has come
    run = make_run(task, at, at, trigger_of_fire(task))
    event = make_run_event(at, task, run, limits, traced=rules.traced)
    ends = (at + _GOOD_FOR, at + limits.on_time_s * SECOND, event.expires_at, plan.next_fire_at)
    good_until = min(end for end in ends if end is not None)
    return Draft(due.row, task.name, run, event, step(task, plan, at), good_until)


def step(task: Task, plan: Due, now: Instant) -> Advance:
    """The task's step to the fire after those of the plan."""
    last = plan.fires[-1].scheduled_for if plan.fires else now
    seen = task.next_fire_at if task.next_fire_at is not None else now
    over = plan.next_fire_at is None
    until = max(last, task.fired_until)
    return Advance(plan.next_fire_at, until, task.enabled and not over, task.id, seen)
