"""A run of the sample with a whole life behind it: sent, taken up, asked about, done."""

from dataclasses import replace

from nod.domain.decisions import make_decision
from nod.domain.instant import MINUTE, SECOND
from nod.domain.model import Agent, Delivery, Run, Task, new_id
from nod.domain.runs import make_run
from nod.engine.outbox import make_run_event
from nod.store.events import Settled
from nod.store.store import Tx

_ARRIVED_MS = 4


async def lived(tx: Tx, agent: Agent, task: Task, summary: str, text: str) -> Run:
    """A run that took two and a half minutes, of which it waited 41 seconds for its person."""
    due = tx.now - 4 * MINUTE
    where = await tx.chat.default_conversation(agent.id)
    made = make_run(task, due, due, "schedule")
    event = make_run_event(due, task, made, tx.limits)
    run = replace(
        made,
        status="completed",
        delivery="delivered",
        delivered_at=due + _ARRIVED_MS,
        started_at=due + SECOND,
        finished_at=due + 150 * SECOND,
        summary=summary,
        input_tokens=16_200,
        output_tokens=2_200,
        cost_usd=0.06,
    )
    await tx.runs.insert([run])
    await tx.events.insert([event])
    settled = due + _ARRIVED_MS
    await tx.events.settle(
        [Settled("acknowledged", "websocket", settled, None, event.id, "pending")]
    )
    await tx.events.insert_deliveries([_sent(agent, run, event.id, settled)])
    asked = make_decision(
        due + 40 * SECOND, agent.id, where.id, "question", "Which calendar?", 3600, run_id=run.id
    )
    await tx.chat.ask(asked)
    answered = replace(
        asked,
        status="responded",
        note="The one at work.",
        resolved_by="ann@example.org",
        resolved_at=due + 81 * SECOND,
    )
    await tx.chat.resolve(answered)
    await tx.runs.put_output(run.id, text, due + 150 * SECOND)
    await tx.chat.put_bubble(where.id, run, summary, due + 150 * SECOND)
    return run


def _sent(agent: Agent, run: Run, event_id: str, at: int) -> Delivery:
    return Delivery(
        id=new_id("dlv", at),
        event_id=event_id,
        agent_id=agent.id,
        run_id=run.id,
        channel="websocket",
        attempt=1,
        outcome="ok",
        status=None,
        latency_ms=_ARRIVED_MS,
        answer="",
        error=None,
        created_at=at,
    )
