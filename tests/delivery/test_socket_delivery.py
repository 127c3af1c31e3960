"""Events on sockets: each arrives, in order, and again where it may not have arrived."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from nod.actions import answers
from nod.actions.agents import Credentials
from nod.domain.decisions import Answer
from support.inprocess import InProcess, Peer, running, until
from support.proxy import proxying
from support.receiver import receiving


@pytest.fixture
async def nod(tmp_path: Path) -> AsyncIterator[InProcess]:
    async with running(tmp_path) as started:
        yield started


# what counts as delivered


async def test_an_event_is_pushed_and_settled_by_its_ack(nod: InProcess) -> None:
    ada = await nod.add_agent()
    task = await nod.add_task(ada)
    async with nod.peer(ada) as peer:
        (run_id,) = await nod.fire(task)
        event = await peer.event()
        assert (event["type"], event["run_id"]) == ("task_due", run_id)
        assert (await nod.event(run_id)).state == "pending"
        await peer.ack(event)
        settled = await nod.until_settled(run_id)
    assert (settled.state, settled.channel) == ("acknowledged", "websocket")
    run = await nod.run(run_id)
    assert (run.status, run.delivery) == ("pending", "delivered")
    (attempt,) = await nod.deliveries(run_id)
    assert (attempt.channel, attempt.outcome, attempt.error) == ("websocket", "ok", None)


async def test_a_frame_that_names_the_run_is_an_ack(nod: InProcess) -> None:
    ada = await nod.add_agent()
    task = await nod.add_task(ada)
    async with nod.peer(ada) as peer:
        first, second = await nod.fire(task, 2)
        await peer.runs(2)
        await peer.send(type="agent_heartbeat", task_run_id=first)
        await nod.until_settled(first)
        assert (await nod.event(second)).state == "pending"
    run = await nod.run(first)
    assert (run.status, run.delivery) == ("running", "delivered")


async def test_a_rest_call_that_names_the_run_is_an_ack(nod: InProcess) -> None:
    ada = await nod.add_agent()
    task = await nod.add_task(ada)
    async with nod.peer(ada) as peer, nod.http(ada) as http:
        (run_id,) = await nod.fire(task)
        await peer.event()
        answer = await http.post(
            f"/tasks/runs/{run_id}/complete", json={"status": "completed", "summary": "done"}
        )
        assert answer.json() == {"status": "completed", "run_id": run_id}
    run = await nod.run(run_id)
    assert (run.status, run.delivery) == ("completed", "delivered")
    assert (await nod.event(run_id)).channel == "websocket"


async def test_an_ack_and_the_work_behind_it_tell_of_the_same_channel(nod: InProcess) -> None:
    ada = await nod.add_agent()
    task = await nod.add_task(ada)
    async with nod.peer(ada, acks=True) as peer:
        (run_id,) = await nod.fire(task)
        event = await peer.event()
        await peer.ack(event)
        await peer.send(type="agent_heartbeat", task_run_id=run_id)
        assert await peer.is_quiet()
        assert (await nod.until_settled(run_id)).channel == "websocket"
    run = await nod.run(run_id)
    assert (run.status, run.delivery) == ("running", "delivered")


async def test_naming_a_run_does_not_prove_that_an_answer_about_it_arrived(nod: InProcess) -> None:
    ada = await nod.add_agent()
    task = await nod.add_task(ada)
    async with nod.peer(ada, acks=True) as peer:
        (run_id,) = await nod.fire(task)
        await peer.ack(await peer.event())
        await peer.send(
            type="decision", title="Go?", description="", kind="approval", task_run_id=run_id
        )
        answer = await answered(nod, ada, peer, run_id)
        await peer.send(type="agent_heartbeat", task_run_id=run_id)
        assert await peer.is_quiet()
        assert (await nod.event(run_id, "decision_resolved")).state == "pending"
        await peer.ack(answer)
        await until(lambda: is_settled(nod, run_id, "decision_resolved"))


async def is_settled(nod: InProcess, run_id: str, kind: str) -> bool:
    return (await nod.event(run_id, kind)).state != "pending"


async def answered(nod: InProcess, who: Credentials, peer: Peer, run_id: str) -> dict[str, object]:
    """The person says yes to the run's question; the event that tells the agent so."""
    store = nod.nod.store
    (question,) = await until(lambda: store.read(lambda tx: tx.chat.open_decisions(run_id)))
    owner = await store.read(lambda tx: tx.people.user(who.agent.owner_id))
    assert owner is not None
    await store.write(
        lambda tx: answers.resolve(tx, nod.nod.vault, owner, question.id, Answer("approved"))
    )
    event = await peer.event()
    assert (event["type"], event["status"]) == ("decision_resolved", "approved")
    return event


async def test_a_healthy_keep_alive_round_is_an_ack_and_less_is_not(tmp_path: Path) -> None:
    async with running(tmp_path, socket_keep_alive_s=1) as nod:
        ada = await nod.add_agent()
        task = await nod.add_task(ada)
        async with nod.peer(ada) as peer:
            (run_id,) = await nod.fire(task)
            await peer.event()
            settled = await nod.until_settled(run_id)
            assert settled.settled_at is not None
            assert settled.settled_at - settled.created_at >= 990
            assert settled.channel == "websocket"
            (attempt,) = await nod.deliveries(run_id)
            assert attempt.outcome == "ok"


