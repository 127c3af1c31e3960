"""What an agent says by POST /api/agent/events, and the feed it reads."""

import asyncio
import base64
from typing import Any

import httpx
import pytest

from nod.actions import chat
from nod.actions.agents import Credentials
from nod.actions.chat import UserMessageFields
from nod.domain.limits import MIB
from nod.domain.model import Activity, Message
from nod.store.store import Tx
from support.inprocess import InProcess

PNG = b"\x89PNG\r\n\x1a\n"


async def say(http: httpx.AsyncClient, what: str, **fields: Any) -> httpx.Response:
    return await http.post("/events", json={"type": what, **fields})


async def said(nod: InProcess, who: Credentials) -> list[Message]:
    """The messages of the agent's conversation, the newest first."""

    async def look(tx: Tx) -> list[Message]:
        where = await tx.chat.default_conversation(who.agent.id)
        return await tx.chat.messages(where.id, 100)

    return await nod.nod.store.read(look)


async def activity(nod: InProcess, who: Credentials) -> list[Activity]:
    async def look(tx: Tx) -> list[Activity]:
        return await tx.chat.activity_of(who.agent.id, 100)

    return await nod.nod.store.read(look)


async def tell(nod: InProcess, who: Credentials, text: str) -> str:
    """A person says something to the agent; the id of the event."""

    async def send(tx: Tx) -> Message:
        owner = await tx.people.user(who.agent.owner_id)
        assert owner is not None
        where = await tx.chat.default_conversation(who.agent.id)
        return await chat.user_message(tx, owner, where.id, UserMessageFields(text=text), "")

    message = await nod.nod.store.write(send)
    assert message.event_id is not None
    return message.event_id


# saying


async def test_a_message_is_answered_with_its_id_and_stands_in_the_chat(
    nod: InProcess, http: httpx.AsyncClient, ada: Credentials
) -> None:
    answer = await say(http, "message", text="**Hello**")
    assert list(answer.json()) == ["status", "message_id"]
    assert answer.json()["status"] == "ok"
    (message,) = await said(nod, ada)
    assert (message.id, message.author, message.text) == (
        answer.json()["message_id"],
        "agent",
        "**Hello**",
    )


async def test_a_message_of_a_run_is_the_runs_bubble(
    nod: InProcess, http: httpx.AsyncClient, ada: Credentials
) -> None:
    (run,) = await nod.fire(await nod.add_task(ada))
    first = (await say(http, "message", text="First.", task_run_id=run)).json()["message_id"]
    second = (await say(http, "message", text="Second.", task_run_id=run)).json()["message_id"]
    assert first == second
    (bubble,) = await said(nod, ada)
    assert (bubble.id, bubble.kind, bubble.run_id, bubble.text) == (first, "task", run, "Second.")


async def test_a_picture_of_five_mebibytes_fits_and_a_larger_one_does_not(
    nod: InProcess, http: httpx.AsyncClient, ada: Credentials
) -> None:
    def picture(size: int) -> str:
        return base64.b64encode(PNG + b"x" * (size - len(PNG))).decode()

    assert (await say(http, "message", image_base64=picture(5 * MIB))).status_code == 200
    refused = await say(http, "message", image_base64=picture(5 * MIB + 1))
    assert refused.status_code == 413
    (message,) = await said(nod, ada)
    assert message.image_id is not None


@pytest.mark.parametrize(
    ("kind", "answered"),
    [("approval", {}), ("permission", {}), ("question", {}), ("choice", {"options": ["a", "b"]})],
)
async def test_a_decision_is_answered_with_its_id(
    http: httpx.AsyncClient, kind: str, answered: dict[str, Any]
) -> None:
    answer = await say(http, "decision", title="Which?", kind=kind, **answered)
    assert list(answer.json()) == ["status", "decision_id"]
    found = await http.get(f"/decisions/{answer.json()['decision_id']}")
    assert (found.json()["kind"], found.json()["status"]) == (kind, "pending")


async def test_a_proposal_is_a_question_and_makes_no_task_by_itself(
    http: httpx.AsyncClient,
) -> None:
    proposal = {"title": "Shall I?", "task_name": "n", "task_prompt": "p"}
    answer = await say(http, "task_proposal", **proposal, task_schedule="0 9 * * *")
    found = await http.get(f"/decisions/{answer.json()['decision_id']}")
    assert found.json()["kind"] == "proposal"
    assert (await http.get("/tasks")).json() == []
    refused = await say(http, "task_proposal", **proposal, task_schedule="0 0 30 2 *")
    assert refused.status_code == 400
    assert "never fires" in refused.json()["detail"]


