"""What probes and Prometheus see of a running Nod."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

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


@pytest.mark.parametrize("caller", ["203.0.113.7", "2001:db8::7", "unknown, 203.0.113.7"])
async def test_without_a_token_the_metrics_are_for_this_machine_alone(
    probe: httpx.AsyncClient, caller: str
) -> None:
    refused = await probe.get("/metrics", headers={"X-Forwarded-For": caller})
    assert refused.status_code == 403
    assert "NOD_METRICS_TOKEN" in refused.json()["detail"]
    here = await probe.get("/metrics", headers={"X-Forwarded-For": "::ffff:127.0.0.1"})
    assert here.status_code == 200


async def test_with_a_token_the_metrics_are_for_whoever_sends_it(
    nod: InProcess, probe: httpx.AsyncClient
) -> None:
    nod.nod.settings = replace(nod.nod.settings, metrics_token="sésame")
    assert (await probe.get("/metrics")).status_code == 401
    for wrong in ("Bearer sesame", "Basic sésame", "Bearer"):
        sent = {b"Authorization": wrong.encode()}
        assert (await probe.get("/metrics", headers=sent)).status_code == 401
    from_afar = {b"Authorization": "bearer sésame".encode(), b"X-Forwarded-For": b"203.0.113.7"}
    assert (await probe.get("/metrics", headers=from_afar)).status_code == 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/api/docs"])
async def test_a_monitor_may_ask_without_wanting_the_body(
    probe: httpx.AsyncClient, path: str
) -> None:
    asked = await probe.head(path)
    assert (asked.status_code, asked.content) == (200, b"")
    assert asked.headers["content-type"] == (await probe.get(path)).headers["content-type"]


async def test_the_metrics_tell_what_waits_for_agents_and_for_people(
    nod: InProcess, ada: Credentials, probe: httpx.AsyncClient
) -> None:
    idle = (await probe.get("/metrics")).text
    assert "nod_undelivered_age_seconds 0.0" in idle
    assert "nod_waiting_decisions 0.0" in idle

    task = await nod.add_task(ada, "event")
    await probe.post(f"/api/webhooks/{task.trigger_id}")
    headers = {"X-Nod-Agent-Id": ada.agent.id, "X-Nod-Secret": ada.secret}
    asked = {"type": "decision", "title": "Go?", "description": "?", "kind": "approval"}
    (await probe.post("/api/agent/events", json=asked, headers=headers)).raise_for_status()
    waiting = (await probe.get("/metrics")).text
    assert float(waiting.partition("\nnod_undelivered_age_seconds ")[2].split()[0]) > 0
    assert "nod_waiting_decisions 1.0" in waiting

    async with nod.peer(ada) as peer:
        await peer.ack(await peer.event())
        await written(nod, "nod_undelivered_age_seconds 0.0", probe)


async def test_the_metrics_are_told_also_when_the_database_does_not_answer(
    nod: InProcess, probe: httpx.AsyncClient
) -> None:
    await nod.nod.store.close()
    text = (await probe.get("/metrics")).text
    assert "nod_undelivered_age_seconds NaN" in text
    assert "nod_open_sockets 0.0" in text


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
