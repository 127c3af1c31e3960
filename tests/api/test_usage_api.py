"""Usage by day and budgets over the API, for people and for agents."""

from datetime import date, timedelta
from typing import Any

import httpx
import pytest

from nod.actions.agents import Credentials
from nod.domain.model import Task
from support.household import Household
from support.inprocess import InProcess

TASK = {"name": "Digest", "prompt": "Sum up.", "schedule": "event", "overlap": "allow"}


@pytest.fixture
async def agent(house: Household) -> httpx.AsyncClient:
    """Ann's agent, as it calls the same Nod."""
    house.without_token.headers.update(house.as_agent(house.ann))
    return house.without_token


def path_of(house: Household, *rest: str) -> str:
    return "/".join((f"/api/tasks/{house.ann.agent.id}", *rest))


async def make(house: Household, **more: Any) -> dict[str, Any]:
    made = await house.ann.http.post(path_of(house), json={**TASK, **more})
    assert made.status_code == 201, made.text
    found: dict[str, Any] = made.json()
    return found


async def use(agent: httpx.AsyncClient, task: dict[str, Any], **usage: Any) -> None:
    """The agent runs the task once, and says what that took."""
    started = await agent.post(f"/api/agent/tasks/{task['id']}/run/start")
    run_id = started.json()["run_id"]
    body = {"status": "completed", "usage": usage}
    done = await agent.post(f"/api/agent/tasks/runs/{run_id}/complete", json=body)
    assert done.status_code == 200


async def test_a_task_shows_its_days_and_its_budgets(
    house: Household, agent: httpx.AsyncClient
) -> None:
    task = await make(house, budget={"runs": 4, "cost_usd": 0.5})
    assert (task["budget"], task["budget_by"]) == ({"runs": 4, "cost_usd": 0.5}, "user")
    await use(agent, task, input_tokens=900, output_tokens=100, cost_usd=0.4)
    shown = (await house.ann.http.get(path_of(house, task["id"], "usage"))).json()
    assert shown["timezone"] == "UTC"
    assert len(shown["days"]) == 30
    assert date.fromisoformat(shown["days"][-1]["day"]) - timedelta(days=29) == date.fromisoformat(
        shown["days"][0]["day"]
    )
    assert {**shown["days"][-1], "minutes": 0, "day": ""} == {
        "day": "",
        "runs": 1,
        "input_tokens": 900,
        "output_tokens": 100,
        "cost_usd": 0.4,
        "minutes": 0,
    }
    [budget] = shown["budgets"]
    assert (budget["of"], budget["words"], budget["state"]) == (
        "task",
        "4 runs, $0.50 a day",
        "ask",
    )
    assert budget["used"] == [
        {"measure": "runs", "used": 1, "most": 4, "percent": 25},
        {"measure": "cost_usd", "used": 0.4, "most": 0.5, "percent": 80},
    ]
    of_agent = await agent.get(f"/api/agent/tasks/{task['id']}/usage")
    assert of_agent.json() == shown
    asked = (await house.ann.http.get("/api/decisions?status=pending")).json()
    assert [(each["id"], each["kind"]) for each in asked] == [(budget["decision_id"], "budget")]
    hidden = await agent.get(f"/api/agent/decisions/{budget['decision_id']}")
    assert hidden.status_code == 404


async def test_an_agent_shows_all_its_tasks_together(
    house: Household, agent: httpx.AsyncClient
) -> None:
    first, second = await make(house), await make(house, name="Other")
    await use(agent, first, cost_usd=1)
    await use(agent, second, cost_usd=0.25)
    url = f"/api/agents/{house.ann.agent.id}"
    changed = await house.ann.http.patch(url, json={"budget": {"minutes": 5}})
    assert changed.json()["budget"] == {"minutes": 5}
    shown = (await house.ann.http.get(f"{url}/usage?days=1")).json()
    assert [(day["runs"], day["cost_usd"]) for day in shown["days"]] == [(2, 1.25)]
    assert {each["task_name"]: each["cost_usd"] for each in shown["tasks"]} == {
        "Digest": 1,
        "Other": 0.25,
    }
    assert [each["of"] for each in shown["budgets"]] == ["agent"]
    assert (await agent.get("/api/agent/usage?days=1")).json() == shown
    of_task = (await agent.get(f"/api/agent/tasks/{first['id']}/usage")).json()
    assert [each["of"] for each in of_task["budgets"]] == ["agent"]
    cleared = await house.ann.http.patch(url, json={"budget": None})
    assert cleared.json()["budget"] is None


