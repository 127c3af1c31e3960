"""Deliveries over the API: every attempt, what waits, all about one, and sending it again."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from nod.actions import chat, decisions
from nod.actions.accounts import JWT_PURPOSE, make_token
from nod.actions.agents import Credentials
from nod.actions.answers import resolve
from nod.actions.chat import UserMessageFields
from nod.actions.decisions import DecisionFields
from nod.domain.decisions import Answer
from nod.store.store import Tx
from support.clock import FakeClock
from support.inprocess import PATIENCE_S, InProcess, running, until
from support.receiver import Receiver, answer, receiving

DAY_S = 24 * 3600


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def nod(tmp_path: Path, clock: FakeClock) -> AsyncIterator[InProcess]:
    async with running(tmp_path, clock) as started:
        yield started


@pytest.fixture
async def hook() -> AsyncIterator[Receiver]:
    async with receiving(answer(500, body="<b>no</b>")) as endpoint:
        yield endpoint


@pytest.fixture
async def ada(nod: InProcess) -> Credentials:
    """An agent without a webhook: it connects or polls."""
    return await nod.add_agent()


@pytest.fixture
async def bob(nod: InProcess, hook: Receiver) -> Credentials:
    """An agent with a webhook, whose first call is answered by 500."""
    return await nod.add_agent("Bob", webhook_url=hook.url)


@pytest.fixture
async def ann(nod: InProcess, ada: Credentials) -> AsyncIterator[httpx.AsyncClient]:
    """The owner's client of the API."""
    key = nod.nod.vault.derive(JWT_PURPOSE)
    person = await nod.nod.store.read(lambda tx: tx.people.user(ada.agent.owner_id))
    assert person is not None
    token, _ = make_token(person, key, nod.nod.clock.now(), nod.nod.limits)
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=nod.url, headers=headers, timeout=PATIENCE_S) as client:
        yield client


async def fire(nod: InProcess, who: Credentials, **given: Any) -> str:
    [run_id] = await nod.fire(await nod.add_task(who, **given))
    return run_id


async def listed(ann: httpx.AsyncClient, **query: Any) -> list[dict[str, Any]]:
    found = await ann.get("/api/deliveries", params=query)
    assert found.status_code == 200, found.text
    return list(found.json())


async def waiting(ann: httpx.AsyncClient, **query: Any) -> list[dict[str, Any]]:
    found = await ann.get("/api/deliveries/waiting", params=query)
    assert found.status_code == 200, found.text
    return list(found.json())


async def test_a_webhook_that_failed_is_listed_with_its_answer_and_when_it_is_tried_again(
    nod: InProcess, ann: httpx.AsyncClient, bob: Credentials
) -> None:
    run_id = await fire(nod, bob, name="Digest")
    await nod.until_noted(run_id)
    (found,) = await listed(ann)
    assert (found["channel"], found["outcome"], found["status"]) == ("webhook", "http_error", 500)
    assert (found["answer"], found["error"], found["attempt"]) == (
        "<b>no</b>",
        "HTTP status 500",
        1,
    )
    event = found["event"]
    assert (event["type"], event["title"], event["run_id"]) == ("task_due", "Digest", run_id)
    assert (event["next"], event["attempts"]) == ("retry", 1)
    assert event["next_at"] is not None
    (wait,) = await waiting(ann)
    assert wait == event


async def test_what_an_agent_fetched_or_nobody_did_is_listed_by_its_event(
    nod: InProcess, ann: httpx.AsyncClient, ada: Credentials, clock: FakeClock
) -> None:
    fetched, left = await fire(nod, ada, name="Fetched"), await fire(nod, ada, name="Left")
    (first, second) = await waiting(ann)
    assert [each["next"] for each in (first, second)] == ["waiting", "waiting"]
    async with nod.http(ada) as agent:
        (
            await agent.post(
                f"/tasks/runs/{fetched}/complete", json={"status": "completed", "summary": ""}
            )
        ).raise_for_status()
    clock.advance(DAY_S + 60)
    await nod.until_settled(left)
    gone, got = await listed(ann)
    assert (got["id"], got["event_id"], got["channel"]) == (first["id"], first["id"], "poll")
    assert (got["outcome"], got["event"]["next"]) == ("ok", "delivered")
    assert (gone["id"], gone["outcome"], gone["event"]["next"]) == (
        second["id"],
        "dead",
        "given_up",
    )
    assert gone["error"] is not None
    assert await waiting(ann) == []
    assert [each["id"] for each in await listed(ann, outcome="failed")] == [second["id"]]


