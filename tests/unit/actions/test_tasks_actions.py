"""What agents and people do with tasks, and what happened at a time."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from nod.actions import tasks
from nod.actions.agents import remove_agent
from nod.domain.errors import Conflict, Forbidden, InvalidInput, NotFound, TooMany
from nod.domain.instant import DAY, HOUR, MINUTE, SECOND, Instant
from nod.domain.limits import Limits
from nod.domain.model import Run, Task
from nod.domain.task_fields import TaskFields
from nod.engine.ending import cancel
from support.clock import MONDAY_9
from support.steps import (
    DAY_S,
    HOUR_S,
    MINUTE_S,
    at,
    called,
    complete,
    deliver,
    fire_after,
    newest,
    now,
    take_up,
)
from support.world import World, open_world


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(tmp_path) as opened:
        yield opened


async def _create(world: World, **given: Any) -> Task:
    """A task made by the agent."""
    wanted = {"name": "Mine", "prompt": "Do it.", "schedule": "0 9 * * *", **given}
    fields = msgspec.convert(wanted, TaskFields)
    return await world.store.write(
        lambda tx: tasks.create(tx, world.vault, world.agent, fields, "agent")
    )


async def _update(world: World, task: Task, **given: Any) -> Task:
    fields = msgspec.convert(given, TaskFields)
    return await world.store.write(
        lambda tx: tasks.update(tx, world.vault, world.agent, task.id, fields)
    )


async def _why(world: World, task: Task, moment: Instant) -> tuple[str, Run | None]:
    fresh = await world.get(task)
    return await world.store.read(lambda tx: tasks.why(tx, fresh, moment))


# the allowance of an agent


async def test_an_agent_makes_60_tasks_an_hour(world: World) -> None:
    for _ in range(60):
        await _create(world)
    world.clock.advance(HOUR_S - 0.5)
    with pytest.raises(TooMany, match="60 tasks an hour") as refused:
        await _create(world)
    assert refused.value.retry_after == 1
    world.clock.advance(0.5)
    assert (await _create(world)).created_by == "agent"


async def test_removing_a_task_buys_no_new_allowance_and_a_person_has_none(tmp_path: Path) -> None:
    async with open_world(tmp_path, Limits(tasks_per_agent_hour=1)) as world:
        task = await _create(world)
        await world.store.write(lambda tx: tasks.remove(tx, world.agent, task.id))
        with pytest.raises(TooMany):
            await _create(world)
        assert (await world.task()).created_by == "user"


async def test_an_agent_has_its_number_of_tasks(tmp_path: Path) -> None:
    async with open_world(tmp_path, Limits(tasks_per_agent=2)) as world:
        first = await _create(world)
        await _create(world)
        with pytest.raises(Conflict, match="has 2 tasks, which is its limit"):
            await _create(world)
        await world.store.write(lambda tx: tasks.remove(tx, world.agent, first.id))
        await _create(world)


async def test_an_agent_makes_no_task_while_a_call_from_outside_is_with_it(world: World) -> None:
    task = await world.task("event", max_attempts=2)
    run = await called(world, task)
    await _create(world)
    await deliver(world, run)
    with pytest.raises(Forbidden, match="may only propose tasks"):
        await _create(world)
    await complete(world, await take_up(world, run))
    await _create(world)
    await take_up(world, await now(world, task))
    await _create(world)


async def test_a_retry_of_a_call_brings_what_the_call_brought(world: World) -> None:
    task = await world.task("event", max_attempts=2, idempotent=True)
    await complete(world, await called(world, task), "failed")
    world.clock.advance(5 * MINUTE_S)
    await take_up(world, await newest(world, task))
    with pytest.raises(Forbidden):
        await _create(world)


async def test_an_approval_only_agent_has_no_tasks(world: World) -> None:
    other = replace(world.agent, kind="approval_only")
    fields = TaskFields(name="a", prompt="b", schedule="event")
    with pytest.raises(Forbidden, match="approval_only"):
        await world.store.read(lambda tx: tasks.check(tx, other, fields))


async def test_an_agent_removed_a_moment_ago_gets_no_task(world: World) -> None:
    await world.store.write(lambda tx: remove_agent(tx, world.agent))
    with pytest.raises(NotFound, match="removed"):
        await _create(world)


async def test_a_zone_is_the_agents_else_its_owners_else_utc(world: World) -> None:
    zone = tasks.zone_of
    there = replace(world.agent, timezone="Asia/Tokyo")
    nobodys = replace(world.agent, owner_id="usr_none")
    assert await world.store.read(lambda tx: zone(tx, there)) == "Asia/Tokyo"
    assert await world.store.read(lambda tx: zone(tx, world.agent)) == world.owner.timezone
    assert await world.store.read(lambda tx: zone(tx, nobodys)) == "UTC"


# changing


async def test_a_task_of_another_agent_or_a_removed_one_is_not_there(world: World) -> None:
    task = await world.task()
    stranger = replace(world.agent, id="agt_other")
    with pytest.raises(NotFound):
        await world.store.read(lambda tx: tasks.get_own(tx, stranger, task.id))
    await world.store.write(lambda tx: tasks.remove(tx, world.agent, task.id))
    for task_id in (task.id, "tsk_none"):
        with pytest.raises(NotFound):
            await world.store.read(lambda tx: tasks.get_own(tx, world.agent, task_id))  # noqa: B023 - awaited here


async def test_a_removed_task_fires_no_more_and_keeps_its_history(world: World) -> None:
    task = await world.task("0 * * * *", overlap="queue")
    await fire_after(world, HOUR_S)
    await fire_after(world, HOUR_S)
    await world.store.write(lambda tx: tasks.remove(tx, world.agent, task.id))
    await fire_after(world, DAY_S)
    runs = await world.runs(task)
    assert [(run.status, run.reason) for run in runs] == [("cancelled", "its task was removed")] * 2


async def test_a_rotated_trigger_replaces_the_old_one_at_once(world: World) -> None:
    task = await world.task("event")
    after = await world.store.write(lambda tx: tasks.rotate_trigger(tx, world.agent, task.id))
    assert after.trigger_id != task.trigger_id
    old = await world.store.read(lambda tx: tx.tasks.by_trigger(task.trigger_id or ""))
    assert old is None
    other = await world.task()
    with pytest.raises(Conflict, match="only a task with the schedule event"):
        await world.store.write(lambda tx: tasks.rotate_trigger(tx, world.agent, other.id))


async def test_a_secret_is_stored_sealed_and_kept_by_other_edits(world: World) -> None:
    task = await world.task("event", verify="github", verify_secret="a secret of some length")
    stored = (await world.get(task)).verify_secret or ""
    assert world.vault.open(stored) == b"a secret of some length"
    await _update(world, task, name="Other")
    assert (await world.get(task)).verify_secret == stored


async def test_a_task_without_a_fire_left_cannot_be_resumed(world: World) -> None:
    task = await world.task("once", run_at="2026-03-02T10:00:00Z")
    await fire_after(world, HOUR_S)
    with pytest.raises(Conflict, match="no fire left: give it a time to come"):
        await world.store.write(lambda tx: tasks.resume(tx, world.agent, task.id))
    called_by = await world.task("event", enabled=False)
    resumed = await world.store.write(lambda tx: tasks.resume(tx, world.agent, called_by.id))
    assert resumed.enabled


async def test_a_reason_has_a_length(world: World) -> None:
    task = await world.task()
    with pytest.raises(InvalidInput, match="reason has 10001 characters"):
        await world.store.write(lambda tx: tasks.pause(tx, world.agent, task.id, "a" * 10_001))


# why


async def test_why_says_what_happened_in_that_minute(world: World) -> None:
    task = await world.task("0 * * * *", overlap="skip")
    assert (await _why(world, task, MONDAY_9 + HOUR))[0] == "The fire of 10:00 has not come yet."
    assert (await _why(world, task, MONDAY_9 - HOUR))[0] == (
        "The task did not exist at 08:00; it was made 2026-03-02T09:00:00Z."
    )
    await fire_after(world, HOUR_S)
    first = await newest(world, task)
    for moment in (MONDAY_9 + HOUR, MONDAY_9 + HOUR + 59 * SECOND):
        said, entry = await _why(world, task, moment)
        assert said == "It was due at 10:00 and waits for the agent to take it up."
        assert entry == first
    await take_up(world, first)
    assert (await _why(world, task, MONDAY_9 + HOUR))[0] == "It was due at 10:00 and is running."
    await fire_after(world, HOUR_S)
    assert (await _why(world, task, MONDAY_9 + 2 * HOUR))[0] == (
        "Skipped at 11:00: the 10:00 run was still going."
    )
    await complete(world, first)
    assert (await _why(world, task, MONDAY_9 + HOUR))[0] == "It ran at 10:00 and completed."
    assert await _why(world, task, MONDAY_9 + HOUR + MINUTE) == (
        "It was not due at 10:01: the next is 2026-03-02T11:00:00Z.",
        None,
    )


async def test_why_says_how_it_ended(world: World) -> None:
    task = await world.task(overlap="allow")
    await complete(world, await now(world, task), "failed", "no luck")
    assert (await _why(world, task, MONDAY_9))[0] == "It ran at 09:00 and failed: agent: no luck."
    world.clock.advance(60)
    run = await now(world, task)
    await world.store.write(lambda tx: cancel(tx, run, "enough"))
    assert (await _why(world, task, MONDAY_9 + MINUTE))[0] == (
        "It was due at 09:01 and was cancelled: enough."
    )


async def test_why_finds_the_entry_that_stands_for_many_fires(world: World) -> None:
    task = await world.task("* * * * *")
    await fire_after(world, 1500 * MINUTE_S)
    said, entry = await _why(world, task, MONDAY_9 + 100 * MINUTE)
    assert said.startswith("Skipped at 10:40: missed while Nod was not running; this entry stands")
    assert entry is not None
    assert entry.missed_until is not None
    one, listed = await _why(world, task, entry.missed_until + 1)
    assert listed is not None
    assert listed.missed_until is None
    assert "missed by" in one


async def test_why_finds_a_fire_that_is_spread(world: World) -> None:
    task = await world.task("0 * * * *", spread_s=3000)
    due = task.next_fire_at or 0
    world.clock.set_wall(due)
    await fire_after(world, 0)
    entry = (await _why(world, task, due // MINUTE * MINUTE))[1]
    assert entry is not None


async def test_why_knows_a_task_that_is_called_and_one_that_has_ended(world: World) -> None:
    event = await world.task("event")
    assert (await _why(world, event, MONDAY_9))[0] == "Nothing called its trigger at 09:00."
    once = await world.task("once", run_at="2026-03-02T10:00:00Z")
    assert (await _why(world, once, MONDAY_9 + 2 * HOUR))[0] == (
        "It was not due at 11:00: it has no fire after that."
    )


async def test_why_says_when_nothing_is_recorded(world: World) -> None:
    task = await world.task("0 12 * * *")
    world.clock.advance(2 * HOUR_S)
    await _update(world, task, schedule="0 10 * * *")
    assert (await _why(world, task, MONDAY_9 + HOUR))[0] == (
        "Nothing is recorded for 10:00: the schedule was another one then, or the entry is older"
        " than Nod keeps them."
    )


@pytest.mark.parametrize(
    ("text", "timezone", "expected"),
    [
        ("09:00", "UTC", MONDAY_9),
        ("9:01", "UTC", MONDAY_9 + MINUTE - DAY),
        ("10:00", "Europe/Berlin", MONDAY_9),
        ("2026-03-01T09:00:00Z", "UTC", at("2026-03-01T09:00")),
    ],
)
def test_a_moment_is_a_time_or_the_last_such_time_of_day(
    text: str, timezone: str, expected: Instant
) -> None:
    assert tasks.moment(text, timezone, MONDAY_9) == expected


@pytest.mark.parametrize("text", ["24:00", "nine", "9"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="at must be a time"):
        tasks.moment(text, "UTC", MONDAY_9)
