"""Retries whose time has come. Each goes at once, when its turn comes, or beyond a budget never."""

from dataclasses import replace

from nod.engine.batches import Item, Work
from nod.engine.budgets import Ledger
from nod.engine.ending import go_over, move, release
from nod.store.runs import DueRetry
from nod.store.store import Tx

BATCH = 200


async def _due(tx: Tx, limit: int) -> list[Item[DueRetry]]:
    found = await tx.runs.due_retries(tx.now, limit)
    return [Item(due.run.id, due.run.scheduled_for, due) for due in found]


async def _begin_all(tx: Tx, retries: list[DueRetry]) -> None:
    """Give each its place in its task's queue, and let the task's queue go as far as it may. Beyond
    a budget none begins."""
    for task, retry in retries:
        refusal = await Ledger(tx).refusal(task, retry)
        if refusal is not None:
            await go_over(tx, retry, refusal)
            continue
        await move(tx, retry, replace(retry, queued=True))
        await tx.events.queue(retry.id)
        await release(tx, task)


DUE_RETRIES = Work("retry", _due, _begin_all, BATCH)
