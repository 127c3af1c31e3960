"""Searching over the API: what is found, in which order, page by page; odd words find nothing."""

from pathlib import Path
from typing import Any

import pytest

from support.household import Household, Person, furnish, open_household


async def say(house: Household, person: Person, text: str, **fields: Any) -> str:
    """The person's agent says something; the message's id."""
    sent = await house.without_token.post(
        "/api/agent/events",
        json={"type": "message", "text": text, **fields},
        headers=house.as_agent(person),
    )
    return str(sent.json()["message_id"])


async def add_task(house: Household, name: str) -> str:
    fields = {"name": name, "prompt": "Sum up.", "schedule": "event"}
    made = await house.ann.http.post(f"/api/tasks/{house.ann.agent.id}", json=fields)
    return str(made.json()["id"])


async def result(house: Household, name: str, output: str) -> str:
    """A run of a new task that brought something; the run's id."""
    task_id = await add_task(house, name)
    run = await house.ann.http.post(f"/api/tasks/{house.ann.agent.id}/{task_id}/run")
    run_id = str(run.json()["id"])
    address, keys = f"/api/agent/tasks/runs/{run_id}", house.as_agent(house.ann)
    put = await house.without_token.put(f"{address}/output", json={"text": output}, headers=keys)
    put.raise_for_status()
    done = {"status": "completed", "summary": "All is well"}
    (
        await house.without_token.post(f"{address}/complete", json=done, headers=keys)
    ).raise_for_status()
    return run_id


async def search(house: Household, q: str, **query: Any) -> list[dict[str, Any]]:
    answer = await house.ann.http.get("/api/search", params={"q": q, **query})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()
    return found


def marked(found: dict[str, Any]) -> list[str]:
    return [found["text"][start:end] for start, end in found["marks"]]


async def test_a_message_is_found_with_where_it_stands_and_its_words_marked(
    house: Household,
) -> None:
    message_id = await say(house, house.ann, "The **café** on Main street is open")
    (found,) = await search(house, "main CAFE op")
    assert (found["kind"], found["message_id"]) == ("message", message_id)
    assert found["agent_id"] == house.ann.agent.id
    assert found["conversation_id"] is not None
    assert (found["author"], found["title"], found["run_id"]) == ("agent", None, None)
    assert found["text"] == "The café on Main street is open"
    assert marked(found) == ["café", "Main", "open"]


async def test_what_a_person_said_and_a_report_are_found(house: Household) -> None:
    (conversation,) = (await house.ann.http.get("/api/conversations")).json()
    address = f"/api/conversations/{conversation['id']}/messages"
    await house.ann.http.post(address, json={"text": "Where is the ladder?"})
    await say(house, house.ann, "Behind the shed", report_title="The ladder")
    report, question = await search(house, "ladder")
    assert (report["author"], report["title"]) == ("agent", "The ladder")
    assert (question["author"], question["title"]) == ("user", None)


async def test_a_result_is_found_once_by_summary_and_output(house: Household) -> None:
    run_id = await result(house, "Boiler", "# Boiler\n\nEvery gasket holds.")
    (found,) = await search(house, "gasket well")
    assert (found["kind"], found["run_id"], found["title"]) == ("result", run_id, "Boiler")
    assert "gasket" in marked(found)


