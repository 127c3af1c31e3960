"""How a question comes before the person, whoever asks it: the agent, or Nod itself."""

from typing import Any

from nod.domain.model import Decision
from nod.engine import notify
from nod.store.store import Tx


async def open_request(tx: Tx, asked: Decision, *, run_id: str | None = None) -> Decision:
    """Store the question, show it and tell of it; it is looked at again before its time is over.

    `run_id` is the run it is about, where that is not the one that waits for the answer.
    """
    await tx.chat.ask(asked)
    await tx.chat.add_activity(
        asked.agent_id,
        "decision_opened",
        asked.title,
        asked.description,
        asked.task_id,
        run_id or asked.run_id,
        tx.now,
        asked.id,
    )
    await notify.request_opened(tx, asked)
    tx.effects.fact("decision_opened", **facts(asked))
    tx.effects.timer("rescue", asked.warn_at or asked.expires_at)
    tx.effects.change(asked.agent_id, asked.conversation_id)
    return asked


def facts(decision: Decision) -> dict[str, Any]:
    """What a fact about a question says."""
    return {
        "decision_id": decision.id,
        "agent_id": decision.agent_id,
        "run_id": decision.run_id,
        "task_id": decision.task_id,
        "conversation_id": decision.conversation_id,
        "kind": decision.kind,
        "status": decision.status,
    }
