"""Tasks over the agent API: making, changing, pausing, looking at what became of them."""

import re
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from nod.actions.agents import Credentials
from nod.engine.trigger import Call, accept_call
from support.inprocess import InProcess, running

CRON = {"name": "Report", "prompt": "Say how it is.", "schedule": "0 9 * * 1-5"}
EVENT = {**CRON, "schedule": "event"}
ONCE = {**CRON, "schedule": "once", "run_at": "2199-01-01T10:00:00+01:00"}


async def make(http: httpx.AsyncClient, **fields: Any) -> dict[str, Any]:
    answer = await http.post("/tasks", json={**CRON, **fields})
    assert answer.status_code == 200, answer.text
    made: dict[str, Any] = answer.json()
    return made


# making


async def test_a_task_has_every_default_of_the_contract(
    http: httpx.AsyncClient, ada: Credentials
) -> None:
    made = await make(http)
    expected = {
        **CRON,
        "agent_id": ada.agent.id,
        "trigger_type": "scheduled",
        "last_run_status": None,
        "enabled": True,
        "description": "",
        "timezone": "UTC",
        "run_at": None,
        "starts_at": None,
        "ends_at": None,
        "overlap": "skip",
        "catch_up": "latest",
        "catch_up_window_s": None,
        "useful_until": None,
        "timeout_s": 3600,
        "max_attempts": 1,
        "idempotent": False,
        "pause_after_failures": 10,
        "pause_reason": None,
        "failures": 0,
        "spread_s": 0,
        "verify": "none",
        "created_by": "agent",
        "notify": "always",
        "budget": None,
        "budget_by": None,
        "quarantine": False,
    }
    assert {name: made[name] for name in expected} == expected
    assert made["next_run_at"].endswith("T09:00:00Z")
    assert set(made) - set(expected) == {"id", "next_run_at", "created_at", "updated_at"}


async def test_an_event_task_queues_its_calls_and_has_a_trigger_of_256_bits(
    http: httpx.AsyncClient,
) -> None:
    made = await make(http, schedule="event")
    assert (made["trigger_type"], made["overlap"]) == ("event", "queue")
    assert re.fullmatch("[0-9a-f]{64}", made["trigger_id"])
    assert made["next_run_at"] is None


async def test_a_one_time_task_fires_at_its_time_in_utc(http: httpx.AsyncClient) -> None:
    made = (await http.post("/tasks", json=ONCE)).json()
    assert made["trigger_type"] == "once"
    assert made["run_at"] == made["next_run_at"] == "2199-01-01T09:00:00Z"


async def test_a_task_without_a_zone_has_its_agents(nod: InProcess) -> None:
    bert = await nod.add_agent("Bert", timezone="Europe/Berlin")
    async with nod.http(bert) as http:
        assert (await make(http))["timezone"] == "Europe/Berlin"
        assert (await make(http, timezone="Asia/Tokyo"))["timezone"] == "Asia/Tokyo"


async def test_a_secret_for_verification_is_taken_and_never_shown(http: httpx.AsyncClient) -> None:
    answer = await http.post(
        "/tasks", json={**EVENT, "verify": "github", "verify_secret": "hush-hush"}
    )
    assert answer.json()["verify"] == "github"
    listed = await http.get("/tasks")
    assert "hush" not in answer.text + listed.text


async def test_the_secret_of_one_service_is_never_taken_for_anothers(
    nod: InProcess, http: httpx.AsyncClient
) -> None:
    made = await make(http, schedule="event", verify="github", verify_secret="hush-hush")
    path = f"/tasks/{made['id']}"

    async def kept() -> str | None:
        task = await nod.nod.store.read(lambda tx: tx.tasks.get(made["id"]))
        assert task is not None
        sealed = task.verify_secret
        return None if sealed is None else nod.nod.vault.open(sealed).decode()

    refused = await http.patch(path, json={"verify": "gitlab"})
    assert (refused.status_code, "verify_secret is missing" in refused.text) == (400, True)
    await http.patch(path, json={"verify": "github", "name": "Other"})
    assert await kept() == "hush-hush"
    await http.patch(path, json={"verify": "gitlab", "verify_secret": "of gitlab"})
    assert await kept() == "of gitlab"
    await http.patch(path, json={"verify": "none"})
    assert await kept() is None


