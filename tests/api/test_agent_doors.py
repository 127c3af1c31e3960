"""Who may call what of the agent API: the same rules on every route there is."""

from typing import Any

import httpx

from nod.actions import agents
from nod.actions.agents import Credentials
from nod.engine.outbox import make_event, put
from nod.store.store import Tx
from support.agent_routes import agent_routes
from support.inprocess import InProcess

ROUTES = agent_routes()
WITH_ID = [route for route in ROUTES if route.has_id]
# What an agent that may only ask can still call.
OPEN_TO_ALL = {
    "GET /api/agent/schedule/preview",
    "GET /api/agent/events",
    "POST /api/agent/events/{event_id}/ack",
    "GET /api/agent/decisions/{decision_id}",
}
NOTHING = dict.fromkeys(["task_id", "run_id", "event_id", "decision_id"], "nothing_here")
METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE"}


def detail(answer: httpx.Response) -> str:
    """The sentence of an error, which is all that its body has."""
    body: dict[str, Any] = answer.json()
    assert list(body) == ["detail"], body
    assert isinstance(body["detail"], str)
    assert len(body["detail"]) > 10, body
    return str(body["detail"])


async def ids_of(nod: InProcess, who: Credentials) -> dict[str, str]:
    """One of everything that an id can name, of this agent."""
    task = await nod.add_task(who, "event")
    (run,) = await nod.fire(task)
    async with nod.http(who) as http:
        asked = await http.post("/events", json={"type": "decision", "title": "May I?"})
    event = await nod.event(run)
    return {
        "task_id": task.id,
        "run_id": run,
        "event_id": event.id,
        "decision_id": asked.json()["decision_id"],
    }


def test_the_agent_api_has_the_routes_of_the_contract() -> None:
    assert {str(route).replace("/api/agent", "") for route in ROUTES} == {
        "GET /tasks",
        "POST /tasks",
        "GET /tasks/due",
        "GET /tasks/triggers/pending",
        "GET /tasks/{task_id}",
        "PATCH /tasks/{task_id}",
        "DELETE /tasks/{task_id}",
        "GET /tasks/{task_id}/usage",
        "GET /usage",
        "POST /tasks/{task_id}/pause",
        "POST /tasks/{task_id}/resume",
        "POST /tasks/{task_id}/rotate-trigger",
        "GET /tasks/{task_id}/runs",
        "GET /tasks/{task_id}/why",
        "POST /tasks/{task_id}/run/start",
        "GET /tasks/runs/{run_id}",
        "POST /tasks/runs/{run_id}/complete",
        "PUT /tasks/runs/{run_id}/output",
        "POST /tasks/runs/{run_id}/context",
        "GET /tasks/runs/{run_id}/context",
        "GET /events",
        "POST /events",
        "POST /events/{event_id}/ack",
        "GET /decisions/{decision_id}",
        "GET /schedule/preview",
    }


async def test_every_route_wants_the_agents_id_and_secret(nod: InProcess, ada: Credentials) -> None:
    bob = await nod.add_agent("Bob")
    ids = await ids_of(nod, ada)
    wrong: list[dict[str, str]] = [
        {},
        {"X-Nod-Agent-Id": ada.agent.id},
        {"X-Nod-Secret": ada.secret},
        {"X-Nod-Agent-Id": "", "X-Nod-Secret": ""},
        {"X-Nod-Agent-Id": ada.agent.id, "X-Nod-Secret": bob.secret},
        {"X-Nod-Agent-Id": ada.agent.id, "X-Nod-Secret": ada.secret + "0"},
        {"X-Nod-Agent-Id": "agt_0000000000000000", "X-Nod-Secret": ada.secret},
        {"Authorization": f"Bearer {ada.secret}"},
    ]
    async with httpx.AsyncClient(base_url=nod.url) as stranger:
        for route in ROUTES:
            for headers in wrong:
                answer = await stranger.request(**route.request(ids), headers=headers)
                assert answer.status_code == 401, (str(route), headers, answer.text)
                assert ada.secret not in detail(answer)


async def test_credentials_are_checked_before_the_body_is_read(nod: InProcess) -> None:
    async with httpx.AsyncClient(base_url=nod.url) as stranger:
        for route in ROUTES:
            request = route.request(
                dict.fromkeys(["task_id", "run_id", "event_id"], "x") | {"decision_id": "x"}
            )
            answer = await stranger.request(route.method, request["url"], content=b"\xff")
            assert answer.status_code == 401, str(route)


