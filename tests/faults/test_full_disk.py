"""A server whose disk is full says so, keeps its agents, and goes on when there is room."""

import asyncio
import json
import resource
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect

from nod.clock import SystemClock
from nod.domain.instant import SECOND, rfc3339
from support.server import RunningServer

PATIENCE_S = 30.0
SENTENCE = "the disk reports an error: nothing was stored; look into the system's log"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    made = RunningServer(tmp_path)
    yield made
    if made.process is not None:
        made.kill()


async def until(condition: Callable[[], bool]) -> None:
    """What a process of its own does can only be looked at."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            if condition():
                return
            await asyncio.sleep(0.02)


def set_room(server: RunningServer, most_bytes: int) -> None:
    """From now on no file of the server grows beyond so many bytes."""
    assert server.process is not None
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (most_bytes, -1))


async def test_a_full_disk_is_said_in_a_sentence_and_no_fire_is_lost(server: RunningServer) -> None:
    ada = await server.add_agent()
    await asyncio.to_thread(server.start)
    headers = {"X-Nod-Agent-Id": ada.agent.id, "X-Nod-Secret": ada.secret}
    wanted = {"name": "Report", "prompt": "Go.", "schedule": "once"}
    async with httpx.AsyncClient(base_url=f"{server.url}/api/agent", headers=headers) as http:

        async def make(in_s: float) -> httpx.Response:
            at = rfc3339(SystemClock().now() + round(in_s * SECOND))
            return await http.post("/tasks", json={**wanted, "run_at": at})

        task_id = (await make(2)).raise_for_status().json()["id"]
        set_room(server, (server.data_dir / "nod.db-wal").stat().st_size)

        refused = await make(60)
        assert refused.status_code == 503
        assert refused.json() == {"detail": SENTENCE}
        assert int(refused.headers["Retry-After"]) > 0
        assert [each["id"] for each in (await http.get("/tasks")).json()] == [task_id]

        url = f"{server.ws_url}/ws/agent/{ada.agent.id}"
        async with connect(url, close_timeout=0.2) as socket:
            await socket.send(json.dumps({"type": "auth", "secret": ada.secret, "acks": True}))
            assert json.loads(await socket.recv())["type"] == "auth_ok"
            await socket.send(json.dumps({"type": "message", "text": "hello"}))
            assert json.loads(await socket.recv()) == {"type": "error", "detail": SENTENCE}
            # The fire comes due while nothing can be stored.
            await until(lambda: "the stage waits" in server.log)
            assert (await http.get(f"/tasks/{task_id}/runs")).json() == []

            set_room(server, -1)
            async with asyncio.timeout(PATIENCE_S):
                event = json.loads(await socket.recv())
            assert event["task_id"] == task_id
            await socket.send(json.dumps({"type": "ack", "event_id": event["event_id"]}))
            (run,) = (await http.get(f"/tasks/{task_id}/runs")).json()
            assert run["id"] == event["run_id"]
        assert (await make(60)).status_code == 200
    assert await asyncio.to_thread(server.stop) == 0
