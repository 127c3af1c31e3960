"""Retention: what is old enough is removed, a little at a time, so that nothing waits for it."""

from collections.abc import Callable, Coroutine, Mapping
from types import MappingProxyType
from typing import Any

from nod.domain.agenda_days import day_of
from nod.domain.instant import SECOND, Instant
from nod.store.store import Tx

BATCH = 500

Sweep = Callable[[Tx], Coroutine[Any, Any, int]]


def _before(tx: Tx) -> Instant:
    return tx.now - tx.limits.retention_s * SECOND


async def _runs(tx: Tx) -> int:
    return await tx.runs.sweep(_before(tx), tx.limits.retention_runs, BATCH)


async def _events(tx: Tx) -> int:
    return await tx.events.sweep(_before(tx), BATCH)


async def _activity(tx: Tx) -> int:
    return await tx.chat.sweep_activity(_before(tx), BATCH)


async def _calls(tx: Tx) -> int:
    return await tx.tasks.sweep_calls(tx.now - tx.limits.dedupe_s * SECOND)


async def _refused_calls(tx: Tx) -> int:
    return await tx.tasks.sweep_refused(_before(tx), BATCH)


async def _notices(tx: Tx) -> int:
    return await tx.notify.sweep(_before(tx), BATCH)


async def _images(tx: Tx) -> int:
    return await tx.chat.sweep_images(tx.now - tx.limits.upload_s * SECOND, BATCH)


async def _usage(tx: Tx) -> int:
    return await tx.usage.sweep(day_of(tx.now - tx.limits.usage_s * SECOND, "UTC"), BATCH)


# Each removes one batch of what is past its retention, and says how many rows went.
SWEEPS: Mapping[str, Sweep] = MappingProxyType(
    {
        "runs": _runs,
        "events": _events,
        "activity": _activity,
        "calls": _calls,
        "refused_calls": _refused_calls,
        "notices": _notices,
        "images": _images,
        "usage": _usage,
    }
)
