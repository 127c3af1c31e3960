"""Retention: what is old enough is removed, a little at a time, so that nothing waits for it."""

from nod.domain.instant import SECOND
from nod.store.store import Tx

BATCH = 500


async def sweep_once(tx: Tx) -> int:
    """Remove one batch of what is past its retention; return how many rows went."""
    before = tx.now - tx.limits.retention_s * SECOND
    removed = await tx.runs.sweep(before, tx.limits.retention_runs, BATCH)
    removed += await tx.events.sweep(before, BATCH)
    removed += await tx.chat.sweep_activity(before, BATCH)
    removed += await tx.tasks.sweep_calls(tx.now - tx.limits.dedupe_s * SECOND)
    return removed