async def test_the_list_has_all_tasks_of_the_agent_and_no_others(
    nod: InProcess, http: httpx.AsyncClient
) -> None:
    assert (await http.get("/tasks")).json() == []
    made = [await make(http, name=name) for name in ("one", "two", "three")]
    await nod.add_task(await nod.add_agent("Bob"))
    listed = (await http.get("/tasks")).json()
    assert listed == made
    assert (await http.get(f"/tasks/{made[1]['id']}")).json() == made[1]


async def test_an_agent_makes_so_many_tasks_an_hour_and_is_told_when_it_may_go_on(
    tmp_path: Path,
) -> None:
    async with (
        running(tmp_path, tasks_per_agent_hour=2) as nod,
        nod.http(await nod.add_agent()) as http,
    ):
        await make(http)
        removed = await make(http)
        await http.delete(f"/tasks/{removed['id']}")
        answer = await http.post("/tasks", json=CRON)
        assert answer.status_code == 429
        assert 3590 <= int(answer.headers["retry-after"]) <= 3600
        assert "2 tasks an hour" in answer.json()["detail"]


async def test_an_agent_has_so_many_tasks_and_a_person_is_not_limited(tmp_path: Path) -> None:
    async with running(tmp_path, tasks_per_agent=2) as nod:
        who = await nod.add_agent()
        async with nod.http(who) as http:
            await make(http)
            second = await make(http)
            answer = await http.post("/tasks", json=CRON)
            assert answer.status_code == 409
            await nod.add_task(who)
            await http.delete(f"/tasks/{second['id']}")
            await make(http)


async def test_during_a_run_that_came_from_outside_an_agent_may_only_propose(
    nod: InProcess, http: httpx.AsyncClient, ada: Credentials
) -> None:
    task = await nod.add_task(ada, "event")
    call = Call('{"do":"what I say"}', "{}", None)
    made = await nod.nod.store.write(lambda tx: accept_call(tx, task, call))
    await http.get(f"/tasks/runs/{made.run_id}/context")
    refused = await http.post("/tasks", json=CRON)
    assert refused.status_code == 403
    assert "propose" in refused.json()["detail"]
    proposal = {"type": "task_proposal", "title": "Shall I?", "task_name": "n"}
    proposed = await http.post(
        "/events", json={**proposal, "task_prompt": "p", "task_schedule": "0 9 * * *"}
    )
    assert proposed.status_code == 200
    await http.post(f"/tasks/runs/{made.run_id}/complete", json={"status": "completed"})
    await make(http)


# changing


async def test_a_change_touches_what_is_given_and_nothing_else(http: httpx.AsyncClient) -> None:
    made = await make(http, description="all of it", timeout_s=60)
    changed = await http.patch(f"/tasks/{made['id']}", json={"name": "New", "timeout_s": 120})
    differ = {name for name, value in changed.json().items() if made[name] != value}
    assert {"name", "timeout_s"} <= differ <= {"name", "timeout_s", "updated_at"}
    assert (await http.get(f"/tasks/{made['id']}")).json() == changed.json()


async def test_a_change_of_the_schedule_computes_the_next_fire_anew(
    http: httpx.AsyncClient,
) -> None:
    made = await make(http)
    path = f"/tasks/{made['id']}"
    changed = (await http.patch(path, json={"schedule": "30 10 * * *"})).json()
    assert changed["next_run_at"].endswith("T10:30:00Z")
    moved = (await http.patch(path, json={"timezone": "Asia/Tokyo"})).json()
    assert moved["next_run_at"].endswith("T01:30:00Z")
    event = (await http.patch(path, json={"schedule": "event"})).json()
    assert event["next_run_at"] is None
    assert event["trigger_type"] == "event"
    assert len(event["trigger_id"]) == 64
    back = (await http.patch(path, json={"schedule": "0 9 * * *"})).json()
    assert "trigger_id" not in back


