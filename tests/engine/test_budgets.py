"""What tasks use up in a day is counted, and budgets ask their person and then stop fires."""

from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from nod.actions import agents, answers, tasks
from nod.actions.agents import AgentChanges
from nod.actions.decisions import DUE_DECISIONS
from nod.delivery.address_guard import AddressGuard
from nod.domain.budget import NOTHING, Budget, Used, used_by
from nod.domain.decisions import Answer, Verdict
from nod.domain.errors import Forbidden, InvalidInput
from nod.domain.limits import Limits
from nod.domain.model import Author, Run, Task
from nod.domain.task_fields import TaskFields
from nod.engine import settle
from nod.engine.settle import Usage
from nod.engine.sweep import SWEEPS
from support.steps import (
    DAY_S,
    HOUR_S,
    MINUTE_S,
    activity,
    call,
    called,
    complete,
    decisions,
    fire_after,
    newest,
    now,
    rescue_after,
    start,
    take_up,
    work_off,
)
from support.world import World, open_world

MONDAY = date(2026, 3, 2)


async def used_on(world: World, task: Task, day: date) -> Used:
    """What the task used on the day."""
    found = await world.store.read(lambda tx: tx.usage.of_task(task.id, day, day))
    return found[0].used if found else NOTHING


async def use(world: World, task: Task, **usage: Any) -> Run:
    """A call of the task whose run uses so much."""
    return await complete(world, await called(world, task), usage=Usage(**usage))


async def say(world: World, verdict: Verdict) -> None:
    """The person answers the one request that waits."""
    [asked] = await decisions(world)
    await world.store.write(
        lambda tx: answers.resolve(tx, world.vault, world.owner, asked.id, Answer(verdict))
    )


async def budget_of_agent(world: World, **budget: Any) -> None:
    """The person gives the agent a budget; nothing: none."""
    changes = AgentChanges(frozenset(["budget"]), budget=Budget(**budget))
    await world.store.write(
        lambda tx: agents.update_agent(tx, AddressGuard([]), world.agent, changes)
    )


async def change(world: World, task: Task, budget: Any, by: Author = "user") -> Task:
    fields = msgspec.convert({"budget": budget}, TaskFields)
    return await world.store.write(
        lambda tx: tasks.update(tx, world.vault, world.agent, task.id, fields, by)
    )


async def live_in(world: World, zone: str) -> None:
    """The person moves."""
    await world.store.write(lambda tx: tx.people.update_user(replace(world.owner, timezone=zone)))


# counting


async def test_a_run_counts_once_on_the_day_it_ends_whatever_is_reported_how_often(
    world: World,
) -> None:
    task = await world.task("event", overlap="allow")
    run = await take_up(world, await called(world, task))
    for tokens in (100, 250, 250):
        world.clock.advance(MINUTE_S)
        fresh = await world.run(run.id)
        spent = Usage(input_tokens=tokens, output_tokens=10, cost_usd=tokens / 1000)
        await world.store.write(partial(settle.record_usage, run=fresh, usage=spent))
    assert await used_on(world, task, MONDAY) == Used(0, 250, 10, 250_000, 0)
    await complete(world, run, usage=Usage(300, 20, 0.3))
    assert await used_on(world, task, MONDAY) == Used(1, 300, 20, 300_000, 3 * MINUTE_S * 1000)


async def test_the_wait_for_a_person_is_no_work(world: World) -> None:
    task = await world.task("event", overlap="allow")
    run = await take_up(world, await called(world, task))
    for _ in range(2):
        world.clock.advance(MINUTE_S)
        await world.store.write(lambda tx: _ask(tx, run.id))
        world.clock.advance(HOUR_S)
        await world.store.write(lambda tx: _go_on(tx, run.id))
    world.clock.advance(MINUTE_S)
    await world.store.write(lambda tx: _ask(tx, run.id))
    world.clock.advance(HOUR_S)
    await complete(world, run)
    assert (await used_on(world, task, MONDAY)).work_ms == 3 * MINUTE_S * 1000


async def _ask(tx: Any, run_id: str) -> None:
    await settle.ask(tx, await tx.runs.get(run_id))


async def _go_on(tx: Any, run_id: str) -> None:
    await settle.answer(tx, await tx.runs.get(run_id))


