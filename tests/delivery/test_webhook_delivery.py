"""Events by webhook, against real endpoints that answer as real endpoints do."""

import asyncio
import hashlib
import hmac
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from standardwebhooks.webhooks import Webhook

from nod.actions import agents
from nod.actions.agents import AgentChanges, Credentials
from nod.clock import Clock
from nod.domain.instant import SECOND
from nod.domain.model import Agent, Task
from nod.engine.outbox import make_event, put
from nod.store.store import Tx
from support.clock import FakeClock
from support.inprocess import LOOPBACK, InProcess, running, until
from support.receiver import HANG, OK, Call, Receiver, answer, receiving

NEVER_ENDING = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"4\r\nmore\r\n" * 50


@asynccontextmanager
async def hooked(
    folder: Path, *answers: bytes, last: bytes = OK, clock: Clock | None = None, **limits: int
) -> AsyncIterator[tuple[InProcess, Receiver, Credentials, Task]]:
    """A Nod, an endpoint, an agent with that endpoint, and its task."""
    async with receiving(*answers, last=last) as hook, running(folder, clock, **limits) as nod:
        ada = await nod.add_agent(webhook_url=hook.url)
        yield nod, hook, ada, await nod.add_task(ada)
        hook.release.set()


async def agent_of(nod: InProcess, who: Credentials) -> Agent:
    found = await nod.nod.store.read(lambda tx: tx.people.agent(who.agent.id))
    assert found is not None
    return found


async def set_url(nod: InProcess, who: Credentials, url: str | None) -> None:
    changes = AgentChanges(frozenset({"webhook_url"}), webhook_url=url)
    agent = await agent_of(nod, who)
    await nod.nod.store.write(lambda tx: agents.update_agent(tx, LOOPBACK, agent, changes))


async def kinds_told(nod: InProcess, who: Credentials) -> list[str]:
    """What the person has read of the endpoint, the oldest first."""
    found = await nod.nod.store.read(lambda tx: tx.chat.activity_of(who.agent.id, 100))
    return [each.kind for each in reversed(found) if each.kind.startswith("webhook_")]


# one that cannot be written down


async def test_an_attempt_that_cannot_be_written_down_holds_up_no_other(tmp_path: Path) -> None:
    clock = FakeClock()
    async with hooked(tmp_path, clock=clock) as (nod, hook, _ada, task):
        hook.release.clear()
        bad, good, last = await nod.fire(task, 3)
        event = await nod.event(bad)
        with sqlite3.connect(nod.nod.settings.database_path) as raw:
            raw.execute(
                f"CREATE TRIGGER refuse BEFORE UPDATE ON events WHEN old.id = '{event.id}'"
                " BEGIN SELECT RAISE(ABORT, 'not this one'); END"
            )
        hook.release.set()
        for run_id in (good, last):
            assert (await nod.until_settled(run_id)).state == "acknowledged"
        (more,) = await nod.fire(task)
        assert (await nod.until_settled(more)).state == "acknowledged"
        assert hook.ids().count(event.id) == 1
        raw.execute("DROP TRIGGER refuse")
        raw.close()
        clock.advance(60)
        assert (await nod.until_settled(bad)).state == "acknowledged"
        assert hook.ids().count(event.id) == 2


# one attempt


async def test_an_event_without_a_socket_goes_to_the_webhook(tmp_path: Path) -> None:
    async with hooked(tmp_path) as (nod, hook, _, task):
        (run_id,) = await nod.fire(task)
        assert (await nod.until_settled(run_id)).channel == "webhook"
        (call,) = hook.calls
        event = await nod.event(run_id)
        assert call.event["run_id"] == run_id
        assert call.event["event_id"] == call.event_id == event.id
        assert call.headers["x-nod-retry-num"] == "0"
        assert call.headers["x-nod-retry-reason"] == "first_attempt"
        assert (await nod.run(run_id)).delivery == "delivered"
        (attempt,) = await nod.deliveries(run_id)
        assert (attempt.id, attempt.outcome, attempt.status, attempt.answer) == (
            call.headers["x-nod-delivery-id"], "ok", 200, "ok",
        )  # fmt: skip