async def test_beyond_the_budget_the_agents_start_is_409_and_recorded(
    house: Household, agent: httpx.AsyncClient
) -> None:
    task = await make(house, budget={"runs": 1})
    await use(agent, task)
    refused = await agent.post(f"/api/agent/tasks/{task['id']}/run/start")
    assert refused.status_code == 409
    assert "budget of this task for today used up: 1 of 1 runs" in refused.json()["detail"]
    [newest, _] = (await house.ann.http.get(path_of(house, task["id"], "runs"))).json()
    assert newest["status"] == "skipped"
    by_hand = await house.ann.http.post(path_of(house, task["id"], "run"))
    assert by_hand.json()["status"] == "pending"
    why = await house.ann.http.get(
        path_of(house, task["id"], "why"), params={"at": newest["scheduled_for"]}
    )
    assert why.status_code == 200


async def test_a_call_beyond_the_budget_is_answered_as_one_that_is_skipped(
    nod: InProcess, ada: Credentials, http: httpx.AsyncClient
) -> None:
    task: Task = await nod.add_task(ada, "event", budget={"runs": 1})
    async with httpx.AsyncClient(base_url=nod.url) as caller:
        calls = [
            await caller.post(f"/api/webhooks/{task.trigger_id}", json={"n": n}) for n in range(2)
        ]
    assert [each.status_code for each in calls] == [202, 202]
    assert [(await nod.run(each.json()["run_id"])).status for each in calls] == [
        "pending",
        "skipped",
    ]
    assert (await http.get("/usage?days=1")).json()["days"][0]["runs"] == 1


async def test_going_on_over_the_api_frees_the_task(
    house: Household, agent: httpx.AsyncClient
) -> None:
    task = await make(house, budget={"runs": 1})
    await use(agent, task)
    [asked] = (await house.ann.http.get("/api/decisions?status=pending")).json()
    url = f"/api/decisions/{asked['id']}/resolve"
    answered = await house.ann.http.post(url, json={"status": "approved"})
    assert answered.status_code == 200
    await use(agent, task)
    shown = (await agent.get(f"/api/agent/tasks/{task['id']}/usage")).json()
    assert shown["budgets"][0]["state"] == "lifted"


async def test_an_agent_sets_a_budget_and_does_not_loosen_a_persons(
    house: Household, agent: httpx.AsyncClient
) -> None:
    own = await agent.post("/api/agent/tasks", json={**TASK, "budget": {"tokens": 10}})
    url = f"/api/agent/tasks/{own.json()['id']}"
    assert own.json()["budget_by"] == "agent"
    assert (await agent.patch(url, json={"budget": {"tokens": 99}})).status_code == 200
    task = await make(house, budget={"runs": 5})
    url = f"/api/agent/tasks/{task['id']}"
    refused = await agent.patch(url, json={"budget": None})
    assert refused.status_code == 403
    assert "only a person looser" in refused.json()["detail"]
    assert (await agent.patch(url, json={"budget": {"runs": 4}})).json()["budget"] == {"runs": 4}
    assert (await agent.patch(url, json={"name": "New name"})).json()["budget"] == {"runs": 4}
    by_person = await house.ann.http.patch(path_of(house, task["id"]), json={"budget": {}})
    assert by_person.json()["budget"] is None


@pytest.mark.parametrize(("days", "status"), [(0, 400), (1, 200), (400, 200), (401, 400)])
async def test_as_many_days_are_shown_as_are_kept(house: Household, days: int, status: int) -> None:
    url = f"/api/agents/{house.ann.agent.id}/usage"
    shown = await house.ann.http.get(url, params={"days": days})
    assert shown.status_code == status
    if status == 200:
        assert len(shown.json()["days"]) == days
    else:
        assert "days must be between 1 and 400" in shown.json()["detail"]


@pytest.mark.parametrize(
    ("budget", "words"),
    [
        ({"runs": 0}, "budget.runs must be between 1 and 1000000000000; got 0"),
        ({"cost_usd": 0.001}, "budget.cost_usd must be between 0.01 and 1000000; got 0.001"),
        ({"runs": "many"}, "budget"),
        ([], "budget"),
    ],
)
async def test_what_is_no_budget_is_refused(house: Household, budget: Any, words: str) -> None:
    refused = await house.ann.http.post(path_of(house), json={**TASK, "budget": budget})
    assert refused.status_code == 400
    assert words in refused.json()["detail"]
