"""The answers to what an agent has asked."""

import asyncio
from typing import Any

import httpx

from nod.actions.agents import Credentials
from nod.domain.decisions import Answer
from support.inprocess import InProcess


async def ask(http: httpx.AsyncClient, **fields: Any) -> str:
    body = {"type": "decision", "title": "May I?", **fields}
    return str((await http.post("/events", json=body)).json()["decision_id"])


async def test_a_decision_has_its_question_and_no_answer_yet(http: httpx.AsyncClient) -> None:
    decision_id = await ask(http, description="It costs **5 €**.")
    found = (await http.get(f"/decisions/{decision_id}")).json()
    assert found.pop("created_at").endswith("Z")
    assert found.pop("expires_at").endswith("Z")
    assert found.pop("conversation_id").startswith("conv_")
    assert found == {
        "id": decision_id,
        "kind": "approval",
        "title": "May I?",
        "description": "It costs **5 €**.",
        "options": [],
        "status": "pending",
        "note": None,
        "always_allow": False,
        "always_allow_pattern": None,
        "task_run_id": None,
        "task_id": None,
        "resolved_at": None,
    }


async def test_a_call_that_waits_is_answered_with_the_persons_answer(
    nod: InProcess, http: httpx.AsyncClient, ada: Credentials
) -> None:
    decision_id = await ask(http)
    path = f"/decisions/{decision_id}"
    waiting = asyncio.create_task(http.get(path, params={"wait_s": 60}))
    await nod.answer(ada, decision_id, Answer("approved", note="Go on."))
    found = (await waiting).json()
    assert (found["status"], found["note"]) == ("approved", "Go on.")
    assert found["resolved_at"].endswith("Z")
    # Answered already: nothing to wait for.
    assert (await http.get(path, params={"wait_s": 60})).json() == found


async def test_a_call_that_waits_in_vain_says_that_the_question_is_still_open(
    http: httpx.AsyncClient,
) -> None:
    path = f"/decisions/{await ask(http)}"
    assert (await http.get(path, params={"wait_s": 1})).json()["status"] == "pending"


async def test_the_option_chosen_is_the_note(
    nod: InProcess, http: httpx.AsyncClient, ada: Credentials
) -> None:
    decision_id = await ask(http, kind="choice", options=["tea", "coffee"])
    await nod.answer(ada, decision_id, Answer("responded", option="tea"))
    found = (await http.get(f"/decisions/{decision_id}")).json()
    assert (found["status"], found["note"], found["options"]) == (
        "responded",
        "tea",
        ["tea", "coffee"],
    )


async def test_the_answer_lets_the_run_go_on_and_comes_with_its_scratchpad(
    nod: InProcess, http: httpx.AsyncClient, ada: Credentials
) -> None:
    (run,) = await nod.fire(await nod.add_task(ada))
    await http.post(f"/tasks/runs/{run}/context", json={"run_id": run, "text": "half way"})
    decision_id = await ask(http, task_run_id=run)
    assert (await http.get(f"/tasks/runs/{run}")).json()["status"] == "waiting"
    await nod.answer(ada, decision_id, Answer("rejected", note="Not today."))
    assert (await http.get(f"/tasks/runs/{run}")).json()["status"] == "running"
    (event,) = (await http.get("/events")).json()
    (block,) = event.pop("context")
    assert (block["id"], block["text"]) == (1, "half way")
    assert (
        event.items()
        >= {
            "type": "decision_resolved",
            "decision_id": decision_id,
            "status": "rejected",
            "note": "Not today.",
            "task_run_id": run,
            "always_allow": False,
            "always_allow_pattern": None,
        }.items()
    )


async def test_what_is_always_allowed_is_one_of_the_patterns_offered(
    nod: InProcess, http: httpx.AsyncClient, ada: Credentials
) -> None:
    offered = [{"pattern": "git *", "label": "All of git"}, {"pattern": "git push"}]
    decision_id = await ask(http, kind="permission", always_allow_options=offered)
    answer = Answer("approved", always_allow=True, always_allow_pattern="git push")
    await nod.answer(ada, decision_id, answer)
    found = (await http.get(f"/decisions/{decision_id}")).json()
    assert (found["always_allow"], found["always_allow_pattern"]) == (True, "git push")
