"""The page of requests: cards are answered, answers taken back, and the agent hears in time."""

import re
from contextlib import aclosing
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from nod.actions import decisions
from nod.actions.agents import Credentials
from nod.actions.decisions import DecisionFields, ProposalFields
from nod.domain.instant import HOUR
from nod.domain.model import Decision
from nod.domain.runs import make_run
from nod.store.store import Tx
from support.browser import signed_in
from support.clock import FakeClock
from support.inprocess import InProcess, until
from support.server import RunningServer

UNDO_S = 10
HTMX = {"HX-Request": "true", "HX-Target": "card"}


async def ask(nod: InProcess, ada: Credentials, title: str = "May I?", **fields: Any) -> Decision:
    given = msgspec.convert({"title": title, **fields}, DecisionFields)
    return await nod.nod.store.write(lambda tx: decisions.open_decision(tx, ada.agent, given))


async def propose(nod: InProcess, ada: Credentials, schedule: str, **fields: Any) -> Decision:
    wanted = {
        "title": "Shall I?",
        "task_name": "Digest",
        "task_prompt": "Sum up **all**.",
        "task_schedule": schedule,
        **fields,
    }
    given = msgspec.convert(wanted, ProposalFields)
    return await nod.nod.store.write(lambda tx: decisions.propose_task(tx, ada.agent, given))


async def still_wanted(nod: InProcess, ada: Credentials) -> Decision:
    task = await nod.add_task(ada)

    async def make(tx: Tx) -> Decision:
        run = make_run(task, tx.now, tx.now, "manual")
        return await tx.chat.ask_still_wanted(task, run, tx.now, 3600)

    return await nod.nod.store.write(make)


async def answer(client: httpx.AsyncClient, asked: Decision, **form: str) -> str:
    """Press a button of the card as htmx does; the card that comes back."""
    response = await client.post(f"/requests/{asked.id}/answer", data=form, headers=HTMX)
    assert response.status_code == 200, response.text
    assert response.text.strip().startswith("<article")
    return response.text


async def card(client: httpx.AsyncClient, asked: Decision) -> str:
    response = await client.get(f"/requests/{asked.id}", headers=HTMX)
    assert response.status_code == 200, response.text
    return response.text


async def stored(nod: InProcess, asked: Decision) -> Decision:
    found = await nod.nod.store.read(lambda tx: tx.chat.decision(asked.id))
    assert found is not None
    return found


async def told(nod: InProcess, ada: Credentials) -> list[tuple[str, str | None]]:
    """The answers that the agent was told."""
    found = await nod.nod.store.read(lambda tx: tx.events.feed(ada.agent.id, 0, 100))
    bodies = [msgspec.json.decode(each.event.body) for each in found]
    return [
        (each["status"], each["note"]) for each in bodies if each["type"] == "decision_resolved"
    ]


async def carried_out(nod: InProcess, clock: FakeClock, asked: Decision) -> Decision:
    """The request once its answer can be taken back no longer."""
    clock.advance(UNDO_S)

    async def closed() -> Decision | None:
        found = await stored(nod, asked)
        return found if found.status != "pending" else None

    found: Decision = await until(closed)
    return found


async def test_an_approval_is_answered_and_the_agent_hears_of_it_ten_seconds_later(
    nod: InProcess, ada: Credentials, ann: httpx.AsyncClient, clock: FakeClock
) -> None:
    asked = await ask(nod, ada, "Restart the database?", description="It has **3 %** left.")
    waiting = await card(ann, asked)
    assert "waits for you" in waiting
    assert "<strong>3 %</strong>" in waiting
    assert waiting.index(">Reject<") < waiting.index(">Approve<")
    held = await answer(ann, asked, status="approved", note="Go on")
    assert "Approved" in held
    assert "Go on" in held
    assert "Undo" in held
    assert "has not heard of it yet" in held
    clock.advance(UNDO_S - 1)
    assert await told(nod, ada) == []
    clock.advance(1 - UNDO_S)
    await carried_out(nod, clock, asked)
    assert await told(nod, ada) == [("approved", "Go on")]
    final = await card(ann, asked)
    assert "Undo" not in final
    assert "By you" in final