async def test_what_belongs_to_another_agent_is_not_there(nod: InProcess, ada: Credentials) -> None:
    bob = await nod.add_agent("Bob")
    theirs = await ids_of(nod, bob)
    before = await nod.run(theirs["run_id"])
    headers = {"X-Nod-Agent-Id": ada.agent.id, "X-Nod-Secret": ada.secret}
    async with httpx.AsyncClient(base_url=nod.url, headers=headers) as client:
        for route in WITH_ID:
            answer = await client.request(**route.request(theirs))
            unknown = await client.request(**route.request(NOTHING))
            found = (answer.status_code, unknown.status_code)
            assert found == (404, 404), (str(route), answer.text, unknown.text)
            # Nothing tells somebody else's from what does not exist.
            told = detail(answer)
            for id_ in theirs.values():
                told = told.replace(id_, "nothing_here")
            assert told == detail(unknown)
            assert await nod.run(theirs["run_id"]) == before, str(route)
    async with nod.http(bob) as client:
        kept = (await client.get(f"/tasks/{theirs['task_id']}")).json()
        assert (kept["name"], kept["enabled"]) == ("Report", True)


async def test_an_agent_that_may_only_ask_has_no_tasks_and_sends_no_messages(
    nod: InProcess,
) -> None:
    asker = await nod.add_agent("Asker", kind="approval_only")
    headers = {"X-Nod-Agent-Id": asker.agent.id, "X-Nod-Secret": asker.secret}
    async with httpx.AsyncClient(base_url=nod.url, headers=headers) as client:
        for route in ROUTES:
            answer = await client.request(**route.request(NOTHING))
            expected = (200, 404) if str(route) in OPEN_TO_ALL else (403,)
            assert answer.status_code in expected, (str(route), answer.text)
        say = "/api/agent/events"
        for kind in ("message", "task_proposal"):
            body = {"type": kind, "text": "t", "title": "t", "task_name": "n", "task_prompt": "p"}
            body["task_schedule"] = "event"
            answer = await client.post(say, json=body)
            assert answer.status_code == 403, answer.text
            assert "approval_only" in detail(answer)
        for body in (
            {"type": "decision", "title": "May I?"},
            {"type": "alert", "title": "Look"},
            {"type": "processing_start"},
            {"type": "processing_stop"},
        ):
            assert (await client.post(say, json=body)).json()["status"] == "ok"


async def test_a_wrong_method_is_told_which_are_right(nod: InProcess, ada: Credentials) -> None:
    ids = await ids_of(nod, ada)
    headers = {"X-Nod-Agent-Id": ada.agent.id, "X-Nod-Secret": ada.secret}
    paths = sorted({route.path for route in ROUTES})
    async with httpx.AsyncClient(base_url=nod.url, headers=headers) as client:
        for path in paths:
            right = {route.method for route in ROUTES if route.path == path}
            for method in METHODS - right:
                answer = await client.request(method, path.format(**ids))
                assert answer.status_code == 405, (method, path, answer.text)
                allowed = set(answer.headers["allow"].split(", "))
                assert allowed - {"OPTIONS"} == right, (method, path)
                assert all(name in detail(answer) for name in right)


async def test_both_secrets_work_for_a_day_after_a_rotation(
    nod: InProcess, ada: Credentials
) -> None:
    async def rotate(tx: Tx) -> Credentials:
        return await agents.rotate_secret(tx, nod.nod.vault, ada.agent)

    fresh = await nod.nod.store.write(rotate)
    for each in (ada, fresh):
        async with nod.http(each) as client:
            assert (await client.get("/tasks")).status_code == 200


async def test_an_event_of_another_agent_is_no_place_to_read_on_from(
    nod: InProcess, http: httpx.AsyncClient
) -> None:
    bob = await nod.add_agent("Bob")
    event = make_event(nod.nod.clock.now(), bob.agent.id, "user_message", {"text": "secret"})
    await nod.nod.store.write(lambda tx: put(tx, event))
    answer = await http.get("/events", params={"after": event.id})
    assert answer.status_code == 400
    assert "secret" not in answer.text