async def test_a_change_that_is_refused_changes_nothing(http: httpx.AsyncClient) -> None:
    made = await make(http)
    path = f"/tasks/{made['id']}"
    for wrong in ({"name": "New", "schedule": "61 * * * *"}, {"name": " "}, {"run_at": "now"}):
        assert (await http.patch(path, json=wrong)).status_code == 400
        assert (await http.get(path)).json() == made


async def test_a_removed_task_is_gone_and_its_runs_are_cancelled(
    nod: InProcess, http: httpx.AsyncClient, ada: Credentials
) -> None:
    task = await nod.add_task(ada)
    (run,) = await nod.fire(task)
    answer = await http.delete(f"/tasks/{task.id}")
    assert (answer.status_code, answer.content) == (204, b"")
    for method in ("GET", "DELETE"):
        assert (await http.request(method, f"/tasks/{task.id}")).status_code == 404
    assert (await http.post(f"/tasks/{task.id}/run/start")).status_code == 404
    assert (await http.get("/tasks")).json() == (await http.get("/tasks/due")).json() == []
    kept = (await http.get(f"/tasks/runs/{run}")).json()
    assert (kept["status"], kept["reason"]) == ("cancelled", "its task was removed")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", None),
        (b"null", None),
        (b"{}", None),
        (b'{"reason":null}', None),
        (b'{"reason":"on holiday"}', "on holiday"),
    ],
)
async def test_a_paused_task_says_why_and_has_no_next_fire_until_it_is_resumed(
    http: httpx.AsyncClient, body: bytes, reason: str | None
) -> None:
    made = await make(http)
    path = f"/tasks/{made['id']}"
    paused = (await http.post(f"{path}/pause", content=body)).json()
    assert (paused["enabled"], paused["next_run_at"], paused["pause_reason"]) == (
        False,
        None,
        reason,
    )
    resumed = (await http.post(f"{path}/resume")).json()
    assert (resumed["enabled"], resumed["pause_reason"]) == (True, None)
    assert resumed["next_run_at"] == made["next_run_at"]


async def test_a_new_trigger_replaces_the_old_one_and_only_event_tasks_have_one(
    http: httpx.AsyncClient,
) -> None:
    made = await make(http, schedule="event")
    rotated = (await http.post(f"/tasks/{made['id']}/rotate-trigger")).json()
    assert re.fullmatch("[0-9a-f]{64}", rotated["trigger_id"])
    assert rotated["trigger_id"] != made["trigger_id"]
    other = await make(http)
    assert (await http.post(f"/tasks/{other['id']}/rotate-trigger")).status_code == 409


# what became of it


async def test_a_task_is_due_until_its_run_is_taken_up(
    nod: InProcess, http: httpx.AsyncClient, ada: Credentials
) -> None:
    task = await nod.add_task(ada)
    assert (await http.get("/tasks/due")).json() == []
    (run,) = await nod.fire(task)
    for _ in range(2):  # reading changes nothing
        assert (await http.get("/tasks/due")).json() == [
            {
                "id": task.id,
                "name": task.name,
                "prompt": task.prompt,
                "schedule": task.schedule,
                "trigger_type": "scheduled",
                "enabled": True,
            }
        ]
    assert (await http.post(f"/tasks/{task.id}/run/start")).json() == {"run_id": run}
    assert (await http.get("/tasks/due")).json() == []