async def test_undo_brings_the_request_back_and_the_agent_hears_nothing(
    nod: InProcess, ada: Credentials, ann: httpx.AsyncClient, clock: FakeClock
) -> None:
    asked = await ask(nod, ada)
    await answer(ann, asked, status="rejected")
    assert "badge" not in (await ann.get("/requests/count", headers=HTMX)).text
    undone = await ann.post(f"/requests/{asked.id}/undo", headers=HTMX)
    assert undone.status_code == 200
    assert "waits for you" in undone.text
    assert '<span class="badge wait">1' in (await ann.get("/requests/count")).text
    clock.advance(2 * UNDO_S)
    assert (await stored(nod, asked)).status == "pending"
    assert await told(nod, ada) == []
    again = await ann.post(f"/requests/{asked.id}/undo", headers=HTMX)
    assert again.status_code == 409
    assert again.headers["HX-Retarget"] == "#toasts"


@pytest.mark.parametrize(
    ("form", "word", "pattern"),
    [
        ({"status": "rejected"}, "Denied", None),
        ({"status": "approved"}, "Allowed once", None),
        ({"always_allow_pattern": "git push *"}, "Always allowed", "git push *"),
    ],
)
async def test_a_permission_is_denied_allowed_once_or_always(
    nod: InProcess,
    ada: Credentials,
    ann: httpx.AsyncClient,
    clock: FakeClock,
    form: dict[str, str],
    word: str,
    pattern: str | None,
) -> None:
    always = [{"pattern": "git push *", "label": "pushing"}]
    asked = await ask(nod, ada, "git push", kind="permission", always_allow_options=always)
    waiting = await card(ann, asked)
    for each in ("Deny", "Allow once", "Always allow pushing", "git push *"):
        assert each in waiting
    assert word in await answer(ann, asked, **form)
    done = await carried_out(nod, clock, asked)
    assert (done.always_allow, done.always_allow_pattern) == (pattern is not None, pattern)
    assert word in await card(ann, asked)


async def test_the_very_same_permission_can_be_allowed_always_where_no_pattern_is_offered(
    nod: InProcess, ada: Credentials, ann: httpx.AsyncClient, clock: FakeClock
) -> None:
    asked = await ask(nod, ada, "rm", kind="permission", allows_always=True)
    assert "Always allow this very request" in await card(ann, asked)
    await answer(ann, asked, always_allow_pattern="")
    assert (await carried_out(nod, clock, asked)).always_allow
    repeated = await ask(nod, ada, "rm", kind="permission", allows_always=True)
    assert "By your standing permission" in await card(ann, repeated)


@pytest.mark.parametrize(
    ("form", "note"), [({"option": "Blue & red"}, "Blue & red"), ({"note": "Green"}, "Green")]
)
async def test_a_choice_takes_an_option_or_other_words(
    nod: InProcess,
    ada: Credentials,
    ann: httpx.AsyncClient,
    clock: FakeClock,
    form: dict[str, str],
    note: str,
) -> None:
    asked = await ask(nod, ada, kind="choice", options=["Blue & red", "Black"])
    waiting = await card(ann, asked)
    assert 'value="Blue &amp; red"' in waiting
    assert "Other…" in waiting
    assert "Chosen" in await answer(ann, asked, status="responded", **form)
    await carried_out(nod, clock, asked)
    assert await told(nod, ada) == [("responded", note)]


async def test_a_question_is_answered_in_words_and_not_with_none(
    nod: InProcess, ada: Credentials, ann: httpx.AsyncClient, clock: FakeClock
) -> None:
    asked = await ask(nod, ada, "Which branch?", kind="question")
    empty = await ann.post(
        f"/requests/{asked.id}/answer", data={"status": "responded", "note": ""}, headers=HTMX
    )
    assert empty.status_code == 400
    assert "<b>main</b>" not in await answer(ann, asked, status="responded", note="<b>main</b>")
    await carried_out(nod, clock, asked)
    assert await told(nod, ada) == [("responded", "<b>main</b>")]


