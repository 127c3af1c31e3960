"""Events for agents without socket and webhook: pending triggers, due tasks, the feed, replay."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from nod.actions.agents import Credentials
from nod.domain.errors import Conflict, NotFound
from nod.domain.instant import HOUR
from nod.domain.model import Task
from nod.engine import attempts
from nod.engine.ending import cancel
from nod.engine.outbox import make_event, put
from nod.store.store import Tx
from support.clock import FakeClock
from support.inprocess import InProcess, running, until
from support.receiver import receiving


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def nod(tmp_path: Path, clock: FakeClock) -> AsyncIterator[InProcess]:
    async with running(tmp_path, clock) as started:
        yield started


@pytest.fixture
async def ada(nod: InProcess) -> Credentials:
    return await nod.add_agent()


@pytest.fixture
async def http(nod: InProcess, ada: Credentials) -> AsyncIterator[httpx.AsyncClient]:
    async with nod.http(ada) as client:
        yield client


@pytest.fixture
async def task(nod: InProcess, ada: Credentials) -> Task:
    return await nod.add_task(ada)


async def call(nod: InProcess, task: Task, payload: Any = None) -> str:
    """Somebody calls the task's trigger; the run's id."""
    async with httpx.AsyncClient(base_url=nod.url) as caller:
        answer = await caller.post(f"/api/webhooks/{task.trigger_id}", json=payload or {"n": 1})
    assert answer.status_code == 202, answer.text
    run_id: str = answer.json()["run_id"]
    return run_id


async def listed(http: httpx.AsyncClient, path: str, **params: Any) -> list[dict[str, Any]]:
    answer = await http.get(path, params=params)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()
    return found


# pending triggers and due tasks


async def test_a_call_is_handed_out_once_and_again_while_nobody_takes_it_up(
    nod: InProcess, ada: Credentials, http: httpx.AsyncClient, clock: FakeClock
) -> None:
    task = await nod.add_task(ada, "event")
    run_id = await call(nod, task, {"n": [1, 2]})
    (first,) = await listed(http, "/tasks/triggers/pending")
    assert (first["run_id"], first["payload"]) == (run_id, {"n": [1, 2]})
    assert (await nod.run(run_id)).delivery == "polled"
    assert await listed(http, "/tasks/triggers/pending") == []
    clock.advance(600)
    assert await listed(http, "/tasks/triggers/pending") == [first]
    (await http.post(f"/tasks/{task.id}/run/start")).raise_for_status()
    clock.advance(601)
    assert await listed(http, "/tasks/triggers/pending") == []


async def test_a_call_handed_out_long_ago_and_not_taken_up_goes_to_a_socket_that_opens(
    nod: InProcess, ada: Credentials, http: httpx.AsyncClient, clock: FakeClock
) -> None:
    run_id = await call(nod, await nod.add_task(ada, "event"))
    await listed(http, "/tasks/triggers/pending")
    async with nod.peer(ada) as peer:
        assert await peer.is_quiet()
    clock.advance(600)
    async with nod.peer(ada) as peer:
        event = await peer.event()
        assert (event["run_id"], event["payload"]) == (run_id, {"n": 1})
        await peer.ack(event)
        await until(lambda: is_settled(nod, run_id))
    run = await nod.run(run_id)
    assert ((await nod.event(run_id)).channel, run.delivery) == ("websocket", "delivered")
    # Nobody had it before: its time to be taken up begins now.
    assert (run.delivered_at, run.deadline_at) == (clock.now(), clock.now() + HOUR)


async def test_a_webhook_carries_a_calls_payload_beside_the_prompt(nod: InProcess) -> None:
    async with receiving() as hook:
        bob = await nod.add_agent("Bob", webhook_url=hook.url)
        run_id = await call(nod, await nod.add_task(bob, "event"), {"text": '"}{'})
        await nod.until_settled(run_id)
        event = hook.calls[0].event
    assert (event["type"], event["payload"]) == ("task_trigger", {"text": '"}{'})
    assert event["task_prompt"] == "Say how it is."
    assert "source" in event["trigger"]


async def test_reading_the_due_tasks_changes_nothing(
    nod: InProcess, http: httpx.AsyncClient, task: Task
) -> None:
    (run_id,) = await nod.fire(task)
    before = (await nod.run(run_id), await nod.event(run_id))
    for _ in range(3):
        assert [each["id"] for each in await listed(http, "/tasks/due")] == [task.id]
    assert (await nod.run(run_id), await nod.event(run_id)) == before


async def test_a_delivered_run_is_not_listed_as_due(
    nod: InProcess, ada: Credentials, http: httpx.AsyncClient, task: Task
) -> None:
    async with nod.peer(ada) as peer:
        (run_id,) = await nod.fire(task)
        await peer.ack(await peer.event())
        await nod.until_settled(run_id)
    assert await listed(http, "/tasks/due") == []


# the feed


async def test_the_feed_gives_what_nobody_acknowledged_until_it_is(
    nod: InProcess, http: httpx.AsyncClient, task: Task
) -> None:
    fired = await nod.fire(task, 3)
    events = await listed(http, "/events")
    assert [each["run_id"] for each in events] == fired
    for _ in range(2):
        answer = await http.post(f"/events/{events[0]['event_id']}/ack")
        assert answer.json()["state"] == "acknowledged"
    assert await listed(http, "/events") == events[1:]
    assert await listed(http, "/events", after=events[0]["event_id"]) == events[1:]
    assert (await nod.run(fired[0])).delivery == "polled"


async def test_an_event_without_a_run_is_acknowledged_too(
    nod: InProcess, ada: Credentials, http: httpx.AsyncClient
) -> None:
    event_id = await tell(nod, ada)
    answer = await http.post(f"/events/{event_id}/ack")
    assert answer.json() == {"status": "ok", "event_id": event_id, "state": "acknowledged"}


async def tell(nod: InProcess, who: Credentials) -> str:
    """An event that belongs to no run; its id."""

    async def write(tx: Tx) -> str:
        fields = {"text": "hello"}
        return (await put(tx, make_event(tx.now, who.agent.id, "user_message", fields))).id

    return await nod.nod.store.write(write)


async def test_an_event_without_a_run_takes_each_channel(nod: InProcess, ada: Credentials) -> None:
    async with receiving() as hook:
        bob = await nod.add_agent("Bob", webhook_url=hook.url)
        hooked = await tell(nod, bob)
        await until(lambda: hook.ids() == [hooked])
    async with nod.peer(ada) as peer:
        pushed = await tell(nod, ada)
        event = await peer.event()
        assert event["event_id"] == pushed
        await peer.ack(event)
        store = nod.nod.store
        await until(lambda: store.read(lambda tx: tx.events.deliveries_of_event(pushed)))


async def test_another_agents_event_cannot_be_acknowledged_or_read_from(
    nod: InProcess, http: httpx.AsyncClient
) -> None:
    bob = await nod.add_agent("Bob")
    (run_id,) = await nod.fire(await nod.add_task(bob))
    event = await nod.event(run_id)
    assert (await http.post(f"/events/{event.id}/ack")).status_code == 404
    assert (await http.post("/events/evt_nowhere/ack")).status_code == 404
    assert (await http.get("/events", params={"after": event.id})).status_code == 400


async def test_a_waiting_feed_wakes_at_once_when_an_event_comes(
    nod: InProcess, http: httpx.AsyncClient, ada: Credentials, task: Task
) -> None:
    begun = time.monotonic()
    waiting = asyncio.create_task(listed(http, "/events", wait_s=60))
    await until(lambda: ada.agent.id in nod.nod.changes._waiting)
    (run_id,) = await nod.fire(task)
    assert [each["run_id"] for each in await waiting] == [run_id]
    assert time.monotonic() - begun < 10


async def test_a_waiting_feed_wakes_when_the_time_of_a_retry_has_come(
    nod: InProcess, http: httpx.AsyncClient, ada: Credentials, clock: FakeClock
) -> None:
    task = await nod.add_task(ada, max_attempts=2, idempotent=True)
    (failed,) = await nod.fire(task)
    result = {"status": "failed", "summary": "No luck."}
    await http.post(f"/tasks/runs/{failed}/complete", json=result)
    clock.advance(4 * 60 + 30)
    waiting = asyncio.create_task(listed(http, "/events", wait_s=60))
    await until(lambda: ada.agent.id in nod.nod.changes._waiting)
    clock.advance(30)
    (event,) = await waiting
    assert (await nod.run(event["run_id"])).retry_of == failed


async def test_a_waiting_feed_waits_no_longer_because_the_wall_clock_is_set_back(
    nod: InProcess, http: httpx.AsyncClient, ada: Credentials, clock: FakeClock
) -> None:
    waiting = asyncio.create_task(listed(http, "/events", wait_s=60))
    await until(lambda: ada.agent.id in nod.nod.changes._waiting)
    clock.set_wall(clock.now() - HOUR)
    clock.advance(60)
    async with asyncio.timeout(10):
        assert await waiting == []


async def test_a_waiting_feed_waits_no_shorter_because_the_wall_clock_is_set_forward(
    nod: InProcess, http: httpx.AsyncClient, ada: Credentials, task: Task, clock: FakeClock
) -> None:
    waiting = asyncio.create_task(listed(http, "/events", wait_s=60))
    await until(lambda: ada.agent.id in nod.nod.changes._waiting)
    clock.set_wall(clock.now() + HOUR)
    for _ in range(3):
        assert await listed(http, "/events") == []
    assert not waiting.done()
    (run_id,) = await nod.fire(task)
    assert [each["run_id"] for each in await waiting] == [run_id]


async def test_a_waiting_feed_is_let_go_when_the_server_stops(
    nod: InProcess, http: httpx.AsyncClient, ada: Credentials
) -> None:
    waiting = asyncio.create_task(listed(http, "/events", wait_s=60))
    await until(lambda: ada.agent.id in nod.nod.changes._waiting)
    nod.nod.drain()
    assert await waiting == []


async def test_an_ack_by_rest_makes_room_on_the_socket(tmp_path: Path) -> None:
    async with running(tmp_path, socket_in_flight=1) as nod:
        ada = await nod.add_agent()
        fired = await nod.fire(await nod.add_task(ada), 2)
        async with nod.peer(ada) as peer, nod.http(ada) as http:
            assert await peer.runs(1) == fired[:1]
            await http.post(f"/events/{peer.events[0]['event_id']}/ack")
            assert await peer.runs(1) == fired[1:]


# replay


async def test_a_replayed_event_is_sent_again_with_the_same_id(
    nod: InProcess, ada: Credentials, task: Task
) -> None:
    store = nod.nod.store
    async with nod.peer(ada) as peer:
        (run_id,) = await nod.fire(task)
        first = await peer.event()
        pending = await nod.event(run_id)
        with pytest.raises(Conflict, match="cannot replay"):
            await store.write(lambda tx: attempts.replay(tx, pending))
        await peer.ack(first)
        settled = await nod.until_settled(run_id)
        again = await store.write(lambda tx: attempts.replay(tx, settled))
        assert (again.id, again.state, again.attempts) == (settled.id, "pending", 0)
        assert await peer.event() == first
        with pytest.raises(Conflict, match="has just changed"):
            await store.write(lambda tx: attempts.replay(tx, settled))


async def test_a_dead_event_is_replayed_with_its_payload_and_by_webhook(nod: InProcess) -> None:
    store = nod.nod.store
    async with receiving() as hook:
        hook.release.clear()
        bob = await nod.add_agent("Bob", webhook_url=hook.url)
        run_id = await call(nod, await nod.add_task(bob, "event"))
        run = await nod.run(run_id)
        await store.write(lambda tx: cancel(tx, run, "not wanted"))
        dead = await nod.event(run_id)
        assert dead.state == "dead"
        hook.release.set()
        await store.write(lambda tx: attempts.replay(tx, dead))
        await nod.until_settled(run_id)
        await until(lambda: hook.calls)
        assert {each.event["payload"]["n"] for each in hook.calls} == {1}
        assert set(hook.ids()) == {dead.id}


async def test_an_event_that_expires_never_is_replayed_as_one(
    nod: InProcess, ada: Credentials, http: httpx.AsyncClient
) -> None:
    store = nod.nod.store
    event_id = await tell(nod, ada)
    await http.post(f"/events/{event_id}/ack")
    settled = await store.read(lambda tx: tx.events.get(event_id))
    assert settled is not None
    again = await store.write(lambda tx: attempts.replay(tx, settled))
    assert (again.state, again.expires_at) == ("pending", None)


async def test_an_event_of_nobody_is_not_found(nod: InProcess, ada: Credentials) -> None:
    with pytest.raises(NotFound, match="evt_0"):
        await nod.nod.store.write(lambda tx: attempts.acknowledge(tx, ada.agent, "evt_0"))


# polled and acknowledged elsewhere


async def test_a_polled_event_is_acknowledged_by_a_socket_too(
    nod: InProcess, ada: Credentials, http: httpx.AsyncClient
) -> None:
    event_task = await nod.add_task(ada, "event")
    run_id = await call(nod, event_task)
    await listed(http, "/tasks/triggers/pending")
    event = await nod.event(run_id)
    assert event.state == "polled"
    async with nod.peer(ada) as peer:
        await peer.send(type="ack", event_id=event.id)
        assert await peer.is_quiet()
    settled = await nod.event(run_id)
    assert (settled.state, settled.channel) == ("acknowledged", "poll")
    assert (await nod.run(run_id)).delivery == "polled"


async def test_an_event_polled_while_it_is_on_a_socket_is_settled_by_the_ack(
    nod: InProcess, ada: Credentials, http: httpx.AsyncClient
) -> None:
    event_task = await nod.add_task(ada, "event")
    async with nod.peer(ada) as peer:
        run_id = await call(nod, event_task)
        event = await peer.event()
        await listed(http, "/tasks/triggers/pending")
        assert (await nod.event(run_id)).state == "polled"
        await peer.ack(event)
        await until(lambda: is_settled(nod, run_id))
        assert (await nod.run(run_id)).delivery == "delivered"
        await peer.ack(event)
        assert await peer.is_quiet()


async def test_an_event_polled_while_it_is_on_its_way_to_a_webhook_is_settled_by_the_answer(
    nod: InProcess,
) -> None:
    async with receiving() as hook:
        hook.release.clear()
        bob = await nod.add_agent("Bob", webhook_url=hook.url)
        run_id = await call(nod, await nod.add_task(bob, "event"))
        await until(lambda: hook.calls)
        async with nod.http(bob) as http:
            (polled,) = await listed(http, "/tasks/triggers/pending")
        assert polled["run_id"] == run_id
        hook.release.set()
        await until(lambda: is_settled(nod, run_id))
    assert (await nod.event(run_id)).channel == "webhook"
    assert (await nod.run(run_id)).delivery == "delivered"


async def is_settled(nod: InProcess, run_id: str) -> bool:
    return (await nod.event(run_id)).state == "acknowledged"


async def test_an_ack_on_an_older_connection_counts(nod: InProcess, ada: Credentials) -> None:
    async with nod.peer(ada) as older:
        (run_id,) = await nod.fire(await nod.add_task(ada))
        event = await older.event()
        async with nod.peer(ada) as newer:
            await newer.event()
            await older.ack(event)
            assert await older.is_quiet()
            settled = await nod.event(run_id)
            assert (settled.state, settled.channel) == ("acknowledged", "websocket")
            assert (await nod.run(run_id)).delivery == "delivered"