async def test_the_runs_of_a_task_come_in_pages_the_newest_first(
    nod: InProcess, http: httpx.AsyncClient, ada: Credentials
) -> None:
    task = await nod.add_task(ada)
    made = await nod.fire(task, 7)
    listed = await http.get(f"/tasks/{task.id}/runs")
    assert {run["id"] for run in listed.json()} == set(made)
    assert "link" not in listed.headers
    found, sizes = [], []
    answer = await http.get(f"/tasks/{task.id}/runs", params={"limit": 3})
    while True:
        found += [run["id"] for run in answer.json()]
        sizes.append(len(answer.json()))
        if "next" not in answer.links:
            break
        link = answer.links["next"]["url"]
        assert link.startswith(f"/api/agent/tasks/{task.id}/runs?limit=3&cursor=")
        answer = await http.get(f"{nod.url}{link}")
    assert found == [run["id"] for run in listed.json()]
    assert sizes == [3, 3, 1]


async def test_a_page_that_ends_with_the_last_run_is_followed_by_an_empty_one_at_most(
    nod: InProcess, http: httpx.AsyncClient, ada: Credentials
) -> None:
    task = await nod.add_task(ada)
    await nod.fire(task, 2)
    answer = await http.get(f"/tasks/{task.id}/runs", params={"limit": 2})
    if "next" in answer.links:
        after = await http.get(f"{nod.url}{answer.links['next']['url']}")
        assert after.json() == []
        assert "link" not in after.headers


async def test_the_last_result_stands_at_the_task(
    nod: InProcess, http: httpx.AsyncClient, ada: Credentials
) -> None:
    task = await nod.add_task(ada)
    for status in ("failed", "completed"):
        (run,) = await nod.fire(task)
        await http.post(f"/tasks/runs/{run}/complete", json={"status": status})
        assert (await http.get(f"/tasks/{task.id}")).json()["last_run_status"] == status


async def test_a_task_says_why_nothing_happened_and_what_did(
    nod: InProcess, http: httpx.AsyncClient, ada: Credentials
) -> None:
    task = await nod.add_task(ada, "0 9 * * *")
    path = f"/tasks/{task.id}/why"
    before = (await http.get(path, params={"at": "2020-01-01T09:00:00Z"})).json()
    assert before["run"] is None
    assert "did not exist" in before["why"]
    (run,) = await nod.fire(task)
    at = (await http.get(f"/tasks/runs/{run}")).json()["scheduled_for"]
    waits = (await http.get(path, params={"at": at})).json()
    assert waits["run"]["id"] == run
    assert "waits for the agent" in waits["why"]
    await http.post(f"/tasks/runs/{run}/complete", json={"status": "completed"})
    clock = datetime.fromisoformat(at).strftime("%H:%M")
    done = (await http.get(path, params={"at": clock})).json()
    assert done["run"]["id"] == run
    assert "completed" in done["why"]


async def test_a_time_that_cannot_be_read_is_refused(
    http: httpx.AsyncClient,
) -> None:
    made = await make(http)
    for at in ("", "nine", "25:00", "2026-01-01", "2026-01-01T09:00:00"):
        answer = await http.get(f"/tasks/{made['id']}/why", params={"at": at})
        assert answer.status_code == 400, at
    assert (await http.get(f"/tasks/{made['id']}/why")).json() == {
        "detail": "at is missing; give it as a query parameter"
    }


async def test_pending_triggers_are_handed_out_once(
    nod: InProcess, http: httpx.AsyncClient, ada: Credentials
) -> None:
    task = await nod.add_task(ada, "event")
    call = Call('{"ref":"refs/heads/main"}', '{"source":"github"}', None)
    made = await nod.nod.store.write(lambda tx: accept_call(tx, task, call))
    (pending,) = (await http.get("/tasks/triggers/pending")).json()
    assert pending.pop("received_at").endswith("Z")
    assert pending == {
        "id": made.event_id,
        "task_id": task.id,
        "task_name": task.name,
        "task_prompt": task.prompt,
        "payload": {"ref": "refs/heads/main"},
        "run_id": made.run_id,
        "trigger": {"source": "github"},
    }
    assert (await http.get("/tasks/triggers/pending")).json() == []
    assert (await http.get("/tasks/due")).json() == []
    assert (await http.get(f"/tasks/runs/{made.run_id}")).json()["delivery"] == "polled"