async def test_a_proposal_says_when_it_fires_and_creating_it_makes_the_task(
    nod: InProcess, ada: Credentials, ann: httpx.AsyncClient, clock: FakeClock
) -> None:
    asked = await propose(nod, ada, "0 9 * * 1-5", timezone="Europe/Berlin")
    waiting = await card(ann, asked)
    assert "Every weekday at 09:00, Berlin time." in waiting
    assert re.findall(r'<li><time datetime="([^"]+)"', waiting) == [
        "2026-03-03T08:00:00Z",
        "2026-03-04T08:00:00Z",
        "2026-03-05T08:00:00Z",
    ]
    assert "Task created" in await answer(ann, asked, status="approved")
    assert await nod.nod.store.read(lambda tx: tx.tasks.of_agent(ada.agent.id)) == []
    await carried_out(nod, clock, asked)
    (task,) = await nod.nod.store.read(lambda tx: tx.tasks.of_agent(ada.agent.id))
    assert task.name == "Digest"


async def test_a_proposal_of_one_time_or_of_a_call_says_so(
    nod: InProcess, ada: Credentials, ann: httpx.AsyncClient
) -> None:
    once = await propose(nod, ada, "once", run_at="2026-03-03T14:30:00Z")
    assert "Once, tomorrow, 14:30." in await card(ann, once)
    called = await propose(nod, ada, "event")
    assert "Each time its trigger address is called." in await card(ann, called)


@pytest.mark.parametrize(
    ("status", "word", "runs"), [("approved", "Run after all", 1), ("rejected", "Let go", 0)]
)
async def test_a_run_that_came_too_late_is_let_go_or_made(
    nod: InProcess,
    ada: Credentials,
    ann: httpx.AsyncClient,
    clock: FakeClock,
    status: str,
    word: str,
    runs: int,
) -> None:
    asked = await still_wanted(nod, ada)
    waiting = await card(ann, asked)
    assert waiting.index("Let it go") < waiting.index("Run it now")
    assert word in await answer(ann, asked, status=status)
    await carried_out(nod, clock, asked)
    task_id = asked.task_id or ""
    assert len(await nod.nod.store.read(lambda tx: tx.runs.of_task(task_id, 10))) == runs


async def test_the_page_lists_what_waits_by_deadline_and_then_who_decided_what(
    nod: InProcess, ada: Credentials, ann: httpx.AsyncClient, clock: FakeClock
) -> None:
    empty = (await ann.get("/requests")).text
    assert "Nothing waits for you" in empty
    decided = await ask(nod, ada, "Decided before")
    await answer(ann, decided, status="rejected")
    await carried_out(nod, clock, decided)
    await ask(nod, ada, "Due later", expires_in_s=7200)
    await ask(nod, ada, "Due soon", expires_in_s=3600)
    page = (await ann.get("/requests")).text
    assert page.index("Due soon") < page.index("Due later") < page.index("Decided before")
    assert "Rejected" in page
    assert "By you" in page
    assert "1 h" in page
    assert 'style="' not in page
    assert "!</" not in page


async def test_what_nobody_answered_is_shown_as_expired_and_not_as_denied(
    nod: InProcess, ada: Credentials, ann: httpx.AsyncClient, clock: FakeClock
) -> None:
    asked = await ask(nod, ada, expires_in_s=3600)
    clock.advance(HOUR / 1000)

    async def expired() -> bool:
        return (await stored(nod, asked)).status == "expired"

    await until(expired)
    for text in (await card(ann, asked), (await ann.get("/requests")).text):
        assert "Expired" in text
        assert "Nobody answered" in text
        assert "Rejected" not in text
    late = await ann.post(f"/requests/{asked.id}/answer", data={"status": "approved"})
    assert late.status_code == 409


