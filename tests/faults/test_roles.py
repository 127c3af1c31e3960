"""Servers that share the work: those with the sockets and pages, and those that fire and send."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import get_args

import httpx
import pytest
from websockets.asyncio.client import connect

from nod.domain.instant import SECOND, rfc3339
from nod.engine.node import Node
from nod.store.effects import Stage
from support.inprocess import InProcess, until
from support.nats import KINDS
from support.nodes import two_nodes
from support.receiver import Receiver, receiving

# Less than a server takes to look by itself.
AT_ONCE_S = 3
Nodes = tuple[InProcess, InProcess]


@pytest.fixture(params=KINDS)
async def nodes(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Nodes]:
    """An api and an engine."""
    async with two_nodes(tmp_path, request.param, ("api", "engine"), socket_ack_s=1) as both:
        yield both


@pytest.fixture
async def hook() -> AsyncIterator[Receiver]:
    async with receiving() as made:
        yield made


def test_an_api_leaves_to_the_engine_what_is_nobody_elses() -> None:
    stages: tuple[Stage, ...] = get_args(Stage)
    assert all(Node(True, "all").runs(each) and Node(True, "engine").runs(each) for each in stages)
    of_api = [each for each in stages if Node(True, "api").runs(each)]
    assert of_api == ["deliver", "guard", "outside"]


async def test_the_engine_fires_and_the_api_brings_it_to_its_agents(nodes: Nodes) -> None:
    api, _ = nodes
    ada = await api.add_agent()
    async with api.peer(ada, acks=True) as peer:
        at = rfc3339(api.nod.clock.now() + SECOND)
        task = await api.add_task(ada, "once", run_at=at)
        event = await peer.receive(1 + AT_ONCE_S)
        assert event["task_id"] == task.id
        await peer.ack(event)
        assert (await api.until_settled(event["run_id"])).channel == "websocket"


async def test_the_engine_sends_to_the_webhooks_of_those_that_are_not_connected(
    nodes: Nodes, hook: Receiver
) -> None:
    api, _ = nodes
    ada = await api.add_agent(webhook_url=hook.url)
    task = await api.add_task(ada)
    made = await api.fire(task, 3)
    async with asyncio.timeout(AT_ONCE_S):
        for run_id in made:
            assert (await api.until_settled(run_id)).channel == "webhook"
    assert len(hook.calls) == 3


async def test_what_a_connection_leaves_behind_the_engine_sends(
    nodes: Nodes, hook: Receiver
) -> None:
    api, engine = nodes
    ada = await api.add_agent(webhook_url=hook.url)
    task = await api.add_task(ada)
    async with api.peer(ada, acks=True) as peer:
        await until(lambda: engine.nod.sockets.connected(ada.agent.id))
        (run_id,) = await engine.fire(task)
        await peer.event()
        assert hook.calls == []
    async with asyncio.timeout(AT_ONCE_S):
        assert (await api.until_settled(run_id)).channel == "webhook"


async def test_what_an_agent_is_silent_about_goes_to_its_webhook_from_where_it_is_connected(
    nodes: Nodes, hook: Receiver
) -> None:
    api, engine = nodes
    ada = await api.add_agent(webhook_url=hook.url)
    task = await api.add_task(ada)
    async with api.peer(ada, acks=True) as peer:
        (run_id,) = await engine.fire(task)
        await peer.event()
        assert (await api.until_settled(run_id)).channel == "webhook"
        assert len(hook.calls) == 1


async def test_an_engine_answers_probes_and_nothing_else(nodes: Nodes) -> None:
    _, engine = nodes
    async with httpx.AsyncClient(base_url=engine.url) as client:
        for path in ("/healthz", "/readyz", "/metrics"):
            assert (await client.get(path)).status_code == 200
        refused = await client.get("/api/agents")
        assert refused.status_code == 404
        assert "NOD_ROLE=api" in refused.json()["detail"]
    async with connect(f"ws://127.0.0.1:{engine.port}/ws/agent/agt_1") as connection:
        await connection.wait_closed()
        assert connection.close_code == 1013


async def test_a_server_that_ends_says_so_before_it_closes_anything(tmp_path: Path) -> None:
    async with two_nodes(tmp_path, "notify", drain_s=1) as (one, other):
        await until(lambda: _has_company(one))
        ada = await one.add_agent()
        task = await one.add_task(ada)
        async with one.peer(ada) as peer, httpx.AsyncClient(base_url=one.url) as client:
            one.server.stop()
            refused = await client.get("/readyz")
            assert refused.status_code == 503
            assert refused.json() == {"detail": "Nod is shutting down"}
            assert (await client.get("/healthz")).status_code == 200
            (run_id,) = await other.fire(task)
            assert await peer.runs(1) == [run_id]
            assert await peer.ended() == 1012


async def _has_company(node: InProcess) -> bool:
    await node.nod._presence.look()
    return node.nod._presence.has_company