async def test_a_result_that_comes_late_is_no_second_run(world: World) -> None:
    task = await world.task("event", overlap="allow", timeout_s=60)
    run = await take_up(world, await called(world, task))
    await rescue_after(world, 2 * MINUTE_S)
    assert await used_on(world, task, MONDAY) == Used(1, 0, 0, 0, 2 * MINUTE_S * 1000)
    world.clock.advance(MINUTE_S)
    late = await complete(world, run, usage=Usage(5, 6, 0.01))
    assert late.late
    assert await used_on(world, task, MONDAY) == used_by(late)


async def test_what_the_agent_never_took_up_counts_as_no_run(world: World) -> None:
    task = await world.task("event", overlap="allow", budget={"runs": 1})
    run = await called(world, task)
    await world.store.write(lambda tx: tasks.remove(tx, world.agent, task.id))
    assert (await world.run(run.id)).status == "cancelled"
    assert await used_on(world, task, MONDAY) == NOTHING


async def test_days_are_those_of_the_owner_also_where_the_clock_is_changed(world: World) -> None:
    await live_in(world, "Europe/Berlin")
    task = await world.task("event", overlap="allow")
    # 29 March 2026 has 23 hours there: it ends at 22:00 UTC, the day before it at 23:00.
    world.clock.set_wall(1_774_738_799_000)  # 2026-03-28T22:59:59Z
    await use(world, task, input_tokens=1)
    world.clock.advance(1)
    await use(world, task, input_tokens=10)
    world.clock.advance(23 * HOUR_S - 1)
    await use(world, task, input_tokens=100)
    world.clock.advance(1)
    await use(world, task, input_tokens=1000)
    found = await world.store.read(
        lambda tx: tx.usage.of_agent(world.agent.id, date(2026, 3, 1), date(2026, 3, 31))
    )
    assert [(str(day), used.input_tokens) for day, used in found] == [
        ("2026-03-28", 1),
        ("2026-03-29", 110),
        ("2026-03-30", 1000),
    ]


# crossing


async def test_at_four_fifths_the_person_is_asked_once_and_at_all_of_it_fires_are_skipped(
    world: World,
) -> None:
    task = await world.task("event", overlap="allow", budget={"runs": 5})
    for _ in range(3):
        await use(world, task)
    assert await decisions(world) == []
    await use(world, task)
    [asked] = await decisions(world)
    assert (asked.kind, asked.task_id) == ("budget", task.id)
    assert asked.title == "Report: 4 of 5 runs used today. Go on?"
    assert asked.expires_at == world.clock.now() // (DAY_S * 1000) * DAY_S * 1000 + DAY_S * 1000
    assert (await use(world, task)).status == "completed"
    skipped = await called(world, task)
    assert skipped.status == "skipped"
    assert skipped.reason == "budget of this task for today used up: 5 of 5 runs"
    assert len(await decisions(world)) == 1
    assert [each.kind for each in await activity(world)] == ["decision_opened"]


@pytest.mark.parametrize(
    ("budget", "usage", "words"),
    [
        ({"tokens": 100}, {"input_tokens": 60, "output_tokens": 40}, "100 of 100 tokens"),
        ({"cost_usd": 0.5}, {"cost_usd": 0.51}, "$0.51 of $0.50"),
        ({"cost_usd": 9, "tokens": 5}, {"input_tokens": 6}, "6 of 5 tokens"),
    ],
)
async def test_tokens_and_dollars_are_stopped_like_runs(
    world: World, budget: dict[str, Any], usage: dict[str, Any], words: str
) -> None:
    task = await world.task("event", overlap="allow", budget=budget)
    await use(world, task, **usage)
    [asked] = await decisions(world)
    assert words in asked.title
    assert (await called(world, task)).reason == f"budget of this task for today used up: {words}"


async def test_minutes_count_while_the_run_is_under_way(world: World) -> None:
    task = await world.task("*/30 * * * *", overlap="allow", budget={"minutes": 20})
    await fire_after(world, 30 * MINUTE_S)
    await take_up(world, await newest(world, task))
    await fire_after(world, 30 * MINUTE_S)
    entry = await newest(world, task)
    assert entry.reason == "budget of this task for today used up: 30 of 20 minutes"
    assert (await world.runs(task))[0].status == "running"  # what is under way goes on


async def test_the_next_day_is_free_again(world: World) -> None:
    task = await world.task("0 9,10 * * *", budget={"runs": 1})
    await fire_after(world, HOUR_S)  # 10:00
    await complete(world, await newest(world, task))
    await fire_after(world, 23 * HOUR_S)  # 9:00
    assert (await newest(world, task)).status == "pending"
    await fire_after(world, HOUR_S)
    assert (await newest(world, task)).status == "skipped"


