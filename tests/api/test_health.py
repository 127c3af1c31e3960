"""What probes and Prometheus see of a running Nod."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from nod.actions.agents import Credentials
from nod.store.store import Tx
from support.inprocess import InProcess


@pytest.fixture
async def probe(nod: InProcess) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=nod.url) as client:
        yield client


async def test_a_running_server_is_alive_and_ready(probe: httpx.AsyncClient) -> None:
    assert (await probe.get("/healthz")).text == "ok"
    assert (await probe.get("/readyz")).text == "ready"


async def test_a_server_that_is_shutting_down_is_alive_and_not_ready(
    nod: InProcess, probe: httpx.AsyncClient
) -> None:
    nod.nod.drain()
    refused = await probe.get("/readyz")
    assert refused.status_code == 503
    assert refused.json() == {"detail": "Nod is shutting down"}
    assert int(refused.headers["Retry-After"]) > 0
    assert (await probe.get("/healthz")).status_code == 200


async def test_a_server_without_its_database_is_not_ready(
    nod: InProcess, probe: httpx.AsyncClient
) -> None:
    await nod.nod.store.close()
    refused = await probe.get("/readyz")
    assert refused.status_code == 503
    assert list(refused.json()) == ["detail"]


async def test_the_metrics_count_runs_and_sockets(
    nod: InProcess, ada: Credentials, probe: httpx.AsyncClient
) -> None:
    task = await nod.add_task(ada, "event")
    async with nod.peer(ada) as peer:
        await probe.post(f"/api/webhooks/{task.trigger_id}")
        await peer.event()
        counted = await written(nod, "nod_triggers_total 1.0", probe)
    assert "nod_open_sockets 1.0" in counted
    assert task.id not in counted


async def written(nod: InProcess, line: str, probe: httpx.AsyncClient) -> str:
    """The metrics, once they show this line: facts are counted a moment after they happen."""
    async with asyncio.timeout(10):
        while True:
            answer = await probe.get("/metrics")
            assert answer.headers["content-type"].startswith("text/plain")
            if line in answer.text:
                return answer.text
            await nod.nod.store.read(_look)


async def _look(_: Tx) -> None:
    """A turn of the loop that does something."""