async def test_a_long_history_goes_on_behind_earlier(
    nod: InProcess, ada: Credentials, ann: httpx.AsyncClient, clock: FakeClock
) -> None:
    first = await ask(nod, ada, "The very first", expires_in_s=60)
    for number in range(50):
        clock.advance(0.001)
        await ask(nod, ada, f"No {number}", expires_in_s=60)
        clock.advance(61)

        async def none_open() -> bool:
            count, _ = await nod.nod.store.read(
                lambda tx: tx.chat.count_open_decisions(ada.agent.id)
            )
            return count == 0

        await until(none_open)
    page = (await ann.get("/requests")).text
    found = re.search(r'href="(/requests\?before=[^"]+)"', page)
    assert found is not None
    assert first.title not in page
    assert first.title in (await ann.get(found[1])).text


async def test_without_script_the_card_is_a_form_and_answering_leads_back_to_it(
    nod: InProcess, ada: Credentials, ann: httpx.AsyncClient
) -> None:
    asked = await ask(nod, ada)
    page = (await ann.get(f"/requests/{asked.id}")).text
    assert "<!doctype html>" in page
    assert f'method="post" action="/requests/{asked.id}/answer"' in page
    for what in ("answer", "undo"):
        done = await ann.post(f"/requests/{asked.id}/{what}", data={"status": "approved"})
        assert (done.status_code, done.headers["location"]) == (303, f"/requests/{asked.id}")
    assert "waits for you" in (await ann.get(f"/requests/{asked.id}")).text


async def test_a_second_answer_and_an_unknown_one_are_refused(
    nod: InProcess, ada: Credentials, ann: httpx.AsyncClient
) -> None:
    asked = await ask(nod, ada)
    odd = await ann.post(f"/requests/{asked.id}/answer", data={"status": "maybe"})
    assert odd.status_code == 400
    await answer(ann, asked, status="approved")
    second = await ann.post(f"/requests/{asked.id}/answer", data={"status": "rejected"})
    assert second.status_code == 409
    assert "Approved" in await card(ann, asked)


async def test_another_site_cannot_answer(
    nod: InProcess, ada: Credentials, ann: httpx.AsyncClient
) -> None:
    asked = await ask(nod, ada)
    refused = await ann.post(
        f"/requests/{asked.id}/answer",
        data={"status": "approved"},
        headers={"Sec-Fetch-Site": "cross-site"},
    )
    assert refused.status_code == 403
    assert (await stored(nod, asked)).held_until is None


async def test_another_person_sees_none_of_it(nod: InProcess, ada: Credentials) -> None:
    asked = await ask(nod, ada, "Secret plan")
    async with aclosing(await signed_in(nod, "eve@example.org")) as eve:
        assert "Secret plan" not in (await eve.get("/requests")).text
        assert (await eve.get(f"/requests/{asked.id}")).status_code == 404
        for what in ("answer", "undo"):
            tried = await eve.post(f"/requests/{asked.id}/{what}", data={"status": "approved"})
            assert tried.status_code == 404
    assert (await stored(nod, asked)).held_until is None


async def test_a_request_is_answered_on_a_server_of_its_own(tmp_path: Path) -> None:
    server = RunningServer(tmp_path).start()
    try:
        ada = await server.add_agent()
        keys = {"X-Nod-Agent-Id": ada.agent.id, "X-Nod-Secret": ada.secret}
        async with await signed_in(server) as ann:
            question = {"type": "decision", "title": "Go?"}
            asked = await ann.post("/api/agent/events", json=question, headers=keys)
            id_ = asked.json()["decision_id"]
            done = await ann.post(f"/requests/{id_}/answer", data={"status": "approved"})
            assert done.status_code == 303
            seen = await ann.get(f"/api/agent/decisions/{id_}", headers=keys)
            assert seen.json()["status"] == "pending"
            assert "Undo" in (await ann.get("/requests")).text
    finally:
        server.stop()