async def test_attempts_are_narrowed_to_an_agent_an_event_a_channel_and_failures(
    nod: InProcess, ann: httpx.AsyncClient, ada: Credentials, bob: Credentials, clock: FakeClock
) -> None:
    failed = await fire(nod, bob)
    await nod.until_noted(failed)
    clock.advance(1)
    good = await fire(nod, bob)
    await nod.until_settled(good)
    clock.advance(1)
    async with nod.peer(ada) as peer:
        pushed = await fire(nod, ada)
        await peer.ack(await peer.event())
        await nod.until_noted(pushed)

    async def runs(**query: Any) -> list[str]:
        return [each["run_id"] for each in await listed(ann, **query)]

    assert await runs() == [pushed, good, failed]
    assert await runs(agent_id=bob.agent.id) == [good, failed]
    assert await runs(channel="websocket") == [pushed]
    assert await runs(channel="poll") == []
    assert await runs(outcome="failed") == [failed]
    assert await runs(outcome="failed", channel="websocket") == []
    event_id = (await nod.event(good)).id
    assert await runs(event_id=event_id) == [good]
    assert await runs(event_id=event_id, outcome="failed") == []
    assert await runs(event_id=event_id, channel="websocket") == []
    assert await runs(event_id=event_id, agent_id=ada.agent.id) == []


async def test_a_push_that_was_not_acknowledged_is_listed_and_waits(
    nod: InProcess, ann: httpx.AsyncClient, ada: Credentials
) -> None:
    async with nod.peer(ada) as peer:
        run_id = await fire(nod, ada)
        await peer.event()
        (wait,) = await waiting(ann)
        assert wait["next"] == "sending"
    await nod.until_noted(run_id)
    (found,) = await listed(ann, outcome="failed")
    assert (found["channel"], found["outcome"]) == ("websocket", "dropped")

    async def waits() -> bool:
        return bool((await waiting(ann))[0]["next"] == "waiting")

    assert await until(waits)


async def test_messages_and_answers_say_what_they_are_about(
    nod: InProcess, ann: httpx.AsyncClient, ada: Credentials
) -> None:
    async def talk(tx: Tx) -> tuple[str, str]:
        person = await tx.people.user(ada.agent.owner_id)
        assert person is not None
        where = await tx.chat.default_conversation(ada.agent.id)
        fields = UserMessageFields(text="How is the **disk**?")
        said = await chat.user_message(tx, person, where.id, fields, nod.url)
        asked = await decisions.open_decision(tx, ada.agent, DecisionFields(title="May I?"))
        await resolve(tx, nod.nod.vault, person, asked.id, Answer("approved"), 0)
        return said.id, asked.id

    message_id, decision_id = await nod.nod.store.write(talk)
    said, answered = await waiting(ann)
    assert (said["type"], said["title"], said["message_id"]) == (
        "user_message",
        "How is the disk?",
        message_id,
    )
    assert (answered["type"], answered["title"], answered["decision_id"]) == (
        "decision_resolved",
        "May I?",
        decision_id,
    )


async def test_all_about_an_event_is_what_is_sent_and_every_attempt(
    nod: InProcess, ann: httpx.AsyncClient, bob: Credentials, hook: Receiver
) -> None:
    task = await nod.add_task(bob, "event", name="Push")
    body = {"ref": "main"}
    call = await ann.post(f"/api/webhooks/{task.trigger_id}", json=body)
    await nod.until_noted(call.json()["run_id"])
    (found,) = await listed(ann)
    for id_ in (found["id"], found["event_id"]):
        whole = (await ann.get(f"/api/deliveries/{id_}/event")).json()
        assert (whole["id"], whole["title"]) == (found["event_id"], "Push")
        assert whole["sent"] == hook.calls[0].event
        assert whole["sent"]["payload"] == body
        assert [each["id"] for each in whole["tries"]] == [found["id"]]
    assert (await ann.get(f"/api/deliveries/{found['id']}")).json() == found


