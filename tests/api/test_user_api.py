"""What a person does over the API, from login to answering."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from nod.actions import accounts
from support.household import PNG, Household, furnish, open_household

PASSWORD = "correct horse"


async def log_in(house: Household, email: str, password: str = PASSWORD) -> httpx.Response:
    body = {"email": email, "password": password}
    return await house.without_token.post("/api/auth/login", json=body)


async def pages(client: httpx.AsyncClient, path: str, **query: Any) -> list[list[Any]]:
    """All pages of a list, followed by their Link headers."""
    answer = await client.get(path, params=query)
    found = [answer.json()]
    while "next" in answer.links:
        answer = await client.get(answer.links["next"]["url"])
        found.append(answer.json())
    return [each for each in found if each]


# logging in


async def test_a_login_gives_a_token_that_opens_the_api(house: Household) -> None:
    hashed = accounts.hash_password(PASSWORD, house.nod.limits)
    await house.nod.store.write(
        lambda tx: accounts.create_user(tx, "bob@example.org", hashed, "Bob", "Europe/Berlin")
    )
    answer = await log_in(house, "Bob@Example.org")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    given = answer.json()
    assert given["token_type"] == "bearer"
    assert given["expires_at"].endswith("Z")
    me = await house.without_token.get(
        "/api/me", headers={"Authorization": f"Bearer {given['token']}"}
    )
    assert me.json() == given["user"]
    assert (given["user"]["email"], given["user"]["timezone"]) == (
        "bob@example.org",
        "Europe/Berlin",
    )
    assert hashed not in answer.text


async def test_a_wrong_password_and_an_unknown_account_are_answered_alike(
    house: Household,
) -> None:
    wrong = await log_in(house, "ann@example.org")
    unknown = await log_in(house, "nobody@example.org")
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.json() == unknown.json()


async def test_too_many_guesses_are_answered_with_the_time_to_wait(tmp_path: Path) -> None:
    async with open_household(tmp_path, NOD_LIMIT_LOGIN_ATTEMPTS="1") as house:
        assert (await log_in(house, "ann@example.org")).status_code == 401
        answer = await log_in(house, "ann@example.org")
        assert answer.status_code == 429
        assert 0 < int(answer.headers["retry-after"]) <= 900


# agents


async def test_an_agent_is_made_shown_changed_and_removed(house: Household) -> None:
    ann = house.ann.http
    answer = await ann.post("/api/agents", json={"name": "Bot", "timezone": "Asia/Tokyo"})
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    made = answer.json()
    assert made["agent_id"] == made["id"]
    assert made["webhook_secret"].startswith("whsec_")
    headers = {"X-Nod-Agent-Id": made["id"], "X-Nod-Secret": made["secret"]}
    assert (await house.without_token.get("/api/agent/tasks", headers=headers)).json() == []

    path = f"/api/agents/{made['id']}"
    shown = (await ann.get(path)).json()
    assert made["secret"] not in str(shown)
    assert (shown["timezone"], shown["connected"], shown["thinking"]) == (
        "Asia/Tokyo",
        False,
        False,
    )
    changed = await ann.patch(path, json={"name": "Bob", "timezone": None})
    assert (changed.json()["name"], changed.json()["timezone"]) == ("Bob", None)
    assert len((await ann.get("/api/agents")).json()) == 2

    assert (await ann.delete(path)).status_code == 204
    assert (await ann.get(path)).status_code == 404
    gone = await house.without_token.get("/api/agent/tasks", headers=headers)
    assert gone.status_code == 401


async def test_a_rotated_secret_works_beside_the_old_one(house: Household) -> None:
    old = house.as_agent(house.ann)
    path = f"/api/agents/{house.ann.agent.id}"
    answer = await house.ann.http.post(f"{path}/rotate-secret")
    assert answer.headers["cache-control"] == "no-store"
    new = {**old, "X-Nod-Secret": answer.json()["secret"]}
    for headers in (old, new, new):
        answer = await house.without_token.get("/api/agent/tasks", headers=headers)
        assert answer.status_code == 200
    assert (await house.ann.http.get(path)).json()["old_secret_until"] is not None
    agent = await house.nod.store.read(lambda tx: tx.people.agent(house.ann.agent.id))
    assert agent is not None
    assert not agent.old_secret_in_use


async def test_an_agents_webhook_may_get_cloud_events(house: Household) -> None:
    path = f"/api/agents/{house.ann.agent.id}"
    assert (await house.ann.http.get(path)).json()["webhook_format"] == "nod"
    changed = await house.ann.http.patch(path, json={"webhook_format": "cloudevents"})
    assert changed.json()["webhook_format"] == "cloudevents"
    assert (await house.ann.http.patch(path, json={"webhook_format": "x"})).status_code == 400


async def test_an_agent_without_its_headers_is_told_which_ones(house: Household) -> None:
    answer = await house.without_token.get("/api/agent/tasks")
    assert answer.status_code == 401
    assert "X-Nod-Agent-Id" in answer.json()["detail"]
    wrong = {**house.as_agent(house.ann), "X-Nod-Secret": "nod_0"}
    assert (await house.without_token.get("/api/agent/tasks", headers=wrong)).status_code == 401


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({}, "name"),
        ({"name": 5}, "name must be text"),
        ({"name": "x", "kind": "robot"}, "kind must be"),
        ({"name": "x", "webhook_url": "http://10.0.0.1/"}, "NOD_ALLOW_WEBHOOK_NETS"),
    ],
)
async def test_a_field_that_cannot_be_says_so(
    house: Household, body: dict[str, Any], says: str
) -> None:
    answer = await house.ann.http.post("/api/agents", json=body)
    assert answer.status_code == 400
    assert says in answer.json()["detail"]


# chat


async def test_a_person_and_an_agent_talk(house: Household) -> None:
    ann = house.ann.http
    (conversation,) = (await ann.get("/api/conversations")).json()
    assert conversation["agent_id"] == house.ann.agent.id
    path = f"/api/conversations/{conversation['id']}/messages"
    sent = await ann.post(path, json={"text": "Good morning."})
    assert sent.status_code == 201
    said = await house.without_token.post(
        "/api/agent/events",
        json={"type": "message", "text": "Good morning, Ann."},
        headers=house.as_agent(house.ann),
    )
    shown = (await ann.get(path)).json()
    assert [(each["author"], each["text"]) for each in shown] == [
        ("agent", "Good morning, Ann."),
        ("user", "Good morning."),
    ]
    assert shown[0]["id"] == said.json()["message_id"]
    feed = await house.without_token.get("/api/agent/events", headers=house.as_agent(house.ann))
    (event,) = feed.json()
    assert (event["type"], event["message_id"]) == ("user_message", sent.json()["id"])


async def test_messages_come_in_pages(house: Household) -> None:
    ann = house.ann.http
    (conversation,) = (await ann.get("/api/conversations")).json()
    path = f"/api/conversations/{conversation['id']}/messages"
    for text in "abc":
        await ann.post(path, json={"text": text})
    found = await pages(ann, path, limit=2)
    assert [[each["text"] for each in page] for page in found] == [["c", "b"], ["a"]]


@pytest.mark.parametrize(
    ("query", "says"),
    [({"limit": 0}, "between 1"), ({"limit": 101}, "100"), ({"cursor": "x"}, "Link")],
)
async def test_a_page_that_cannot_be_says_why(
    house: Household, query: dict[str, Any], says: str
) -> None:
    answer = await house.ann.http.get("/api/activity", params=query)
    assert answer.status_code == 400
    assert says in answer.json()["detail"]


async def test_a_picture_is_served_as_what_it_is_and_may_do_nothing(house: Household) -> None:
    ids = await furnish(house.nod, house.ann)
    path = f"/api/images/{ids['image_id']}"
    headers = house.as_agent(house.ann)
    for answer in (
        await house.ann.http.get(path),
        await house.without_token.get(path, headers=headers),
    ):
        assert (answer.status_code, answer.content) == (200, PNG)
        assert answer.headers["content-type"] == "image/png"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in answer.headers["content-security-policy"]
    spy = house.as_agent(house.eve)
    assert (await house.without_token.get(path, headers=spy)).status_code == 404


async def test_a_picture_may_be_larger_than_other_bodies(house: Household) -> None:
    ann = house.ann.http
    (conversation,) = (await ann.get("/api/conversations")).json()
    large = "x" * (house.nod.limits.body_bytes + 1)
    path = f"/api/conversations/{conversation['id']}/messages"
    assert (await ann.post(path, json={"image_base64": large})).status_code == 400
    assert (await ann.post("/api/agents", json={"name": large})).status_code == 413


# decisions


async def test_a_decision_is_answered_once_and_the_agent_reads_the_answer(
    house: Household,
) -> None:
    ids = await furnish(house.nod, house.ann)
    ann = house.ann.http
    (waiting,) = (await ann.get("/api/decisions", params={"status": "pending"})).json()
    assert (waiting["id"], waiting["title"]) == (ids["decision_id"], "May I?")
    path = f"/api/decisions/{waiting['id']}"
    answer = await ann.post(f"{path}/resolve", json={"status": "approved", "note": "Yes"})
    assert (answer.status_code, answer.json()["status"]) == (200, "approved")
    second = await ann.post(f"{path}/resolve", json={"status": "rejected"})
    assert second.status_code == 409
    assert (await ann.get("/api/decisions", params={"status": "pending"})).json() == []
    assert (await ann.get(path)).json()["resolved_by"] == "ann@example.org"
    seen = await house.without_token.get(
        f"/api/agent/decisions/{waiting['id']}", headers=house.as_agent(house.ann)
    )
    assert (seen.json()["status"], seen.json()["note"]) == ("approved", "Yes")


@pytest.mark.parametrize("body", [{"status": "maybe"}, {"status": "expired"}, {}])
async def test_what_is_no_answer_is_refused(house: Household, body: dict[str, str]) -> None:
    ids = await furnish(house.nod, house.ann)
    answer = await house.ann.http.post(f"/api/decisions/{ids['decision_id']}/resolve", json=body)
    assert answer.status_code == 400
    assert "status" in answer.json()["detail"]


async def test_decisions_come_in_pages(house: Household) -> None:
    headers = house.as_agent(house.ann)
    for title in "abc":
        await house.without_token.post(
            "/api/agent/events", json={"type": "decision", "title": title}, headers=headers
        )
    found = await pages(house.ann.http, "/api/decisions", status="pending", limit=2)
    assert sorted(each["title"] for page in found for each in page) == ["a", "b", "c"]


# tasks, runs, deliveries


async def test_a_person_runs_an_agents_tasks(house: Household) -> None:
    ann = house.ann.http
    path = f"/api/tasks/{house.ann.agent.id}"
    wanted = {"name": "Digest", "prompt": "Sum up.", "schedule": "0 9 * * *"}
    made = await ann.post(path, json=wanted)
    assert made.status_code == 201
    task = f"{path}/{made.json()['id']}"
    assert made.json()["created_by"] == "user"
    assert (await ann.patch(task, json={"schedule": "0 10 * * *"})).json()["schedule"] == (
        "0 10 * * *"
    )
    paused = (await ann.post(f"{task}/pause", json={"reason": "holiday"})).json()
    assert (paused["enabled"], paused["pause_reason"]) == (False, "holiday")
    assert (await ann.post(f"{task}/resume")).json()["enabled"]

    run = (await ann.post(f"{task}/run")).json()
    await ann.post(f"{task}/run")
    found = await pages(ann, f"{task}/runs", limit=1)
    assert len(found) == 2
    assert run["id"] in [each["id"] for page in found for each in page]
    assert "why" in (await ann.get(f"{task}/why", params={"at": run["scheduled_for"]})).json()

    assert (await ann.delete(task)).status_code == 204
    assert (await ann.get(path)).json() == []
    assert (await ann.get(f"/api/runs/{run['id']}")).json()["status"] == "cancelled"


async def test_everything_about_a_run_can_be_looked_at(house: Household) -> None:
    ids = await furnish(house.nod, house.ann)
    ann = house.ann.http
    run = f"/api/runs/{ids['run_id']}"
    shown = (await ann.get(run)).json()
    assert (shown["summary"], shown["status"]) == ("# All of it", "running")
    assert (await ann.get(f"{run}/output")).json()["text"] == "# All of it"
    payload = (await ann.get(f"{run}/payload")).json()
    assert (payload["payload"], payload["trigger"]) == ({"ref": "main"}, {"source": "github"})
    await house.without_token.post(
        f"/api/agent/tasks/runs/{ids['run_id']}/context",
        json={"run_id": ids["run_id"], "text": "half done"},
        headers=house.as_agent(house.ann),
    )
    blocks = (await ann.get(f"{run}/context")).json()["blocks"]
    assert [(each["id"], each["text"]) for each in blocks] == [(1, "half done")]
    (attempt,) = (await ann.get(f"{run}/attempts")).json()
    assert (attempt["id"], attempt["outcome"]) == (ids["delivery_id"], "http_error")
    assert (await ann.post(f"{run}/cancel")).json()["status"] == "cancelled"
    assert (await ann.post(f"{run}/cancel")).status_code == 409


async def test_a_run_that_no_call_started_has_no_payload(house: Household) -> None:
    ids = await furnish(house.nod, house.ann)
    run = (await house.ann.http.post(f"/api/tasks/{ids['agent_id']}/{ids['task_id']}/run")).json()
    answer = await house.ann.http.get(f"/api/runs/{run['id']}/payload")
    assert answer.status_code == 404
    assert "not started by a call" in answer.json()["detail"]


async def test_deliveries_are_listed_shown_and_sent_again(house: Household) -> None:
    ids = await furnish(house.nod, house.ann)
    ann = house.ann.http
    query = {"agent_id": ids["agent_id"], "channel": "webhook"}
    ((listed,),) = await pages(ann, "/api/deliveries", **query, limit=1)
    assert (await ann.get(f"/api/deliveries/{ids['delivery_id']}")).json() == listed
    (conversation,) = (await ann.get("/api/conversations")).json()
    replayed = await ann.post(f"/api/deliveries/{ids['delivery_id']}/replay")
    assert replayed.json() == {"status": "ok", "event_id": ids["event_id"]}
    assert conversation["agent_id"] == ids["agent_id"]


async def test_activity_comes_newest_first(house: Household) -> None:
    await furnish(house.nod, house.ann)
    found = await pages(house.ann.http, "/api/activity", limit=1)
    assert [page[0]["kind"] for page in found] == ["alert", "decision_opened", "task_created"]


async def test_the_openapi_document_names_every_call(house: Household) -> None:
    answer = await house.without_token.get("/api/docs/openapi.json")
    document = answer.json()
    assert "/api/decisions/{decision_id}/resolve" in document["paths"]
    assert "DecisionView" in str(document["components"])
