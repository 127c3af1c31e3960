"""Home by the API: each agent with its last words, what is unread, what waits, what comes next."""

from typing import Any

from support.household import Household, furnish


async def home(house: Household) -> dict[str, Any]:
    (found,) = (await house.ann.http.get("/api/home")).json()
    return dict(found)


async def test_home_shows_an_agent_of_whom_nothing_was_heard(house: Household) -> None:
    found = await home(house)
    assert found["agent"]["name"] == "ann's agent"
    assert (found["last_message"], found["unread"], found["waiting"]) == (None, 0, 0)
    assert found["next_alarm"] is None


async def test_home_counts_what_is_unread_and_waits_and_names_the_next_alarm(
    house: Household,
) -> None:
    ids = await furnish(house.nod, house.ann)
    task = {"name": "Digest", "prompt": "Sum up.", "schedule": "0 9 * * *", "timezone": "UTC"}
    made = (await house.ann.http.post(f"/api/tasks/{ids['agent_id']}", json=task)).json()
    found = await home(house)
    assert found["conversation"]["id"] == ids["conversation_id"]
    assert found["last_message"]["decision_id"] == ids["decision_id"]
    assert (found["unread"], found["waiting"], found["undelivered"]) == (2, 1, 0)
    assert found["next_alarm"] == {
        "task_id": made["id"],
        "name": "Digest",
        "next_run_at": made["next_run_at"],
    }


async def test_home_counts_the_tasks_that_wait_for_an_agent_that_is_away(house: Household) -> None:
    ids = await furnish(house.nod, house.ann)
    await house.ann.http.post(f"/api/tasks/{ids['agent_id']}/{ids['task_id']}/run")
    assert (await home(house))["undelivered"] == 0  # it waits for the run before it
    await house.ann.http.post(f"/api/runs/{ids['run_id']}/cancel")
    assert (await home(house))["undelivered"] == 1


async def test_what_was_read_is_unread_no_more(house: Household) -> None:
    ids = await furnish(house.nod, house.ann)
    path = f"/api/conversations/{ids['conversation_id']}/read"
    up_to = {"message_id": ids["message_id"]}
    assert (await house.ann.http.post(path, json=up_to)).status_code == 204
    assert (await home(house))["unread"] == 1
    await house.ann.http.post(path, json={})
    assert (await home(house))["unread"] == 0
    wrong = await house.ann.http.post(path, json={"message_id": "msg_0"})
    assert wrong.status_code == 400
    assert "message_id" in wrong.json()["detail"]


async def test_an_empty_conversation_can_be_marked_as_read(house: Household) -> None:
    path = f"/api/conversations/{(await home(house))['conversation']['id']}/read"
    assert (await house.ann.http.post(path, json={})).status_code == 204