async def test_an_event_without_an_attempt_has_no_delivery_yet(
    nod: InProcess, ann: httpx.AsyncClient, ada: Credentials
) -> None:
    event = await nod.event(await fire(nod, ada))
    alone = await ann.get(f"/api/deliveries/{event.id}")
    assert alone.status_code == 404
    assert "no attempt yet" in alone.json()["detail"]
    assert (await ann.get(f"/api/deliveries/{event.id}/event")).json()["tries"] == []


async def test_an_event_is_sent_again_under_its_id_and_not_while_it_is_on_its_way(
    nod: InProcess, ann: httpx.AsyncClient, bob: Credentials, hook: Receiver, clock: FakeClock
) -> None:
    run_id = await fire(nod, bob)
    await nod.until_noted(run_id)
    (failed,) = await listed(ann)
    refused = await ann.post(f"/api/deliveries/{failed['id']}/replay")
    assert refused.status_code == 409
    assert "still on its way" in refused.json()["detail"]
    clock.advance(10)
    await nod.until_settled(run_id)
    again = await ann.post(f"/api/deliveries/{failed['id']}/replay")
    assert again.json() == {"status": "ok", "event_id": failed["event_id"]}
    await nod.until_noted(run_id, 3)
    assert set(hook.ids()) == {failed["event_id"]}


async def test_what_was_fetched_is_sent_again_by_its_events_id(
    nod: InProcess, ann: httpx.AsyncClient, ada: Credentials
) -> None:
    run_id = await fire(nod, ada)
    async with nod.http(ada) as agent:
        await agent.post(f"/tasks/runs/{run_id}/context", json={"run_id": run_id, "text": "x"})
    (fetched,) = await listed(ann, channel="poll")
    assert (await ann.post(f"/api/deliveries/{fetched['id']}/replay")).status_code == 200
    assert [each["id"] for each in await waiting(ann)] == [fetched["id"]]
    assert await listed(ann) == []


async def pages(ann: httpx.AsyncClient, path: str, **query: Any) -> list[list[str]]:
    """The ids on each page, followed by their Link headers."""
    found = await ann.get(path, params=query)
    ids = [[each["id"] for each in found.json()]]
    while "next" in found.links:
        found = await ann.get(found.links["next"]["url"])
        ids.append([each["id"] for each in found.json()])
    return ids


async def test_pages_hold_everything_once_also_what_came_in_one_moment(
    nod: InProcess, ann: httpx.AsyncClient, ada: Credentials, bob: Credentials
) -> None:
    task = await nod.add_task(bob)
    runs = await nod.fire(task, 5)
    for run_id in runs:
        await nod.until_noted(run_id)
    left = await nod.fire(await nod.add_task(ada), 5)
    async with nod.http(ada) as agent:
        for run_id in left[:3]:
            await agent.post(f"/tasks/runs/{run_id}/context", json={"run_id": run_id, "text": "x"})
    whole = [each["id"] for each in await listed(ann)]
    assert len(whole) == 8
    assert await pages(ann, "/api/deliveries", limit=3) == [whole[:3], whole[3:6], whole[6:]]
    some = await pages(ann, "/api/deliveries", limit=2, channel="poll")
    assert [len(each) for each in some] == [2, 1]
    waits = [each["id"] for each in await waiting(ann)]
    assert await pages(ann, "/api/deliveries/waiting", limit=2) == [
        waits[at : at + 2] for at in range(0, len(waits), 2)
    ]


@pytest.mark.parametrize(
    "query",
    [
        {"channel": "pigeon"},
        {"outcome": "fine"},
        {"cursor": "x"},
        {"cursor": "1."},
        {"cursor": ".x"},
        {"limit": "0"},
        {"limit": "101"},
    ],
)
async def test_what_cannot_be_asked_is_said(ann: httpx.AsyncClient, query: dict[str, str]) -> None:
    assert (await ann.get("/api/deliveries", params=query)).status_code == 400


@pytest.mark.parametrize("query", [{"cursor": "x"}, {"limit": "0"}, {"limit": "101"}])
async def test_what_cannot_be_asked_of_what_waits_is_said(
    ann: httpx.AsyncClient, query: dict[str, str]
) -> None:
    assert (await ann.get("/api/deliveries/waiting", params=query)).status_code == 400