async def test_an_agent_that_left_before_the_round_was_over_gets_the_event_again(
    nod: InProcess,
) -> None:
    ada = await nod.add_agent()
    task = await nod.add_task(ada)
    async with nod.peer(ada) as peer:
        (run_id,) = await nod.fire(task)
        first = await peer.event()
    (attempt,) = await nod.until_noted(run_id)
    assert (attempt.outcome, attempt.error) == (
        "dropped",
        "the connection closed before it was acknowledged",
    )
    async with nod.peer(ada) as peer:
        assert await peer.event() == first


async def test_an_event_outlives_the_server_that_did_not_deliver_it(tmp_path: Path) -> None:
    async with running(tmp_path) as nod:
        ada = await nod.add_agent()
        task = await nod.add_task(ada)
        async with nod.peer(ada) as peer:
            await nod.fire(task, 2)
            first, second = await peer.event(), await peer.event()
            await peer.ack(first)
            assert await peer.is_quiet()
    async with running(tmp_path) as nod, nod.peer(ada) as peer:
        assert await peer.event() == second
        assert await peer.is_quiet()


# strict acks


async def test_without_an_ack_the_event_takes_the_webhook(tmp_path: Path) -> None:
    async with running(tmp_path, socket_ack_s=1) as nod, receiving() as hook:
        ada = await nod.add_agent(webhook_url=hook.url)
        task = await nod.add_task(ada)
        async with nod.peer(ada, acks=True) as peer:
            (run_id,) = await nod.fire(task)
            event = await peer.event()
            assert (await nod.until_settled(run_id)).channel == "webhook"
            assert hook.ids() == [event["event_id"]]
            assert hook.calls[0].event == event
            assert await peer.is_quiet()
        outcomes = [(each.channel, each.outcome) for each in await nod.deliveries(run_id)]
        assert outcomes == [("websocket", "dropped"), ("webhook", "ok")]


async def test_without_ack_and_webhook_it_waits_and_is_not_pushed_again_on_that_connection(
    tmp_path: Path,
) -> None:
    async with running(tmp_path, socket_ack_s=1) as nod:
        ada = await nod.add_agent()
        task = await nod.add_task(ada)
        async with nod.peer(ada, acks=True) as peer:
            (silent,) = await nod.fire(task)
            event = await peer.event()
            (attempt,) = await nod.until_noted(silent)
            assert attempt.error == "no acknowledgement within 1 s"
            (other,) = await nod.fire(task)
            assert (await peer.event())["run_id"] == other
            assert await peer.is_quiet()
            async with nod.peer(ada, acks=True) as newer:
                assert await newer.runs(2) == [silent, other]
                assert newer.events[0] == event


async def test_a_late_ack_still_settles(tmp_path: Path) -> None:
    async with running(tmp_path, socket_ack_s=1) as nod:
        ada = await nod.add_agent()
        task = await nod.add_task(ada)
        async with nod.peer(ada, acks=True) as peer:
            (run_id,) = await nod.fire(task)
            event = await peer.event()
            await nod.until_noted(run_id)
            await peer.ack(event)
            assert (await nod.until_settled(run_id)).channel == "websocket"


async def test_strict_acks_do_not_count_a_keep_alive_round(tmp_path: Path) -> None:
    async with running(tmp_path, socket_keep_alive_s=1, socket_ack_s=2) as nod:
        ada = await nod.add_agent()
        task = await nod.add_task(ada)
        async with nod.peer(ada, acks=True) as peer:
            (run_id,) = await nod.fire(task)
            await peer.event()
            (attempt,) = await nod.until_noted(run_id)
            assert attempt.outcome == "dropped"
            assert (await nod.event(run_id)).state == "pending"


# order


async def test_what_waited_comes_first_and_the_oldest_before_the_newer(nod: InProcess) -> None:
    ada = await nod.add_agent()
    task = await nod.add_task(ada)
    waiting = await nod.fire(task, 450)
    async with nod.peer(ada) as peer:
        later = await nod.fire(task, 3)
        assert await peer.runs(453) == waiting + later
        assert await peer.is_quiet()


async def test_events_committed_while_the_outbox_is_read_keep_their_place(nod: InProcess) -> None:
    ada = await nod.add_agent()
    task = await nod.add_task(ada)
    fired = await nod.fire(task, 600)

    async def go_on() -> None:
        for _ in range(60):
            fired.extend(await nod.fire(task, 5))

    async with nod.peer(ada) as peer:
        firing = asyncio.create_task(go_on())
        got = await peer.runs(900)
        await firing
        assert got == fired
        assert await peer.is_quiet()


async def test_the_newest_connection_gets_the_events_and_what_the_older_did_not_acknowledge(
    nod: InProcess,
) -> None:
    ada = await nod.add_agent()
    task = await nod.add_task(ada)
    async with nod.peer(ada) as older:
        (first,) = await nod.fire(task)
        await older.event()
        async with nod.peer(ada) as newer:
            (second,) = await nod.fire(task)
            assert await newer.runs(2) == [first, second]
            assert await older.is_quiet()
            await newer.ack(newer.events[0])
            await nod.until_settled(first)
        assert await older.runs(1) == [second]


