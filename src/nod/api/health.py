"""Is this process alive, can it work, and its figures: `/healthz`, `/readyz`, `/metrics`."""

import asyncio
import hmac
import math
from ipaddress import ip_address

from litestar import MediaType, Response, get
from litestar.di import NamedDependency
from litestar.handlers.base import BaseRouteHandler
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from nod.api.auth import Connection, bearer_token, nod_of
from nod.app import Nod
from nod.domain.errors import Forbidden, NotAuthenticated, Unavailable
from nod.domain.instant import SECOND
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


async def require_metrics_reader(connection: Connection, _: BaseRouteHandler) -> None:
    """Guard: with NOD_METRICS_TOKEN, who sends it; without, only who calls from this machine."""
    token = nod_of(connection).settings.metrics_token
    if token is None:
        if not _is_this_machine("" if connection.client is None else connection.client.host):
            raise Forbidden(
                "the metrics are for this machine alone; set NOD_METRICS_TOKEN on the server and"
                " send it as Authorization: Bearer <token> to read them from elsewhere"
            )
    elif not hmac.compare_digest(bearer_token(connection).encode("latin-1"), token.encode()):
        raise NotAuthenticated("send NOD_METRICS_TOKEN as Authorization: Bearer <token>")


def _is_this_machine(host: str) -> bool:
    try:
        found = ip_address(host)
    except ValueError:
        return False
    # How a socket that listens on IPv6 shows a caller by IPv4.
    return (getattr(found, "ipv4_mapped", None) or found).is_loopback


@get("/metrics", guards=[require_metrics_reader], tags=["Operation"])
async def metrics(nod: NamedDependency[Nod]) -> Response[bytes]:
    """Counters and histograms for Prometheus. For this machine, or with NOD_METRICS_TOKEN."""
    nod.telemetry.waiting(*await _waiting(nod))
    text = generate_latest(nod.telemetry.registry)
    return Response(text, headers={"Content-Type": CONTENT_TYPE_LATEST})


async def _waiting(nod: Nod) -> tuple[float, float]:
    """Seconds that the oldest undelivered event waits, and how many questions do.

    What is counted in memory is told also when the database does not answer: it is NaN then.
    """

    async def look(tx: Tx) -> tuple[float, float]:
        since = await tx.events.undelivered_since()
        waits_s = 0 if since is None else max(0, tx.now - since) / SECOND
        return waits_s, await tx.chat.count_all_waiting()

    try:
        async with asyncio.timeout(_PROBE_S):
            return await nod.store.read(look)
    except (TimeoutError, Unavailable):
        return math.nan, math.nan


async def check_ready(nod: Nod) -> None:
    """Raise Unavailable with the reason unless the database answers its readers and its writer."""
    if nod.leaving:
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
