"""Is this process alive, can it work, and its figures: `/healthz`, `/readyz`, `/metrics`."""

import asyncio

from litestar import MediaType, Response, get
from litestar.di import NamedDependency
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from nod.app import Nod
from nod.domain.errors import Unavailable
from nod.store.store import Tx

# A probe that waits longer tells its asker nothing new.
_PROBE_S = 5.0


@get("/healthz", media_type=MediaType.TEXT, sync_to_thread=False, tags=["Operation"])
def healthz() -> str:
    """Answers as long as the process runs; says nothing of its database."""
    return "ok"


@get("/readyz", media_type=MediaType.TEXT, tags=["Operation"])
async def readyz(nod: NamedDependency[Nod]) -> str:
    """Whether requests can be taken: 503 with the reason while not."""
    await check_ready(nod)
    return "ready"


@get("/metrics", sync_to_thread=False, tags=["Operation"])
def metrics(nod: NamedDependency[Nod]) -> Response[bytes]:
    """Counters and histograms in the text format of Prometheus."""
    text = generate_latest(nod.telemetry.registry)
    return Response(text, headers={"Content-Type": CONTENT_TYPE_LATEST})


async def check_ready(nod: Nod) -> None:
    """Raise Unavailable with the reason unless the database answers its readers and its writer."""
    if nod.draining.is_set():
        raise Unavailable("Nod is shutting down")
    try:
        async with asyncio.timeout(_PROBE_S):
            await nod.store.read(lambda tx: tx.tasks.next_fire_at())
            await nod.store.write(_nothing)
    except TimeoutError:
        raise Unavailable(f"the database has not answered within {_PROBE_S:g} s") from None


async def _nothing(_: Tx) -> None:
    """A transaction without a change passes through the writer and costs no disk write."""


routes = [healthz, readyz, metrics]