async def test_an_answer_that_never_ends_counts_by_its_status(tmp_path: Path) -> None:
    async with hooked(tmp_path, last=NEVER_ENDING) as (nod, hook, _, task):
        (run_id,) = await nod.fire(task)
        assert (await nod.until_settled(run_id)).channel == "webhook"
        assert len(hook.calls) == 1


# trying again


async def test_a_failed_event_is_tried_again_with_the_same_id_and_the_reason(
    tmp_path: Path,
) -> None:
    clock = FakeClock()
    async with hooked(tmp_path, answer(500), clock=clock) as (nod, hook, _, task):
        (run_id,) = await nod.fire(task)
        (failed,) = await nod.until_noted(run_id)
        assert (failed.outcome, failed.status, failed.error) == (
            "http_error", 500, "HTTP status 500",
        )  # fmt: skip
        clock.advance(6.1)
        assert (await nod.until_settled(run_id)).channel == "webhook"
        first, second = hook.calls
        assert first.body == second.body
        assert first.event_id == second.event_id
        assert first.headers["x-nod-delivery-id"] != second.headers["x-nod-delivery-id"]
        assert second.headers["x-nod-retry-num"] == "1"
        assert second.headers["x-nod-retry-reason"] == "http_error"
        assert int(second.headers["x-nod-timestamp"]) > int(first.headers["x-nod-timestamp"])


async def test_an_endpoint_that_hangs_is_a_timeout_and_holds_up_no_other_event(
    tmp_path: Path,
) -> None:
    async with hooked(tmp_path, HANG, webhook_timeout_s=2) as (nod, hook, _, task):
        (hanging,) = await nod.fire(task)
        await until(lambda: hook.calls)
        (other,) = await nod.fire(task)
        assert (await nod.until_settled(other)).channel == "webhook"
        assert (await nod.event(hanging)).state == "pending"
        (failed,) = await nod.until_noted(hanging)
        assert (failed.outcome, failed.error) == ("timeout", "no answer within 2 s")
        assert (await nod.event(hanging)).retry_reason == "timeout"


async def test_a_redirect_is_not_followed(tmp_path: Path) -> None:
    async with receiving() as elsewhere:
        moved = answer(307, f"Location: {elsewhere.url}")
        async with hooked(tmp_path, last=moved) as (nod, _, _, task):
            (run_id,) = await nod.fire(task)
            (failed,) = await nod.until_noted(run_id)
            assert failed.error == f"redirect to {elsewhere.url} not followed"
            assert elsewhere.calls == []


async def test_the_endpoint_may_ask_for_more_time(tmp_path: Path) -> None:
    clock = FakeClock()
    busy = answer(503, "Retry-After: 120")
    async with hooked(tmp_path, busy, clock=clock) as (nod, hook, _, task):
        (run_id,) = await nod.fire(task)
        await nod.until_noted(run_id)
        event = await nod.event(run_id)
        assert event.attempt_at == event.created_at + 120 * SECOND
        clock.advance(119)
        (other,) = await nod.fire(task)
        await nod.until_settled(other)
        assert len(hook.calls) == 2
        clock.advance(2)
        await nod.until_settled(run_id)


async def test_a_port_where_nobody_listens_is_no_connection(tmp_path: Path) -> None:
    async with hooked(tmp_path) as (nod, hook, ada, task):
        await set_url(nod, ada, "http://127.0.0.1:1/")
        (run_id,) = await nod.fire(task)
        (failed,) = await nod.until_noted(run_id)
        assert failed.outcome == "connection_error"
        assert (await nod.event(run_id)).retry_reason == "connection_error"
        await set_url(nod, ada, hook.url)
        assert (await nod.until_settled(run_id)).channel == "webhook"


async def test_of_one_run_the_later_event_waits_for_the_earlier(tmp_path: Path) -> None:
    clock = FakeClock()
    async with hooked(tmp_path, answer(500), clock=clock) as (nod, hook, ada, task):
        (run_id,) = await nod.fire(task)
        await nod.until_noted(run_id)
        await second_event(nod, ada, run_id)
        (other,) = await nod.fire(task)
        await nod.until_settled(other)
        assert len(hook.calls) == 2
        clock.advance(6.1)
        await until(lambda: len(hook.calls) == 4)
        kinds = [call.event["type"] for call in hook.calls if call.event["run_id"] == run_id]
        assert kinds == ["task_due", "task_due", "decision_resolved"]