async def test_tasks_come_first_by_their_names_and_those_removed_do_not(house: Household) -> None:
    old, new = await add_task(house, "Feed the hens"), await add_task(house, "Count the hens")
    message_id = await say(house, house.ann, "The hens are fed")
    found = await search(house, "hen")
    assert [each["kind"] for each in found] == ["task", "task", "message"]
    assert [each["task_id"] for each in found] == [new, old, None]
    assert [each["message_id"] for each in found] == [None, None, message_id]
    assert (found[0]["title"], marked(found[0])) == ("Count the hens", ["hens"])
    await house.ann.http.delete(f"/api/tasks/{house.ann.agent.id}/{old}")
    assert [each["task_id"] for each in await search(house, "hens")] == [new, None]


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
async def test_pages_hold_everything_once_in_order(house: Household, limit: int) -> None:
    tasks = [await add_task(house, f"Hens {number}") for number in range(3)]
    messages = [await say(house, house.ann, f"hens {number}") for number in range(4)]
    answer = await house.ann.http.get("/api/search", params={"q": "hens", "limit": limit})
    found = answer.json()
    assert len(found) <= limit
    while "next" in answer.links:
        answer = await house.ann.http.get(answer.links["next"]["url"])
        assert len(answer.json()) <= limit
        found += answer.json()
    assert [each["task_id"] for each in found[:3]] == tasks[::-1]
    assert [each["message_id"] for each in found[3:]] == messages[::-1]


@pytest.mark.parametrize(
    "q",
    [
        "",
        " ",
        "?!*",
        '"',
        '"" ""',
        "*",
        "hens*(",
        "hens OR",
        'agent : "x"',
        "\0",
        "hens \0",
        "\ufffe \U0001f600",
        "x" * 10_000,
        "x " * 5_000,
        "é" * 10_000,
    ],
)
async def test_odd_words_are_no_error(house: Household, q: str) -> None:
    await say(house, house.ann, "The hens are fed")
    found = await search(house, q)
    assert len(found) == (1 if q.strip("\0 ") in ("hens*(", "hens") else 0)


async def test_as_many_words_count_as_the_limit(tmp_path: Path) -> None:
    async with open_household(tmp_path, NOD_LIMIT_SEARCH_WORDS="2") as house:
        await say(house, house.ann, "one two")
        assert len(await search(house, "one two")) == 1
        assert len(await search(house, "one two three")) == 1
        assert len(await search(house, "one three")) == 0


async def test_as_many_of_the_newest_tasks_are_looked_at_as_the_limit(tmp_path: Path) -> None:
    async with open_household(tmp_path, NOD_LIMIT_SEARCH_TASKS="2") as house:
        for number in range(3):
            await add_task(house, f"Hens {number}")
        assert [each["title"] for each in await search(house, "hens")] == ["Hens 2", "Hens 1"]


@pytest.mark.parametrize("cursor", ["x", "-1", "t", "tx", "1.2", "9" * 30, "²"])
async def test_a_cursor_of_ones_own_making_is_refused(house: Household, cursor: str) -> None:
    answer = await house.ann.http.get("/api/search", params={"q": "a", "cursor": cursor})
    assert answer.status_code == 400
    assert "Link header" in answer.json()["detail"]


@pytest.mark.parametrize("limit", [0, 101])
async def test_a_page_has_one_to_a_hundred_entries(house: Household, limit: int) -> None:
    answer = await house.ann.http.get("/api/search", params={"q": "a", "limit": limit})
    assert answer.status_code == 400


async def test_one_agent_alone_is_searched_where_it_is_named(house: Household) -> None:
    await say(house, house.ann, "The hens are fed")
    other = (await house.ann.http.post("/api/agents", json={"name": "Other"})).json()
    assert len(await search(house, "hens", agent_id=house.ann.agent.id)) == 1
    assert await search(house, "hens", agent_id=other["agent_id"]) == []


async def test_nobody_finds_what_is_somebody_elses(house: Household) -> None:
    await furnish(house.nod, house.ann)
    await say(house, house.ann, "The hens are fed")
    await add_task(house, "Feed the hens")
    for words in ("hens", "report", "may", "hi"):
        assert (await house.eve.http.get("/api/search", params={"q": words})).json() == []
    query = {"q": "hens", "agent_id": house.ann.agent.id}
    assert (await house.eve.http.get("/api/search", params=query)).status_code == 404


async def test_what_a_removed_agent_said_is_not_found(house: Household) -> None:
    await say(house, house.ann, "The hens are fed")
    await house.ann.http.delete(f"/api/agents/{house.ann.agent.id}")
    assert await search(house, "hens") == []
