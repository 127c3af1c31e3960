"""What a person sees of the calls of a trigger, and the test they can send; copies of tasks."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from nod.actions.calls import write_refusal
from nod.domain.instant import SECOND
from nod.engine.sweep import SWEEPS
from nod.store.store import Tx
from support.household import Household, open_household
from support.world import open_world


async def add_task(house: Household, **given: Any) -> dict[str, Any]:
    wanted = {"name": "On push", "prompt": "Go.", "schedule": "event", **given}
    answer = await house.ann.http.post(f"/api/tasks/{house.ann.agent.id}", json=wanted)
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def post(house: Household, task: dict[str, Any], path: str, **more: Any) -> httpx.Response:
    return await house.ann.http.post(f"/api/tasks/{house.ann.agent.id}/{task['id']}/{path}", **more)


async def call(house: Household, task: dict[str, Any], **more: Any) -> httpx.Response:
    return await house.without_token.post(f"/api/webhooks/{task['trigger_id']}", **more)


async def calls(house: Household, task: dict[str, Any]) -> list[dict[str, Any]]:
    answer = await house.ann.http.get(f"/api/tasks/{house.ann.agent.id}/{task['id']}/calls")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()
    return found


async def test_a_call_is_listed_with_its_run_its_size_and_what_is_safe_to_show(
    house: Household,
) -> None:
    task = await add_task(house)
    headers = {"X-GitHub-Event": "push", "Authorization": "Bearer secret"}
    answer = await call(house, task, content=b'{"ref":"main"}', headers=headers)
    (found,) = await calls(house, task)
    assert (found["outcome"], found["run_id"]) == ("accepted", answer.json()["run_id"])
    assert (found["size_bytes"], found["source"], found["reason"]) == (14, "github", None)
    assert found["headers"]["x-github-event"] == "push"
    assert "authorization" not in found["headers"]


RIGHT = {"Authorization": "Bearer a secret of both", "Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("status", "outcome", "reason", "body", "headers"),
    [
        (401, "wrong_signature", "", b"{}", {"Authorization": "Bearer wrong"}),
        (413, "too_large", "larger than", b"x" * (1024 * 1024 + 1), RIGHT),
        (400, "malformed", "not: ", b"{", RIGHT),
    ],
)
async def test_a_refused_call_is_listed_with_the_reason_its_caller_got(
    house: Household,
    status: int,
    outcome: str,
    reason: str,
    body: bytes,
    headers: dict[str, str],
) -> None:
    task = await add_task(house, verify="bearer", verify_secret="a secret of both")
    answer = await call(house, task, content=body, headers=headers)
    assert answer.status_code == status
    (found,) = await calls(house, task)
    assert (found["outcome"], found["run_id"], found["size_bytes"]) == (outcome, None, len(body))
    assert found["reason"] == answer.json()["detail"]
    assert reason in found["reason"]
    assert "a secret of both" not in str(found)


async def test_a_call_of_a_paused_task_is_listed_with_why_it_is_paused(house: Household) -> None:
    task = await add_task(house)
    await post(house, task, "pause", json={"reason": "holidays"})
    assert (await call(house, task, json={})).status_code == 409
    (found,) = await calls(house, task)
    assert (found["outcome"], "holidays" in found["reason"]) == ("paused", True)


async def test_a_body_without_a_length_that_is_too_large_has_no_size(house: Household) -> None:
    task = await add_task(house)

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"x" * 512 * 1024

    assert (await call(house, task, content=endless())).status_code == 413
    (found,) = await calls(house, task)
    assert (found["outcome"], found["size_bytes"]) == ("too_large", None)


async def test_a_call_over_the_rate_is_listed_and_so_is_one_that_a_running_run_skipped(
    tmp_path: Path,
) -> None:
    async with open_household(tmp_path, NOD_LIMIT_TRIGGERS_PER_MINUTE="2") as house:
        task = await add_task(house, overlap="skip")
        for _ in range(3):
            await call(house, task, json={})
        outcomes = {each["outcome"]: each for each in await calls(house, task)}
    assert outcomes.keys() == {"accepted", "skipped", "rate_limited"}
    assert "was still going" in outcomes["skipped"]["reason"]
    assert "2 calls a minute" in outcomes["rate_limited"]["reason"]


async def test_a_flood_of_bad_calls_is_written_once_a_second(tmp_path: Path) -> None:
    async with open_household(tmp_path, NOD_LIMIT_REFUSED_CALL_S="60") as house:
        task = await add_task(house, verify="bearer", verify_secret="a secret of both")
        answers = await asyncio.gather(*(call(house, task, json={}) for _ in range(20)))
        await call(house, task, json={})
        assert {each.status_code for each in answers} == {401}
        assert len(await calls(house, task)) == 1


async def test_only_the_newest_refused_calls_are_kept_and_old_ones_are_swept(
    tmp_path: Path,
) -> None:
    async with open_world(tmp_path) as world:
        task = await world.task("event")

        async def refuse(tx: Tx) -> None:
            await write_refusal(tx, task, "malformed", f"at {tx.now}", {}, None)

        for _ in range(53):
            await world.store.write(refuse)
            world.clock.advance(1)
        most = world.limits.refused_calls
        found = await world.store.read(lambda tx: tx.tasks.refused_calls(task.id, 1000))
        assert (len(found), most) == (50, 50)
        assert found[0].created_at - found[-1].created_at == 49 * SECOND
        assert world.names().count("call_refused") == 53
        await world.store.write(refuse)
        world.clock.set_wall(world.clock.now() - 3600 * SECOND)
        await world.store.write(refuse)  # the clock was set back: this is no flood
        world.clock.advance(91 * 86_400)
        assert await world.store.write(SWEEPS["refused_calls"]) == 50
        assert not await world.store.read(lambda tx: tx.tasks.refused_calls(task.id, 1000))


async def test_a_test_event_makes_a_run_as_a_call_does_without_a_signature(
    house: Household,
) -> None:
    task = await add_task(house, verify="bearer", verify_secret="a secret of both")
    answer = await post(house, task, "test-event", json={"payload": {"ref": "main"}})
    assert answer.status_code == 202, answer.text
    run_id = answer.json()["run_id"]
    brought = (await house.ann.http.get(f"/api/runs/{run_id}/payload")).json()
    assert (brought["payload"], brought["trigger"]["source"]) == ({"ref": "main"}, "test")
    (listed,) = await calls(house, task)
    assert (listed["run_id"], listed["source"]) == (run_id, "test")


@pytest.mark.parametrize(
    ("body", "payload"),
    [(None, {"test": True}), ({}, {"test": True}), ({"payload": None}, None), ({"payload": 1}, 1)],
)
async def test_a_test_event_brings_an_example_unless_it_is_given_something(
    house: Household, body: Any, payload: Any
) -> None:
    task = await add_task(house)
    more = {} if body is None else {"json": body}
    answer = await post(house, task, "test-event", **more)
    assert answer.status_code == 202, answer.text
    brought = await house.ann.http.get(f"/api/runs/{answer.json()['run_id']}/payload")
    assert brought.json()["payload"] == payload


async def test_a_test_event_that_is_sent_twice_answers_the_first_run(house: Household) -> None:
    task = await add_task(house)
    same = {"Idempotency-Key": "k1"}
    first = await post(house, task, "test-event", json={}, headers=same)
    assert (await post(house, task, "test-event", json={}, headers=same)).json() == first.json()


async def test_a_test_event_is_refused_where_a_call_would_be(house: Household) -> None:
    scheduled = await add_task(house, schedule="@daily")
    answer = await post(house, scheduled, "test-event")
    assert (answer.status_code, "schedule event" in answer.json()["detail"]) == (409, True)
    task = await add_task(house)
    deep: Any = 1
    for _ in range(70):
        deep = [deep]
    assert (await post(house, task, "test-event", json={"payload": deep})).status_code == 400
    await post(house, task, "pause", json={})
    assert (await post(house, task, "test-event", json={})).status_code == 409


async def test_a_test_event_holds_no_more_than_a_call(tmp_path: Path) -> None:
    async with open_household(tmp_path, NOD_LIMIT_BODY_BYTES="1000") as house:
        task = await add_task(house)
        answer = await post(house, task, "test-event", json={"payload": "x" * 990})
        assert answer.status_code == 413


async def test_a_copy_has_the_same_fields_waits_to_be_resumed_and_has_its_own_trigger(
    house: Household,
) -> None:
    secret = {"verify": "bearer", "verify_secret": "a secret of both", "notify": "silent"}
    task = await add_task(house, name="é" * 200, timeout_s=60, **secret)
    answer = await post(house, task, "duplicate")
    assert answer.status_code == 201, answer.text
    copy = answer.json()
    assert copy["name"] == "é" * 193 + " (copy)"
    assert (copy["enabled"], copy["pause_reason"]) == (
        False,
        "a copy; resume it when it is right",
    )
    own = {"id", "name", "enabled", "pause_reason", "trigger_id", "created_at", "updated_at"}
    assert {k: v for k, v in copy.items() if k not in own} == {
        k: v for k, v in task.items() if k not in own
    }
    assert copy["id"] != task["id"]
    assert copy["trigger_id"] != task["trigger_id"]
    assert (await post(house, copy, "resume")).status_code == 200
    right = {"Authorization": "Bearer a secret of both"}
    assert (await call(house, copy, json={}, headers=right)).status_code == 202


async def test_a_copy_of_a_scheduled_task_fires_once_it_is_resumed(house: Household) -> None:
    task = await add_task(house, schedule="@daily")
    copy = (await post(house, task, "duplicate")).json()
    assert (copy["next_run_at"], "trigger_id" in copy) == (None, False)
    resumed = (await post(house, copy, "resume")).json()
    assert resumed["next_run_at"] == task["next_run_at"]
