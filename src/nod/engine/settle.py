"""What comes back from the agent: taking up, notes, questions, output, completion.

Any call or frame by which an agent names a run takes the run up and renews its lease.
"""

from dataclasses import dataclass, replace
from typing import Annotated, Literal

import msgspec

from nod.domain.budget import used_by
from nod.domain.errors import Conflict, InvalidInput, NotFound, TooLarge
from nod.domain.model import Agent, Channel, ContextBlock, Run, RunDelivery, Task
from nod.domain.runs import delivered, make_run, paused, renewed, resumed, skipped_run
from nod.domain.states import next_run_status, run_can
from nod.domain.texts import storable
from nod.engine import budgets, notify
from nod.engine.ending import cancel_all, finish, move
from nod.engine.outbox import make_run_event
from nod.store.store import Tx

Outcome = Literal["completed", "failed"]
# As high as a number in JSON is exact everywhere (RFC 8259, section 6).
Tokens = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]
# The upper end keeps infinity out, which JSON could not give back.
Cost = Annotated[float, msgspec.Meta(ge=0, le=1e9)]


@dataclass(frozen=True, slots=True)
class Usage:
    """What a run has cost so far, as its agent says."""

    input_tokens: Tokens | None = None
    output_tokens: Tokens | None = None
    cost_usd: Cost | None = None


async def get_own(tx: Tx, agent: Agent, run_id: str) -> Run:
    """The agent's run. Raises NotFound, also for another agent's."""
    run = await tx.runs.get(run_id)
    if run is None or run.agent_id != agent.id:
        raise NotFound(f"there is no run {run_id[:64]} of this agent")
    return run


async def start(tx: Tx, agent: Agent, task: Task) -> Run:
    """Take up the oldest run that waits on the task, or make one if none waits.

    Beyond a budget none is made: what comes back is the entry (`skipped`) that says so.
    """
    run = await tx.runs.oldest_pending(task.id, tx.now)
    if run is None:
        ledger = budgets.Ledger(tx)
        refusal = await ledger.refusal(task)
        if refusal is not None:
            run = skipped_run(task, tx.now, tx.now, "manual", refusal)
        else:
            run = make_run(task, tx.now, tx.now, "manual")
            await ledger.begun(task)
        await tx.runs.insert([run])
        if refusal is None:
            event = make_run_event(tx.now, task, run, tx.limits, traced=tx.traced)
            await tx.events.insert([event])
        tx.effects.fact(
            "fired" if refusal is None else "skipped",
            run_id=run.id,
            task_id=task.id,
            task_name=task.name,
            agent_id=agent.id,
            late_s=0.0,
            reason=refusal,
        )
    return await take_up(tx, run)


async def take_up(tx: Tx, run: Run, via: Channel = "poll") -> Run:
    """The agent has named the run: if it was pending it is running now. Else nothing changes.

    `via` is the channel by which the run's event has reached the agent.
    """
    if run.status != "pending":
        return run
    taken = _taken_up(tx, run, via)
    await move(tx, run, taken)
    await tx.events.settle_run(run.id, "acknowledged", via, tx.now, None)
    return taken


def _taken_up(tx: Tx, run: Run, via: Channel) -> Run:
    """The pending run as it goes on, not stored yet. Raises Conflict for one that is held."""
    if run.held:
        raise Conflict(f"run {run.id} waits until a person has looked at its call")
    how: RunDelivery = "polled" if via == "poll" else "delivered"
    ready = run
    if run.delivered_at is None:
        ready = delivered(run, tx.now, how, tx.limits.timeout_max_s)
    tx.effects.fact("taken_up", run_id=run.id, task_id=run.task_id, agent_id=run.agent_id)
    return replace(
        renewed(ready, tx.now),
        status=next_run_status("take_up", run.status, run.id),
        queued=False,
        started_at=tx.now,
    )


async def sign_of_life(tx: Tx, run: Run, via: Channel = "poll") -> Run:
    """Take the run up, or renew its lease. Raises Conflict when it has ended."""
    if run.status == "running":
        return await move(tx, run, renewed(run, tx.now))
    if run.status not in ("pending", "waiting"):
        raise Conflict(_over(run))
    return await take_up(tx, run, via)


async def ask(tx: Tx, run: Run) -> Run:
    """A question of the run is open: it waits for the person, and no deadline runs."""
    if run.status == "waiting":
        return run
    waiting = replace(paused(run, tx.now), status=next_run_status("ask", run.status, run.id))
    return await move(tx, run, waiting)


async def answer(tx: Tx, run: Run) -> Run:
    """The run's last open question is answered: it goes on."""
    if run.status != "waiting" or await tx.chat.open_decisions(run.id):
        return run
    going = replace(resumed(run, tx.now), status=next_run_status("answer", run.status, run.id))
    return await move(tx, run, going)


async def add_context(
    tx: Tx, agent: Agent, run_id: str, text: str, via: Channel = "poll"
) -> ContextBlock:
    """Append a block to the run's scratchpad.

    Raises Conflict when the run has ended, TooLarge beyond a block's or the scratchpad's limit.
    """
    run = await sign_of_life(tx, await get_own(tx, agent, run_id), via)
    storable(text, "text")
    last_id, used = await tx.runs.context_size(run.id)
    size = len(text.encode())
    if size > tx.limits.context_block_bytes:
        raise TooLarge(
            f"a context block holds at most {tx.limits.context_block_bytes} bytes;"
            f" this one has {size}. Split it, or keep less"
        )
    if used + size > tx.limits.context_run_bytes:
        raise TooLarge(
            f"the scratchpad of a run holds at most {tx.limits.context_run_bytes} bytes;"
            f" {used} are used and this block has {size}"
        )
    block = ContextBlock(run.id, last_id + 1, text, tx.now)
    await tx.runs.add_context(block)
    tx.effects.fact("context_added", run_id=run.id, task_id=run.task_id, agent_id=agent.id)
    return block