async def second_event(nod: InProcess, who: Credentials, run_id: str) -> str:
    """Another event of the run; its id."""

    async def tell(tx: Tx) -> str:
        fields = {"run_id": run_id, "decision_id": "dec_1"}
        event = make_event(tx.now, who.agent.id, "decision_resolved", fields, run_id=run_id)
        return (await put(tx, event)).id

    return await nod.nod.store.write(tell)


# many events


async def test_each_of_many_events_is_sent_once_and_few_at_the_same_time(tmp_path: Path) -> None:
    async with hooked(tmp_path, webhook_parallel=4) as (nod, hook, _, task):
        hook.release.clear()
        fired = await nod.fire(task, 200)
        await until(lambda: hook.at_once == 4)
        hook.release.set()
        for _ in range(20):
            fired += await nod.fire(task, 5)
        for run_id in fired:
            await nod.until_settled(run_id)
        assert hook.most_at_once == 4
        assert sorted(call.event["run_id"] for call in hook.calls) == sorted(fired)


# webhook and socket


async def test_a_socket_takes_what_waits_for_the_next_attempt(tmp_path: Path) -> None:
    clock = FakeClock()
    async with hooked(tmp_path, last=answer(500), clock=clock) as (nod, hook, ada, task):
        fired = await nod.fire(task, 3)
        for run_id in fired:
            await nod.until_noted(run_id)
        async with nod.peer(ada) as peer:
            assert await peer.runs(3) == fired
            clock.advance(6.1)
            assert await peer.is_quiet()
            assert len(hook.calls) == 3


async def test_what_is_on_its_way_to_the_webhook_is_pushed_when_that_fails(
    tmp_path: Path,
) -> None:
    async with hooked(tmp_path, answer(500)) as (nod, hook, ada, task):
        hook.release.clear()
        (run_id,) = await nod.fire(task)
        await until(lambda: hook.calls)
        async with nod.peer(ada) as peer:
            later = await second_event(nod, ada, run_id)
            (other,) = await nod.fire(task)
            assert await peer.runs(1) == [other]
            hook.release.set()
            assert await peer.runs(2) == [run_id, run_id]
            assert peer.events[2]["event_id"] == later


async def test_what_the_webhook_took_is_not_pushed_and_what_follows_is(tmp_path: Path) -> None:
    async with hooked(tmp_path) as (nod, hook, ada, task):
        hook.release.clear()
        (run_id,) = await nod.fire(task)
        await until(lambda: hook.calls)
        async with nod.peer(ada) as peer:
            later = await second_event(nod, ada, run_id)
            assert await peer.is_quiet()
            hook.release.set()
            assert (await peer.event())["event_id"] == later
            assert await peer.is_quiet()


# an endpoint's health


async def test_gone_disables_the_endpoint_at_once_and_tells_the_owner_once(tmp_path: Path) -> None:
    async with hooked(tmp_path) as (nod, hook, ada, task):
        hook.release.clear()
        hook.last = answer(410)
        fired = await nod.fire(task, 12)
        await until(lambda: hook.at_once == 8)
        hook.release.set()
        for run_id in fired[:8]:
            await nod.until_noted(run_id)
        assert (await agent_of(nod, ada)).webhook_disabled == "it answered 410 Gone"
        assert await kinds_told(nod, ada) == ["webhook_disabled"]
        fired += await nod.fire(task)
        events = [await nod.event(run_id) for run_id in fired]
        assert {(event.state, event.attempt_at) for event in events} == {("pending", None)}
        assert len(hook.calls) == 8

        hook.last = OK
        await set_url(nod, ada, hook.url)
        for run_id in fired:
            assert (await nod.until_settled(run_id)).channel == "webhook"


