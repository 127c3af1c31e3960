"""The preview of a schedule, as the task editor asks for it."""

from pathlib import Path
from typing import Any

from support.household import Household, Person, open_household

PREVIEW = "/api/schedules/preview"


async def ask(person: Person, **given: Any) -> dict[str, Any]:
    answer = await person.http.post(PREVIEW, json=given)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def refused(person: Person, status: int, **given: Any) -> str:
    answer = await person.http.post(PREVIEW, json=given)
    assert answer.status_code == status, answer.text
    return str(answer.json()["detail"])


async def add_task(person: Person, **given: Any) -> dict[str, Any]:
    wanted = {"name": "Backup", "prompt": "Go.", "timezone": "UTC", **given}
    answer = await person.http.post(f"/api/tasks/{person.agent.id}", json=wanted)
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_words_come_back_as_the_sentence_to_confirm_and_the_next_five_fires(
    house: Household,
) -> None:
    found = await ask(house.ann, when="last friday of the month at 2:30 pm", timezone="UTC")
    assert found["sentence"] == "On the last Friday of every month at 14:30, UTC."
    assert (found["schedule"], found["run_at"], found["timezone"]) == ("30 14 * * 5L", None, "UTC")
    assert len(found["fires"]) == 5
    assert all(fire["at"].endswith("T14:30:00Z") for fire in found["fires"])
    assert all(fire["local"].endswith("T14:30:00+00:00") for fire in found["fires"])
    assert (found["collisions"], found["change"]) == ([], None)


async def test_a_schedule_comes_back_as_it_would_be_saved(house: Household) -> None:
    found = await ask(house.ann, schedule="0  9 * * mon", count=2, spread_s=60)
    assert (found["schedule"], len(found["fires"])) == ("0 9 * * MON", 2)
    assert "up to 60 s later" in found["notes"][0]


async def test_a_single_run_has_its_moment_in_the_answer(house: Household) -> None:
    found = await ask(house.ann, when="2199-01-01 09:00", agent_id=house.ann.agent.id)
    assert (found["schedule"], found["run_at"]) == ("once", "2199-01-01T09:00:00Z")
    fire = {"at": found["run_at"], "local": "2199-01-01T09:00:00+00:00", "remark": ""}
    assert found["fires"] == [fire]


async def test_what_falls_together_with_other_tasks_of_the_agent_is_named(
    house: Household,
) -> None:
    other = await add_task(house.ann, schedule="0 14 * * *")
    found = await ask(house.ann, when="every day at 14", agent_id=house.ann.agent.id)
    (collision,) = found["collisions"]
    assert (collision["task_id"], len(collision["fires"])) == (other["id"], 5)
    assert collision["sentence"].endswith(' and 4 more fall together with "Backup", at 14:00.')


async def test_an_edit_says_what_it_changes_and_does_not_collide_with_itself(
    house: Household,
) -> None:
    task = await add_task(house.ann, schedule="0 14 * * *")
    ids = {"agent_id": house.ann.agent.id, "task_id": task["id"]}
    found = await ask(house.ann, **ids)
    assert found["change"]["sentence"] == "Changes no fire this month."
    assert (found["schedule"], found["collisions"]) == ("0 14 * * *", [])
    event = await ask(house.ann, **ids, when="when something calls")
    assert (event["fires"], event["change"]["adds"]) == ([], 0)


async def test_what_saving_would_refuse_the_preview_refuses_with_the_same_sentence(
    house: Household,
) -> None:
    assert "every weekday at 9" in await refused(house.ann, 400, when="every wekday at 9")
    assert "say when it is to run" in await refused(house.ann, 400)
    assert "takes the place" in await refused(house.ann, 400, when="daily", schedule="@daily")
    assert "count must be" in await refused(house.ann, 400, when="daily", count=0)
    assert "agent_id" in await refused(house.ann, 400, when="daily", task_id="tsk_x")


async def test_somebody_elses_agent_and_task_are_as_if_they_were_not_there(
    house: Household,
) -> None:
    hers = await add_task(house.eve, schedule="@daily")
    await refused(house.ann, 404, when="daily", agent_id=house.eve.agent.id)
    await refused(house.ann, 404, agent_id=house.ann.agent.id, task_id=hers["id"])


async def test_a_task_is_made_and_changed_in_words(house: Household) -> None:
    task = await add_task(house.ann, when="every weekday at 9", notify="failures")
    assert (task["schedule"], task["notify"]) == ("0 9 * * 1-5", "failures")
    changed = await house.ann.http.patch(
        f"/api/tasks/{house.ann.agent.id}/{task['id']}", json={"when": "quarterly"}
    )
    assert changed.json()["schedule"] == "0 9 1 1,4,7,10 *"


async def test_only_so_many_other_tasks_are_compared_the_soonest_first(tmp_path: Path) -> None:
    async with open_household(tmp_path, NOD_LIMIT_PREVIEW_TASKS="1") as house:
        for name in ("One", "Two"):
            await add_task(house.ann, name=name, schedule="0 14 * * *")
        found = await ask(house.ann, schedule="0 14 * * *", agent_id=house.ann.agent.id)
        assert len(found["collisions"]) == 1