async def context(tx: Tx, agent: Agent, run_id: str, via: Channel = "poll") -> list[ContextBlock]:
    """The run's scratchpad, the oldest block first; empty after its end."""
    run = await get_own(tx, agent, run_id)
    if run_can("cancel", run.status):
        await sign_of_life(tx, run, via)
    return await tx.runs.context_blocks(run_id)


async def put_output(tx: Tx, agent: Agent, run_id: str, text: str, via: Channel = "poll") -> Run:
    """Set the run's full deliverable, before or after its completion.

    Raises TooLarge beyond the limit, Conflict for a run that was skipped or cancelled.
    """
    run = await get_own(tx, agent, run_id)
    storable(text, "text")
    size = len(text.encode())
    if size > tx.limits.output_bytes:
        raise TooLarge(
            f"an output holds at most {tx.limits.output_bytes} bytes; this one has {size}."
            " Shorten it, or link to the rest"
        )
    if run.status in ("skipped", "cancelled"):
        raise Conflict(_over(run))
    if run_can("cancel", run.status):
        run = await sign_of_life(tx, run, via)
    await tx.runs.put_output(run.id, text, tx.now)
    if run.status == "completed":
        await notify.output_changed(tx, run)
    tx.effects.change(run.id)
    tx.effects.fact("output", run_id=run.id, task_id=run.task_id, agent_id=agent.id, bytes=size)
    return run


async def complete(
    tx: Tx,
    agent: Agent,
    run_id: str,
    outcome: Outcome,
    summary: str,
    usage: Usage | None = None,
    via: Channel = "poll",
) -> Run:
    """The agent reports the run's result. The first result stands.

    The same outcome again returns the first result; another one raises Conflict. A success after
    Nod had given up on the run is kept and marked late, and a retry not yet begun is cancelled.
    """
    if len(summary) > tx.limits.summary_chars:
        raise InvalidInput(
            f"summary has {len(summary)} characters, at most {tx.limits.summary_chars} fit; put"
            f" the whole text in PUT /api/agent/tasks/runs/{run_id}/output and sum it up here"
        )
    run = await get_own(tx, agent, run_id)
    storable(summary, "summary")
    if run.status == outcome:
        return run
    if outcome == "completed" and _given_up(run):
        return await _complete_late(tx, run, summary, usage, via)
    if not run_can("cancel", run.status):
        raise Conflict(_over(run))
    # Most agents name a run for the first time by its result: one change of state stores both.
    taken = _taken_up(tx, run, via) if run.status == "pending" else run
    verb = "complete" if outcome == "completed" else "fail"
    ended = replace(
        _with_usage(taken, usage),
        status=next_run_status(verb, taken.status, run.id),
        summary=summary,
        error=None if outcome == "completed" else f"agent: {_first_line(summary)}",
    )
    return await finish(tx, run, ended, via=via)


def _given_up(run: Run) -> bool:
    """Whether Nod, not the agent, called the run failed."""
    return run.status == "failed" and not (run.error or "").startswith("agent: ")


async def _complete_late(tx: Tx, run: Run, summary: str, usage: Usage | None, via: Channel) -> Run:
    status = next_run_status("complete_late", run.status, run.id)
    ended = replace(_with_usage(run, usage), status=status, summary=summary, late=True)
    # Before the end, so that what the task shows as its last result is this one.
    retries = await tx.runs.unfinished_retries(run.id)
    await cancel_all(tx, retries, "the first attempt's result came after all")
    return await finish(tx, run, ended, via=via)


async def record_usage(tx: Tx, run: Run, usage: Usage) -> Run:
    """Keep what the run has cost so far, and count it to the day."""
    after = await move(tx, run, _with_usage(run, usage))
    if used_by(after) != used_by(run):
        task = await tx.tasks.known(run.task_id)
        await budgets.count(tx, run, after, task, await tx.usage.zone(run.agent_id))
    return after


def _with_usage(run: Run, usage: Usage | None) -> Run:
    if usage is None:
        return run

    def newest(told: int | None, known: int | None) -> int | None:
        return known if told is None else told

    return replace(
        run,
        input_tokens=newest(usage.input_tokens, run.input_tokens),
        output_tokens=newest(usage.output_tokens, run.output_tokens),
        cost_usd=run.cost_usd if usage.cost_usd is None else usage.cost_usd,
    )


async def summary_of(tx: Tx, run: Run) -> str | None:
    """The run's full deliverable: its output, else its summary, else its messages' text."""
    return await notify.deliverable(tx, run)


def _over(run: Run) -> str:
    why = run.error or run.reason
    return f"run {run.id} is {run.status}" + (f" ({why})" if why else "")


def _first_line(text: str) -> str:
    lines = (line.lstrip("# ").strip() for line in text.splitlines())
    return next(filter(None, lines), "reported as failed, without a summary")