async def test_a_failing_endpoint_is_told_after_an_hour_and_when_it_recovers(
    tmp_path: Path,
) -> None:
    clock = FakeClock()
    async with hooked(tmp_path, last=answer(500), clock=clock) as (nod, hook, ada, task):
        for failures, (passed_s, told) in enumerate(
            [(1800, []), (1800, ["webhook_failing"]), (1800, ["webhook_failing"])], start=1
        ):
            await nod.until_noted((await nod.fire(task))[0])
            assert (await agent_of(nod, ada)).webhook_failing_since is not None, failures
            clock.advance(passed_s)
            await nod.until_noted((await nod.fire(task))[0])
            assert await kinds_told(nod, ada) == told
        hook.last = OK
        await nod.until_settled((await nod.fire(task))[0])
        await until(lambda: recovered(nod, ada))
        assert await kinds_told(nod, ada) == ["webhook_failing", "webhook_recovered"]


async def recovered(nod: InProcess, who: Credentials) -> bool:
    return (await agent_of(nod, who)).webhook_failing_since is None


async def test_a_short_failure_is_over_without_a_word(tmp_path: Path) -> None:
    async with hooked(tmp_path, answer(500)) as (nod, _, ada, task):
        await nod.until_noted((await nod.fire(task))[0])
        await nod.until_settled((await nod.fire(task))[0])
        await until(lambda: recovered(nod, ada))
        assert await kinds_told(nod, ada) == []


async def test_five_days_of_failures_disable_the_endpoint(tmp_path: Path) -> None:
    clock = FakeClock()
    async with hooked(tmp_path, last=answer(500), clock=clock) as (nod, _, ada, task):
        await nod.until_noted((await nod.fire(task))[0])
        clock.advance(5 * 86_400)
        await nod.fire(task)
        await until(lambda: is_disabled(nod, ada))
        assert (await agent_of(nod, ada)).webhook_disabled == "it has failed for 5 d"
        assert (await kinds_told(nod, ada))[-1] == "webhook_disabled"


async def is_disabled(nod: InProcess, who: Credentials) -> bool:
    return (await agent_of(nod, who)).webhook_disabled is not None


async def test_what_the_former_endpoint_answers_says_nothing_of_the_new_one(
    tmp_path: Path,
) -> None:
    async with hooked(tmp_path) as (nod, hook, ada, task), receiving() as new:
        hook.release.clear()
        hook.last = answer(410)
        (run_id,) = await nod.fire(task)
        await until(lambda: hook.calls)
        await set_url(nod, ada, new.url)
        hook.release.set()
        await nod.until_noted(run_id)
        agent = await agent_of(nod, ada)
        assert (agent.webhook_disabled, agent.webhook_failing_since) == (None, None)
        assert (await nod.event(run_id)).attempt_at is not None


async def test_a_new_url_is_tried_at_once_also_for_what_waits_for_hours(tmp_path: Path) -> None:
    busy = answer(503, "Retry-After: 7200")
    async with hooked(tmp_path, busy) as (nod, _, ada, task), receiving() as new:
        (run_id,) = await nod.fire(task)
        await nod.until_noted(run_id)
        await set_url(nod, ada, new.url)
        assert (await nod.until_settled(run_id)).channel == "webhook"
        assert len(new.calls) == 1


async def test_an_endpoint_taken_away_while_it_is_tried_is_not_tried_again(
    tmp_path: Path,
) -> None:
    async with hooked(tmp_path, last=answer(500)) as (nod, hook, ada, task):
        hook.release.clear()
        (run_id,) = await nod.fire(task)
        await until(lambda: hook.calls)
        await set_url(nod, ada, None)
        hook.release.set()
        await nod.until_noted(run_id)
        assert (await nod.event(run_id)).attempt_at is None


# signatures


def nod_signature(call: Call, key: bytes) -> str:
    signed = f"{call.headers['x-nod-timestamp']}.".encode() + call.body
    return "sha256=" + hmac.new(key, signed, hashlib.sha256).hexdigest()


def derived_key(secret: str) -> bytes:
    return hmac.new(secret.encode(), b"nod-webhook", hashlib.sha256).digest()


async def test_both_schemes_verify_with_what_the_agent_was_shown(tmp_path: Path) -> None:
    async with hooked(tmp_path) as (nod, hook, ada, task):
        await nod.until_settled((await nod.fire(task))[0])
        (call,) = hook.calls
        assert Webhook(ada.webhook_secret).verify(call.body, call.headers) == call.event
        assert call.headers["x-nod-signature"] == nod_signature(call, derived_key(ada.secret))
        assert abs(int(call.headers["x-nod-timestamp"]) - time.time()) < 60


