"""Retries whose time has come. Each goes at once, or when its turn comes."""

from dataclasses import replace

from nod.domain.model import Run
from nod.engine.batches import Item, Work
from nod.engine.ending import move, release
from nod.store.store import Tx

BATCH = 200


async def _due(tx: Tx, limit: int) -> list[Item[Run]]:
    found = await tx.runs.due_retries(tx.now, limit)
    return [Item(run.id, run.scheduled_for, run) for run in found]


async def _begin_all(tx: Tx, retries: list[Run]) -> None:
    """Give each its place in its task's queue, and let the task's queue go as far as it may."""
    for retry in retries:
        await move(tx, retry, replace(retry, queued=True))
        await tx.events.queue(retry.id)
        await release(tx, retry.task_id)


DUE_RETRIES = Work("retry", _due, _begin_all, BATCH)
