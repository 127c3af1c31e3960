"""A person sees how a run went, what its result changed, and a task's last entries at a glance."""

from pathlib import Path
from typing import Any

from nod.actions.result import ResultSheet, result_sheet
from support.household import Household, furnish, open_household


async def add_task(house: Household) -> str:
    wanted = {"name": "Digest", "prompt": "Go.", "schedule": "event"}
    answer = await house.ann.http.post(f"/api/tasks/{house.ann.agent.id}", json=wanted)
    found: str = answer.json()["id"]
    return found


async def run(house: Household, task_id: str, **outcome: str) -> str:
    """A run of the task that its agent has ended so."""
    made = await house.ann.http.post(f"/api/tasks/{house.ann.agent.id}/{task_id}/run")
    run_id: str = made.json()["id"]
    if outcome:
        path = f"/api/agent/tasks/runs/{run_id}/complete"
        headers = house.as_agent(house.ann)
        ended = await house.without_token.post(path, json=outcome, headers=headers)
        assert ended.status_code == 200, ended.text
    return run_id


async def done(house: Household, task_id: str, text: str) -> str:
    return await run(house, task_id, status="completed", summary=text)


async def get(house: Household, path: str) -> Any:
    answer = await house.ann.http.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def sheet(house: Household, run_id: str) -> ResultSheet:
    return await house.nod.store.read(lambda tx: result_sheet(tx, house.ann.user, run_id))


async def test_a_result_is_compared_with_the_last_completed_one_before_it(
    house: Household,
) -> None:
    task_id = await add_task(house)
    first = await done(house, task_id, "# Merged\n- one\n\n# Open\n- two\n")
    failed = await run(house, task_id, status="failed", summary="No network")
    last = await done(house, task_id, "# Merged\n- one\n- three\n\n# Open\n- two\n")
    found = await get(house, f"/api/runs/{last}/changes")
    assert (found["since"], found["too_large"]) == (first, False)
    assert found["summary"].startswith("1 change since ")
    assert found["summary"].endswith(": “Merged” changed")
    (section,) = found["sections"]
    assert (section["kind"], section["title"], section["path"]) == (
        "changed",
        "Merged",
        ["Merged"],
    )
    assert section["lines"][-1] == {"kind": "added", "text": "- three"}
    for alone in (first, failed):
        nothing = await get(house, f"/api/runs/{alone}/changes")
        assert nothing == {
            "run_id": alone,
            "since": None,
            "summary": None,
            "too_large": False,
            "sections": [],
        }


async def test_a_section_over_the_limit_has_no_lines(tmp_path: Path) -> None:
    async with open_household(tmp_path, NOD_LIMIT_DIFF_LINES="3") as house:
        task_id = await add_task(house)
        await done(house, task_id, "# A\none")
        last = await done(house, task_id, "# A\ntwo")
        found = await get(house, f"/api/runs/{last}/changes")
    assert [each["lines"] for each in found["sections"]] == [None]


async def test_a_sheet_knows_the_results_beside_it(house: Household) -> None:
    task_id = await add_task(house)
    runs = [await done(house, task_id, "one")]
    runs.append(await run(house, task_id, status="failed", summary="No network"))
    await house.ann.http.post(f"/api/runs/{await run(house, task_id)}/cancel")
    runs.append(await done(house, task_id, "two"))
    beside = []
    for each in runs:
        found = await sheet(house, each)
        neighbours = (found.previous, found.next)
        beside.append(tuple(None if one is None else one.id for one in neighbours))
    assert beside == [(None, runs[1]), (runs[0], runs[2]), (runs[1], None)]
    last = await sheet(house, runs[2])
    assert last.former is not None
    assert (last.text, last.former.id, last.former_text) == ("two", runs[0], "one")


async def test_a_timeline_goes_from_due_to_the_end_and_shows_the_wait_for_the_person(
    house: Household,
) -> None:
    run_id = await run(house, await add_task(house))
    headers = house.as_agent(house.ann)
    asked = await house.without_token.post(
        "/api/agent/events",
        json={"type": "decision", "title": "May I?", "task_run_id": run_id},
        headers=headers,
    )
    assert asked.status_code < 300, asked.text
    waiting = await get(house, f"/api/runs/{run_id}/timeline")
    assert (waiting["run_id"], waiting["open"]) == (run_id, True)
    assert waiting["steps"][0]["kind"] == "due"
    assert waiting["steps"][-1]["end"] == waiting["end"]
    assert waiting["steps"][-1]["kind"] == "asking"
    await house.ann.http.post(f"/api/runs/{run_id}/cancel")
    ended = await get(house, f"/api/runs/{run_id}/timeline")
    assert (ended["open"], ended["steps"][-1]["kind"]) == (False, "ended")
    assert ended["steps"][-1]["label"].startswith("cancelled ")


async def test_a_failed_try_is_shown_with_its_reason(house: Household) -> None:
    ids = await furnish(house.nod, house.ann)
    path = f"/api/runs/{ids['run_id']}/timeline"
    labels = [each["label"] for each in (await get(house, path))["steps"]]
    assert [each for each in labels if each.startswith("webhook")] == [
        "webhook failed: HTTP 500, 12 ms"
    ]


async def test_a_strip_has_the_newest_entries_the_oldest_first(tmp_path: Path) -> None:
    async with open_household(tmp_path, NOD_LIMIT_STRIP_RUNS="2") as house:
        task_id = await add_task(house)
        await done(house, task_id, "one")
        failed = await run(house, task_id, status="failed", summary="No network")
        last = await run(house, task_id)
        cells = await get(house, f"/api/tasks/{house.ann.agent.id}/{task_id}/strip")
    assert [(each["run_id"], each["state"]) for each in cells] == [
        (failed, "failed"),
        (last, "pending"),
    ]
    assert cells[0]["label"].endswith("failed: No network")
    assert cells[1]["label"].endswith("waiting to be taken up")