async def test_an_alert_is_a_line_of_activity(
    nod: InProcess, http: httpx.AsyncClient, ada: Credentials
) -> None:
    answer = await say(http, "alert", title="Disk full", text="/var has 1 % left")
    assert answer.json() == {"status": "ok"}
    (line,) = await activity(nod, ada)
    assert (line.kind, line.title, line.text) == ("alert", "Disk full", "/var has 1 % left")


async def test_processing_shows_thinking_until_it_stops(
    nod: InProcess, http: httpx.AsyncClient, ada: Credentials
) -> None:
    async def status() -> tuple[str | None, bool]:
        agent = await nod.nod.store.read(lambda tx: tx.people.agent(ada.agent.id))
        assert agent is not None
        return agent.status_text, agent.thinking_until is not None

    started = await say(http, "processing_start", status_text="Reading mail")
    assert started.json() == {"status": "ok"}
    assert await status() == ("Reading mail", True)
    assert (await say(http, "processing_stop")).json() == {"status": "ok"}
    assert await status() == (None, False)


async def test_what_names_somebody_elses_run_or_conversation_is_not_stored(
    nod: InProcess, http: httpx.AsyncClient, ada: Credentials
) -> None:
    bob = await nod.add_agent("Bob")
    (run,) = await nod.fire(await nod.add_task(bob))
    where = await nod.nod.store.read(lambda tx: tx.chat.default_conversation(bob.agent.id))
    for kind in ("message", "decision", "alert", "processing_start"):
        for name, value in (("task_run_id", run), ("conversation_id", where.id)):
            if (kind, name) == ("alert", "conversation_id"):
                continue  # an alert belongs to no conversation
            answer = await say(http, kind, text="t", title="t", **{name: value})
            assert answer.status_code == 404, (kind, name)
    assert await said(nod, ada) == await said(nod, bob) == []
    assert (await nod.run(run)).status == "pending"


# the feed


async def test_the_feed_has_what_nobody_has_acknowledged_and_goes_on_after_an_event(
    nod: InProcess, http: httpx.AsyncClient, ada: Credentials
) -> None:
    ids = [await tell(nod, ada, text) for text in ("one", "two", "three")]
    feed = (await http.get("/events")).json()
    assert [(each["type"], each["event_id"], each["text"]) for each in feed] == [
        ("user_message", ids[0], "one"),
        ("user_message", ids[1], "two"),
        ("user_message", ids[2], "three"),
    ]
    rest = (await http.get("/events", params={"after": ids[0]})).json()
    assert rest == feed[1:]
    acked = await http.post(f"/events/{ids[0]}/ack")
    assert acked.json() == {"status": "ok", "event_id": ids[0], "state": "acknowledged"}
    assert (await http.post(f"/events/{ids[0]}/ack")).json() == acked.json()
    assert (await http.get("/events")).json() == feed[1:]
    assert (await http.get("/events", params={"after": ids[2]})).json() == []


async def test_a_call_that_waits_is_answered_as_soon_as_something_happens(
    nod: InProcess, http: httpx.AsyncClient, ada: Credentials
) -> None:
    waiting = asyncio.create_task(http.get("/events", params={"wait_s": 60}))
    event_id = await tell(nod, ada, "at last")
    (event,) = (await waiting).json()
    assert (event["event_id"], event["text"]) == (event_id, "at last")


async def test_a_call_waits_no_longer_than_it_said(http: httpx.AsyncClient) -> None:
    assert (await http.get("/events", params={"wait_s": 1})).json() == []


@pytest.mark.parametrize("wait_s", ["-1", "61", "1.5", "long", ""])
async def test_a_wait_that_is_no_number_of_seconds_up_to_60_is_refused(
    http: httpx.AsyncClient, wait_s: str
) -> None:
    for path in ("/events", "/decisions/dec_1"):
        answer = await http.get(path, params={"wait_s": wait_s})
        assert answer.status_code == 400
        assert answer.json()["detail"].startswith("wait_s must be ")