async def test_an_agents_budget_holds_for_all_its_tasks_together(world: World) -> None:
    first, second = [await world.task("event", overlap="allow") for _ in range(2)]
    await budget_of_agent(world, runs=2)
    third = await world.task("0 9 * * *")
    await use(world, first)
    await use(world, second)
    assert (await called(world, first)).reason == "budget of Ada for today used up: 2 of 2 runs"
    [asked] = await decisions(world)
    assert (asked.task_id, asked.title) == (None, "Ada: 2 of 2 runs used today. Go on?")
    world.clock.set_wall(world.clock.now() + DAY_S * 1000)
    await fire_after(world, 1)
    assert (await newest(world, third)).status == "pending"
    await budget_of_agent(world)
    assert not (await world.get(third)).budgeted
    for _ in range(3):
        assert (await use(world, first)).status == "completed"


async def test_going_on_lifts_the_budget_for_the_day(world: World) -> None:
    task = await world.task("event", overlap="allow", budget={"runs": 1})
    await use(world, task)
    await say(world, "approved")
    for _ in range(3):
        assert (await use(world, task)).status == "completed"
    assert await decisions(world) == []
    world.clock.advance(DAY_S)
    await use(world, task)
    assert (await called(world, task)).status == "skipped"


async def test_stopping_skips_from_then_on(world: World) -> None:
    task = await world.task("event", overlap="allow", budget={"runs": 5})
    for _ in range(4):
        await use(world, task)
    await say(world, "rejected")
    assert (await called(world, task)).reason == (
        "budget of this task: stopped for today by a person, at 4 of 5 runs"
    )
    world.clock.advance(DAY_S)
    assert (await use(world, task)).status == "completed"


async def test_dismissing_the_question_leaves_the_budget_as_it_is(world: World) -> None:
    task = await world.task("event", overlap="allow", budget={"runs": 5})
    for _ in range(4):
        await use(world, task)
    await say(world, "dismissed")
    assert (await use(world, task)).status == "completed"
    assert (await called(world, task)).status == "skipped"
    assert await decisions(world) == []


async def test_the_agent_hears_nothing_of_the_answer(world: World) -> None:
    task = await world.task("event", overlap="allow", budget={"runs": 1})
    await use(world, task)
    before = await world.store.read(lambda tx: tx.events.feed(world.agent.id, 0, 100))
    await say(world, "approved")
    assert await world.store.read(lambda tx: tx.events.feed(world.agent.id, 0, 100)) == before


# what a budget stops, and what it does not


async def test_a_person_may_run_it_all_the_same_and_an_agent_may_not(world: World) -> None:
    task = await world.task("event", overlap="allow", budget={"runs": 1})
    await use(world, task)
    by_agent = await start(world, task)
    assert (by_agent.status, by_agent.trigger) == ("skipped", "manual")
    assert (await complete(world, await now(world, task))).status == "completed"


async def test_what_waited_behind_a_run_does_not_begin_beyond_the_budget(world: World) -> None:
    task = await world.task("event", overlap="queue", budget={"tokens": 100})
    first = await called(world, task)
    waiting = [await called(world, task) for _ in range(3)]
    by_hand = await now(world, task)
    await complete(world, first, usage=Usage(input_tokens=100))
    assert [(await world.run(run.id)).status for run in waiting] == ["skipped"] * 3
    assert not (await world.run(by_hand.id)).queued


async def test_a_retry_does_not_begin_beyond_the_budget(world: World) -> None:
    task = await world.task(
        "event", overlap="allow", budget={"tokens": 100}, max_attempts=2, idempotent=True
    )
    await complete(world, await called(world, task), "failed", usage=Usage(input_tokens=100))
    await rescue_after(world, HOUR_S)
    retry = next(run for run in await world.runs(task) if run.trigger == "retry")
    assert (retry.status, (retry.reason or "")[:6]) == ("skipped", "budget")


async def test_a_retry_within_the_budget_begins(world: World) -> None:
    task = await world.task(
        "event", overlap="allow", budget={"runs": 2}, max_attempts=2, idempotent=True
    )
    await complete(world, await called(world, task), "failed")
    assert (await called(world, task)).status == "skipped"  # the retry has the other one
    await rescue_after(world, HOUR_S)
    retry = next(run for run in await world.runs(task) if run.trigger == "retry")
    assert (retry.status, retry.queued) == ("pending", False)