async def test_after_a_rotation_both_keys_sign_and_the_one_in_use_comes_first(
    tmp_path: Path,
) -> None:
    async with hooked(tmp_path) as (nod, hook, old, task):
        new = await nod.nod.store.write(
            lambda tx: agents.rotate_secret(tx, nod.nod.vault, old.agent)
        )
        await nod.until_settled((await nod.fire(task))[0])
        async with nod.http(new) as http:
            assert (await http.get("/tasks")).status_code == 200
        await nod.until_settled((await nod.fire(task))[0])

        for call, in_use in zip(hook.calls, (old, new), strict=True):
            for known in (old, new):
                Webhook(known.webhook_secret).verify(call.body, call.headers)
            key = derived_key(in_use.secret)
            assert call.headers["x-nod-signature"] == nod_signature(call, key)


async def test_the_old_key_is_not_used_when_its_time_is_over(tmp_path: Path) -> None:
    async with hooked(tmp_path, secret_overlap_s=1) as (nod, hook, old, task):
        new = await nod.nod.store.write(
            lambda tx: agents.rotate_secret(tx, nod.nod.vault, old.agent)
        )
        until_ms = new.agent.old_secret_until or 0
        await until(lambda: nod.nod.clock.now() > until_ms)
        await nod.until_settled((await nod.fire(task))[0])
        (call,) = hook.calls
        assert call.headers["x-nod-signature"] == nod_signature(call, derived_key(new.secret))
        assert " " not in call.headers["webhook-signature"]


# trouble on our side


async def test_a_store_that_cannot_answer_for_a_while_costs_no_event_and_no_second_call(
    tmp_path: Path,
) -> None:
    async with hooked(tmp_path) as (nod, hook, _, task):
        hook.release.clear()
        (run_id,) = await nod.fire(task)
        await until(lambda: hook.calls)
        await nod.nod.store.close()
        hook.release.set()
        nod.nod.deliverer.take([])
        await asyncio.sleep(0)
        await nod.nod.store.start()
        assert (await nod.until_settled(run_id)).channel == "webhook"
        assert len(hook.calls) == 1


async def test_a_key_that_cannot_be_opened_stops_that_agents_webhooks_only(
    tmp_path: Path,
) -> None:
    async with hooked(tmp_path) as (nod, hook, ada, task):
        bob = await nod.add_agent("Bob", webhook_url=hook.url)
        other = await nod.add_task(bob)
        database = nod.nod.settings.database_path
        with sqlite3.connect(database) as raw:
            raw.execute("UPDATE agents SET webhook_key = 'x' WHERE id = ?", (ada.agent.id,))
        raw.close()
        (stuck,) = await nod.fire(task)
        (run_id,) = await nod.fire(other)
        assert (await nod.until_settled(run_id)).channel == "webhook"
        assert (await nod.event(stuck)).state == "pending"
        assert await nod.deliveries(stuck) == []


async def test_an_event_that_cannot_be_sent_at_all_harms_no_other_agent(tmp_path: Path) -> None:
    clock = FakeClock()
    async with hooked(tmp_path, answer(500), clock=clock) as (nod, hook, _, task):
        (broken,) = await nod.fire(task)
        await nod.until_noted(broken)
        with sqlite3.connect(nod.nod.settings.database_path) as raw:
            raw.execute("UPDATE events SET body = x'7b7d' WHERE run_id = ?", (broken,))
        raw.close()
        clock.advance(6.1)
        bob = await nod.add_agent("Bob", webhook_url=hook.url)
        (run_id,) = await nod.fire(await nod.add_task(bob))
        assert (await nod.until_settled(run_id)).channel == "webhook"
        assert (await nod.event(broken)).state == "pending"


async def test_stopping_gives_up_attempts_and_keeps_their_events(tmp_path: Path) -> None:
    async with receiving() as hook:
        hook.release.clear()
        async with running(tmp_path) as nod:
            ada = await nod.add_agent(webhook_url=hook.url)
            await nod.fire(await nod.add_task(ada))
            await until(lambda: hook.calls)
            first = hook.calls[0].event
        hook.release.set()
        async with running(tmp_path) as nod:
            await until(lambda: len(hook.calls) == 2)
            assert hook.calls[1].event == first
