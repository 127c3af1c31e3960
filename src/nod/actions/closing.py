"""The one way in which a question ends with word to its agent: answered, allowed or expired."""

from typing import Any

from nod.domain.decisions import OF_NOD
from nod.domain.errors import Conflict
from nod.domain.instant import rfc3339
from nod.domain.model import Decision, Run
from nod.domain.tracing import sent_trace
from nod.engine.outbox import make_event, put
from nod.engine.quarantine import carry_out
from nod.engine.requests import facts
from nod.engine.settle import answer as go_on
from nod.store.store import Tx


async def close(tx: Tx, decision: Decision) -> Decision:
    """Store the answer, tell the agent, and let the run go on, or the call that was held.

    The run's scratchpad goes with the answer, so that an agent that was woken for it knows where
    it was. Raises Conflict when the question is closed already.
    """
    if not await tx.chat.resolve(decision):
        raise Conflict("this decision has just been answered; the first answer stands")
    run = None if decision.run_id is None else await tx.runs.get(decision.run_id)
    if decision.kind not in OF_NOD:
        await _tell_agent(tx, decision, run)
    if run is not None:
        await go_on(tx, run)
    if decision.kind == "quarantine":
        await carry_out(tx, decision)
    tx.effects.fact("decision_closed", **facts(decision))
    tx.effects.change(decision.id, decision.agent_id, decision.conversation_id)
    return decision


async def _tell_agent(tx: Tx, decision: Decision, run: Run | None) -> None:
    fields: dict[str, Any] = {
        "decision_id": decision.id,
        "status": decision.status,
        "note": decision.note,
        "conversation_id": decision.conversation_id,
        "task_run_id": decision.run_id,
        "always_allow": decision.always_allow,
        "always_allow_pattern": decision.always_allow_pattern,
    }
    if run is not None:
        fields |= sent_trace(run, traced=tx.traced)
        fields["context"] = [
            {"id": block.id, "text": block.text, "created_at": rfc3339(block.created_at)}
            for block in await tx.runs.context_blocks(run.id)
        ]
    run_id = None if run is None else run.id
    event = make_event(tx.now, decision.agent_id, "decision_resolved", fields, run_id=run_id)
    await put(tx, event)