# the window


async def test_a_peer_that_never_acknowledges_gets_no_more_than_the_window(tmp_path: Path) -> None:
    async with running(tmp_path, socket_in_flight=5) as nod:
        ada = await nod.add_agent()
        task = await nod.add_task(ada)
        fired = await nod.fire(task, 12)
        async with nod.peer(ada) as peer:
            assert await peer.runs(5) == fired[:5]
            assert await peer.is_quiet()
            await peer.ack(peer.events[2])
            assert await peer.runs(1) == fired[5:6]
            for event in (peer.events[0], peer.events[1], peer.events[3]):
                await peer.ack(event)
            assert await peer.runs(3) == fired[6:9]
            fired += await nod.fire(task)
            assert await peer.is_quiet()
            for event in peer.events[4:9]:
                await peer.ack(event)
            assert await peer.runs(4) == fired[9:13]
            assert await peer.is_quiet()


@pytest.mark.parametrize("window", [7, 1000])
async def test_thousands_of_events_arrive_once_and_in_order(tmp_path: Path, window: int) -> None:
    async with running(tmp_path, socket_in_flight=window) as nod:
        ada = await nod.add_agent()
        task = await nod.add_task(ada)
        fired = await nod.fire(task, 1000)
        async with nod.peer(ada, acks=True) as peer:

            async def go_on() -> None:
                for _ in range(50):
                    fired.extend(await nod.fire(task, 20))

            firing = asyncio.create_task(go_on())
            for _ in range(2000):
                await peer.ack(await peer.event())
            await firing
            assert [event["run_id"] for event in peer.events] == fired
            assert await peer.is_quiet()
            await nod.until_settled(fired[-1])
        async with nod.peer(ada) as peer:
            assert await peer.is_quiet()


async def test_what_a_silent_agent_has_no_room_for_takes_the_webhook(tmp_path: Path) -> None:
    async with running(tmp_path, socket_ack_s=1, socket_in_flight=3) as nod, receiving() as hook:
        ada = await nod.add_agent(webhook_url=hook.url)
        task = await nod.add_task(ada)
        async with nod.peer(ada, acks=True) as peer:
            fired = await nod.fire(task, 8)
            assert await peer.runs(3) == fired[:3]
            await until(lambda: len(hook.calls) == 8)
            assert sorted(call.event["run_id"] for call in hook.calls) == sorted(fired)
            (later,) = await nod.fire(task)
            assert (await nod.until_settled(later)).channel == "webhook"
            assert await peer.is_quiet()


async def test_a_silent_agent_without_a_webhook_gets_no_more_than_the_window(
    tmp_path: Path,
) -> None:
    async with running(tmp_path, socket_ack_s=1, socket_in_flight=3) as nod:
        ada = await nod.add_agent()
        task = await nod.add_task(ada)
        async with nod.peer(ada, acks=True) as peer:
            fired = await nod.fire(task, 5)
            assert await peer.runs(3) == fired[:3]
            for run_id in fired[:3]:
                await nod.until_noted(run_id)
            assert await peer.is_quiet()
            await peer.ack(peer.events[1])
            assert await peer.runs(1) == fired[3:4]


# peers in trouble


async def test_a_peer_that_does_not_read_holds_up_nobody_and_loses_nothing(tmp_path: Path) -> None:
    async with running(tmp_path, socket_keep_alive_s=2) as nod:
        slow, quick = await nod.add_agent("Slow"), await nod.add_agent("Quick")
        large = await nod.add_task(slow, prompt="x" * 100_000)
        small = await nod.add_task(quick)
        async with nod.peer(slow, max_queue=1) as stuck, nod.peer(quick) as peer:
            fired = await nod.fire(large, 300)
            await nod.fire(small, 3)
            await peer.runs(3)
            await until(lambda: nod.nod.sockets.newest(slow.agent.id) is None)
            del stuck
        states = [(await nod.event(run_id)).state for run_id in fired]
        assert set(states) == {"pending"}
        async with nod.peer(slow) as again:
            assert await again.runs(300) == fired


async def test_a_connection_that_died_without_a_word_is_noticed_and_its_events_go_on(
    tmp_path: Path,
) -> None:
    async with running(tmp_path, socket_keep_alive_s=1) as nod, proxying(nod.port) as proxy:
        ada = await nod.add_agent()
        task = await nod.add_task(ada)
        with contextlib.suppress(TimeoutError):
            async with nod.peer(ada, port=proxy.port) as peer:
                assert await peer.is_quiet()
                proxy.freeze()
                fired = await nod.fire(task, 3)
                await until(lambda: nod.nod.sockets.newest(ada.agent.id) is None)
                attempts = [(await nod.until_noted(run_id))[0].outcome for run_id in fired]
                assert attempts == ["dropped"] * 3
                async with nod.peer(ada) as again:
                    assert await again.runs(3) == fired
