"""Whom a task with quarantine trusts: looked at and taken back by its person."""

from dataclasses import dataclass

import msgspec

from nod.actions.tasks import get_own
from nod.domain.errors import NotFound
from nod.domain.model import Agent, TrustedSender
from nod.domain.payload_shape import Shape
from nod.store.store import Tx


@dataclass(frozen=True, slots=True)
class Trusted:
    """A sender, and what its calls may bring without being looked at."""

    row: TrustedSender
    known: tuple[str, ...]


async def list_senders(tx: Tx, agent: Agent, task_id: str) -> list[Trusted]:
    """Whom the task trusts, the oldest first. Raises NotFound."""
    task = await get_own(tx, agent, task_id)
    return [
        Trusted(each, msgspec.json.decode(each.shape, type=Shape).parts)
        for each in await tx.calls.senders(task.id)
    ]


async def remove_sender(tx: Tx, agent: Agent, task_id: str, sender_id: str) -> None:
    """The sender's next call waits for a look. Raises NotFound."""
    task = await get_own(tx, agent, task_id)
    if not await tx.calls.distrust(task.id, sender_id):
        raise NotFound(f"this task trusts no sender {sender_id[:64]}")
    tx.effects.change(task.id, task.agent_id)
    tx.effects.fact("sender_removed", task_id=task.id, agent_id=task.agent_id, sender_id=sender_id)