async def test_beyond_the_budget_a_newer_run_cancels_no_earlier_one(world: World) -> None:
    task = await world.task("event", overlap="cancel_previous", budget={"runs": 1})
    going = await take_up(world, await called(world, task))
    skipped = await called(world, task)
    assert skipped.status == "skipped"
    assert (await world.run(going.id)).status == "running"


async def test_a_repeated_call_is_answered_with_the_entry(world: World) -> None:
    task = await world.task("event", overlap="allow", budget={"runs": 1})
    await use(world, task)
    made = await call(world, task, key="k")
    assert await call(world, task, key="k") == made


async def test_of_many_missed_fires_no_more_run_than_the_budget_has(world: World) -> None:
    task = await world.task("0 * * * *", overlap="allow", catch_up="all", budget={"runs": 3})
    await fire_after(world, 6 * HOUR_S)
    made = await world.runs(task)
    assert [run.status for run in made] == ["pending"] * 3 + ["skipped"] * 3
    assert len(await decisions(world)) == 1


async def test_with_its_agent_a_run_under_way_is_counted_and_nobody_is_asked(world: World) -> None:
    task = await world.task("event", overlap="allow", budget={"runs": 1})
    await take_up(world, await called(world, task))
    [asked] = await decisions(world)
    await world.store.write(lambda tx: agents.remove_agent(tx, world.agent))
    assert (await used_on(world, task, MONDAY)).runs == 1
    found = await world.store.read(lambda tx: tx.chat.decision(asked.id))
    assert found is not None
    assert found.status == "dismissed"


# changing it


async def test_another_budget_asks_anew_and_counts_what_was_used(world: World) -> None:
    task = await world.task("event", overlap="allow", budget={"runs": 1})
    await use(world, task)
    await say(world, "rejected")
    await change(world, task, {"runs": 3})
    assert (await use(world, task)).status == "completed"
    assert (await use(world, task)).status == "completed"
    [asked] = await decisions(world)
    assert "3 of 3 runs" in asked.title
    await change(world, task, None)
    assert await decisions(world) == []
    assert (await called(world, task)).status == "pending"


async def test_an_agent_may_tighten_a_persons_budget_and_not_loosen_it(world: World) -> None:
    task = await world.task("event", budget={"runs": 5})
    for looser in (None, {"runs": 6}, {"tokens": 5}):
        with pytest.raises(Forbidden, match="5 runs a day"):
            await change(world, task, looser, "agent")
    tighter = await change(world, task, {"runs": 4, "tokens": 9}, "agent")
    assert tighter.budget_by == "user"
    with pytest.raises(Forbidden):
        await change(world, task, {"runs": 5}, "agent")
    await change(world, task, None)
    assert (await change(world, task, {"runs": 5}, "agent")).budget_by == "agent"
    assert (await change(world, task, None, "agent")).budget is None


@pytest.mark.parametrize(
    "budget", [{"runs": 0}, {"tokens": -1}, {"cost_usd": 0.001}, {"minutes": 10**12 + 1}]
)
async def test_a_budget_of_nothing_is_refused(world: World, budget: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match=f"budget.{next(iter(budget))} must be between"):
        await world.task("event", budget=budget)


# keeping


async def test_days_outlive_their_runs_and_go_after_usage_s(tmp_path: Path) -> None:
    limits = Limits(retention_s=DAY_S, retention_runs=0, usage_s=10 * DAY_S)
    async with open_world(tmp_path, limits) as world:
        task = await world.task("event", overlap="allow", budget={"runs": 1})
        await use(world, task)
        world.clock.advance(10 * DAY_S)
        await _sweep(world)
        assert await world.runs(task) == []
        assert (await used_on(world, task, MONDAY)).runs == 1
        world.clock.advance(DAY_S)
        await _sweep(world)
        assert await used_on(world, task, MONDAY) == NOTHING
        known = await world.store.read(lambda tx: tx.usage.budget_day(task.id, MONDAY))
        assert known is None


async def _sweep(world: World) -> None:
    for remove in SWEEPS.values():
        while await world.store.write(remove):
            pass


async def test_the_question_is_over_at_midnight(world: World) -> None:
    task = await world.task("event", overlap="allow", budget={"runs": 1})
    await use(world, task)
    world.clock.advance(15 * HOUR_S - 1)
    await work_off(world, DUE_DECISIONS)
    assert len(await decisions(world)) == 1
    world.clock.advance(1)
    await work_off(world, DUE_DECISIONS)
    assert await decisions(world) == []
    # Nothing follows from that, so nobody is told.
    assert [each.kind for each in await activity(world)] == ["decision_opened"]
