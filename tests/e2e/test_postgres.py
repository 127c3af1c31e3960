"""The main way on PostgreSQL, with a real `nod serve`: a call and a fire come by socket, and their
results are kept."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import msgspec
import pytest

from faults.test_kill import beside, open_socket, plan, runs_of
from nod.actions import tasks
from nod.domain.task_fields import TaskFields
from support.databases import prepared, url_of
from support.server import RunningServer


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RunningServer]:
    async with prepared(tmp_path, "postgres"):
        made = RunningServer(tmp_path, {"NOD_DATABASE_URL": url_of(tmp_path)})
        try:
            await asyncio.to_thread(made.start)
            yield made
        finally:
            await asyncio.to_thread(made.kill)


async def test_a_call_and_a_fire_reach_the_agent_and_their_results_are_kept(
    server: RunningServer,
) -> None:
    who = await server.add_agent()
    fields = msgspec.convert({"name": "Calls", "prompt": "Go.", "schedule": "event"}, TaskFields)
    async with beside(server) as (store, vault):
        called = await store.write(lambda tx: tasks.create(tx, vault, who.agent, fields, "user"))
    connection = await open_socket(server, who, acks=True)
    url = f"{server.url}/api/webhooks/{called.trigger_id}"
    headers = {"X-Nod-Agent-Id": who.agent.id, "X-Nod-Secret": who.secret}
    async with httpx.AsyncClient(timeout=20, headers=headers) as http:
        accepted = (await http.post(url, json={"n": 1})).raise_for_status().json()
        (fired,) = await plan(server, [who], 1, 1, 0)
        async with asyncio.timeout(20):
            events = [json.loads(await connection.recv()) for _ in range(2)]
        assert [event["type"] for event in events] == ["task_trigger", "task_due"]
        assert (events[0]["run_id"], events[0]["payload"]) == (accepted["run_id"], {"n": 1})
        for event in events:
            await connection.send(json.dumps({"type": "ack", "event_id": event["event_id"]}))
            done = {"status": "completed", "summary": "Done."}
            address = f"{server.url}/api/agent/tasks/runs/{event['run_id']}/complete"
            (await http.post(address, json=done)).raise_for_status()
    await connection.close()
    found = await runs_of(server, [called.id, fired])
    assert [[(run.status, run.summary) for run in runs] for runs in found.values()] == [
        [("completed", "Done.")]
    ] * 2
    assert await asyncio.to_thread(server.stop) == 0
    assert "PostgreSQL, nod_test" in server.log
    assert "Traceback" not in server.log
