"""What comes back from the agent: taking up, notes, output, the result."""

import pytest

from nod.actions import answers, chat, decisions
from nod.actions.agents import create_agent
from nod.delivery.address_guard import AddressGuard
from nod.domain.decisions import Answer
from nod.domain.errors import Conflict, InvalidInput, NotFound, TooLarge
from nod.domain.instant import HOUR, SECOND
from nod.domain.model import Agent, Channel, ContextBlock, Run
from nod.engine import settle
from nod.engine.ending import cancel
from nod.engine.settle import Usage
from support.clock import MONDAY_9
from support.steps import (
    HOUR_S,
    MINUTE_S,
    called,
    complete,
    deliver,
    events,
    fire_after,
    newest,
    now,
    rescue_after,
    start,
    take_up,
)
from support.world import World

BLOCK = 64 * 1024


async def _add(world: World, run: Run, text: str) -> ContextBlock:
    return await world.store.write(lambda tx: settle.add_context(tx, world.agent, run.id, text))


async def _context(world: World, run: Run) -> list[str]:
    found = await world.store.write(lambda tx: settle.context(tx, world.agent, run.id))
    return [block.text for block in found]


async def _put(world: World, run: Run, text: str) -> Run:
    return await world.store.write(lambda tx: settle.put_output(tx, world.agent, run.id, text))


async def _summary(world: World, run: Run) -> str | None:
    fresh = await world.run(run.id)
    return await world.store.read(lambda tx: settle.summary_of(tx, fresh))


async def _say(world: World, run: Run, text: str) -> None:
    fields = chat.MessageFields(text=text, task_run_id=run.id)
    await world.store.write(lambda tx: chat.agent_message(tx, world.agent, fields))


async def _ended(world: World, how: str) -> Run:
    run = await now(world, await world.task(overlap="allow"))
    if how == "cancelled":
        return await world.store.write(lambda tx: cancel(tx, run, "enough"))
    return await complete(world, run, "failed" if how == "failed" else "completed")


# taking up


@pytest.mark.parametrize(
    ("via", "delivery"), [("websocket", "delivered"), ("webhook", "delivered"), ("poll", "polled")]
)
async def test_naming_a_run_takes_it_up_and_acknowledges_its_event(
    world: World, via: Channel, delivery: str
) -> None:
    run = await now(world, await world.task())
    taken = await world.store.write(lambda tx: settle.take_up(tx, run, via))
    assert (taken.status, taken.delivery, taken.started_at) == ("running", delivery, MONDAY_9)
    assert taken.deadline_at == MONDAY_9 + 3600 * SECOND
    (event,) = await events(world, run)
    assert (event.state, event.channel) == ("acknowledged", via)


async def test_a_runs_time_counts_from_its_delivery_and_taking_up_renews_it(world: World) -> None:
    run = await deliver(world, await now(world, await world.task(timeout_s=100)))
    world.clock.advance(40)
    taken = await take_up(world, run)
    assert (taken.delivered_at, taken.delivery) == (MONDAY_9, "delivered")
    assert taken.deadline_at == MONDAY_9 + 140 * SECOND
    assert taken.last_deadline_at == MONDAY_9 + 24 * HOUR


async def test_taking_up_twice_changes_nothing(world: World) -> None:
    taken = await take_up(world, await now(world, await world.task()))
    world.clock.advance(5)
    assert await world.store.write(lambda tx: settle.take_up(tx, taken)) == taken


async def test_start_takes_up_the_oldest_run_that_waits(world: World) -> None:
    task = await world.task("0 * * * *", overlap="allow")
    await fire_after(world, HOUR_S)
    await fire_after(world, HOUR_S)
    first, second = await world.runs(task)
    assert (await start(world, task)).id == first.id
    assert (await start(world, task)).id == second.id
    third = await start(world, task)
    assert third.id not in (first.id, second.id)
    assert (third.trigger, third.status) == ("manual", "running")
    assert [event.state for event in await events(world, third)] == ["acknowledged"]


async def test_start_does_not_take_a_retry_before_its_time(world: World) -> None:
    task = await world.task(max_attempts=2, idempotent=True)
    await complete(world, await now(world, task), "failed")
    retry = await newest(world, task)
    assert retry.trigger == "retry"
    assert (await start(world, task)).id != retry.id
    world.clock.advance(5 * MINUTE_S)
    assert (await start(world, task)).id == retry.id


async def test_start_finds_a_waiting_run_also_after_the_clock_was_set_back(world: World) -> None:
    task = await world.task()
    run = await now(world, task)
    world.clock.set_wall(MONDAY_9 - HOUR)
    assert await world.store.read(lambda tx: tx.runs.due_tasks(world.agent.id, tx.now)) == [task]
    assert (await start(world, task)).id == run.id


async def test_a_queued_run_can_be_started_by_its_agent(world: World) -> None:
    task = await world.task("event")
    await take_up(world, await called(world, task))
    second = await called(world, task)
    taken = await start(world, task)
    assert (taken.id, taken.queued) == (second.id, False)
    assert [event.state for event in await events(world, second)] == ["acknowledged"]


@pytest.mark.parametrize("run_id", ["run_none", "of another agent"])
async def test_another_agents_run_is_not_there(world: World, run_id: str) -> None:
    run = await now(world, await world.task())
    stranger = await _stranger(world)
    wanted = run.id if run_id == "of another agent" else run_id
    with pytest.raises(NotFound, match="there is no run"):
        await world.store.read(lambda tx: settle.get_own(tx, stranger, wanted))


async def _stranger(world: World) -> Agent:

    made = await world.store.write(
        lambda tx: create_agent(tx, world.vault, AddressGuard(()), world.owner, "Bob")
    )
    return made.agent


# signs of life


async def test_a_sign_of_life_renews_the_lease(world: World) -> None:
    run = await take_up(world, await now(world, await world.task(timeout_s=100)))
    world.clock.advance(60)
    assert (await take_up(world, run)).deadline_at == MONDAY_9 + 160 * SECOND


async def test_no_sign_of_life_moves_the_deadline_beyond_the_longest_working_time(
    world: World,
) -> None:
    run = await take_up(world, await now(world, await world.task(timeout_s=3600)))
    for _ in range(30):
        world.clock.advance(3000)
        run = await take_up(world, run)
        if run.deadline_at == run.last_deadline_at:
            break
    assert run.deadline_at == MONDAY_9 + world.limits.timeout_max_s * SECOND


@pytest.mark.parametrize("how", ["completed", "failed", "cancelled"])
async def test_a_run_that_has_ended_shows_no_sign_of_life(world: World, how: str) -> None:
    with pytest.raises(Conflict, match=f"is {how}"):
        await take_up(world, await _ended(world, how))


async def test_waiting_for_a_person_does_not_count_as_working(world: World) -> None:
    run = await take_up(world, await now(world, await world.task(timeout_s=100)))
    waiting = await world.store.write(lambda tx: settle.ask(tx, run))
    assert (waiting.status, waiting.deadline_at) == ("waiting", None)
    assert await world.store.write(lambda tx: settle.ask(tx, waiting)) == waiting
    await rescue_after(world, 48 * HOUR_S)
    assert await take_up(world, waiting) == waiting
    going = await world.store.write(lambda tx: settle.answer(tx, waiting))
    assert (going.status, going.deadline_at) == ("running", world.clock.now() + 100 * SECOND)
    assert going.last_deadline_at == MONDAY_9 + (24 + 48) * HOUR
    assert await world.store.write(lambda tx: settle.answer(tx, going)) == going


async def test_a_run_waits_until_its_last_question_is_answered(world: World) -> None:

    run = await now(world, await world.task())
    fields = decisions.DecisionFields(title="May I?", task_run_id=run.id)
    asked = [
        await world.store.write(lambda tx: decisions.open_decision(tx, world.agent, fields))
        for _ in range(2)
    ]
    for decision, status in zip(asked, ("waiting", "running"), strict=True):
        await world.store.write(
            lambda tx, it=decision: answers.resolve(  # type: ignore[misc]
                tx, world.vault, world.owner, it.id, Answer("approved")
            )
        )
        assert (await world.run(run.id)).status == status


# the scratchpad


async def test_notes_are_kept_in_order_and_take_the_run_up(world: World) -> None:
    run = await now(world, await world.task())
    assert (await _add(world, run, "one")).id == 1
    assert (await _add(world, run, "two")).id == 2
    assert await _context(world, run) == ["one", "two"]
    assert (await world.run(run.id)).status == "running"


@pytest.mark.parametrize("letter", ["a", "ä", "界", "🐍"])
async def test_a_block_holds_exactly_64_kib_of_utf8(world: World, letter: str) -> None:
    run = await now(world, await world.task())
    full = letter * (BLOCK // len(letter.encode()))
    full += "." * (BLOCK - len(full.encode()))
    await _add(world, run, full)
    with pytest.raises(TooLarge, match="holds at most 65536 bytes; this one has 65537"):
        await _add(world, run, full + ".")


async def test_a_scratchpad_holds_exactly_1_mib_of_utf8(world: World) -> None:
    run = await now(world, await world.task())
    for _ in range(15):
        await _add(world, run, "é" * (BLOCK // 2))
    await _add(world, run, "é" * (BLOCK // 2 - 1) + ".")
    with pytest.raises(TooLarge, match="1048575 are used and this block has 2"):
        await _add(world, run, "é")
    assert (await _add(world, run, ".")).id == 17


async def test_the_scratchpad_is_empty_after_the_end_and_takes_no_more(world: World) -> None:
    run = await now(world, await world.task())
    await _add(world, run, "note")
    await complete(world, run)
    assert await _context(world, run) == []
    with pytest.raises(Conflict, match="is completed"):
        await _add(world, run, "more")


async def test_reading_the_scratchpad_takes_the_run_up(world: World) -> None:
    run = await now(world, await world.task())
    assert await _context(world, run) == []
    assert (await world.run(run.id)).status == "running"


# output


async def test_output_can_be_set_before_and_after_completion(world: World) -> None:
    run = await now(world, await world.task())
    assert (await _put(world, run, "draft")).status == "running"
    await complete(world, run, summary="short")
    assert await _summary(world, run) == "draft"
    assert (await _put(world, run, "final")).status == "completed"
    assert await _summary(world, run) == "final"


async def test_output_holds_exactly_1_mib_of_utf8(world: World) -> None:
    run = await now(world, await world.task())
    await _put(world, run, "é" * (512 * 1024))
    with pytest.raises(TooLarge, match="holds at most 1048576 bytes; this one has 1048577"):
        await _put(world, run, "é" * (512 * 1024) + ".")


async def test_a_run_that_did_not_happen_has_no_output(world: World) -> None:
    with pytest.raises(Conflict, match="is cancelled"):
        await _put(world, await _ended(world, "cancelled"), "text")
    task = await world.task("0 10 * * *", enabled=False)
    await fire_after(world, HOUR_S)
    with pytest.raises(Conflict, match="is skipped"):
        await _put(world, await newest(world, task), "text")


async def test_the_deliverable_is_output_else_summary_else_messages(world: World) -> None:
    run = await now(world, await world.task())
    assert await _summary(world, run) is None
    await _say(world, run, "first")
    await _say(world, run, "second")
    assert await _summary(world, run) == "first\n\nsecond"
    await complete(world, run, summary="")
    assert await _summary(world, run) == "first\n\nsecond"
    await _put(world, run, "")
    assert await _summary(world, run) == ""


async def test_an_empty_summary_stays_empty_where_nothing_was_said(world: World) -> None:
    run = await complete(world, await now(world, await world.task()), summary="")
    assert await _summary(world, run) == ""
    other = await complete(world, await now(world, await world.task()), summary="Fine.")
    assert await _summary(world, other) == "Fine."


# the result


async def test_a_summary_has_at_most_a_thousand_characters(world: World) -> None:
    run = await now(world, await world.task())
    with pytest.raises(InvalidInput, match="1001 characters, at most 1000 fit"):
        await complete(world, run, summary="é" * 1001)
    assert (await world.run(run.id)).status == "pending"
    assert (await complete(world, run, summary="é" * 1000)).status == "completed"


@pytest.mark.parametrize("outcome", ["completed", "failed"])
async def test_the_same_result_again_answers_the_first(
    world: World, outcome: settle.Outcome
) -> None:
    run = await now(world, await world.task())
    first = await complete(world, run, outcome, "the first")
    world.clock.advance(5)
    assert await complete(world, run, outcome, "the second") == first


@pytest.mark.parametrize(("first", "second"), [("completed", "failed"), ("failed", "completed")])
async def test_another_result_is_refused(
    world: World, first: settle.Outcome, second: settle.Outcome
) -> None:
    run = await now(world, await world.task())
    await complete(world, run, first, "the first")
    with pytest.raises(Conflict, match=f"is {first}"):
        await complete(world, run, second, "the second")
    assert (await world.run(run.id)).summary == "the first"


@pytest.mark.parametrize("outcome", ["completed", "failed"])
async def test_a_cancelled_run_takes_no_result(world: World, outcome: settle.Outcome) -> None:
    with pytest.raises(Conflict, match=r"is cancelled \(enough\)"):
        await complete(world, await _ended(world, "cancelled"), outcome)


@pytest.mark.parametrize(
    ("summary", "error"),
    [
        ("# Disk full\n\nAll of it.", "agent: Disk full"),
        ("\n  no luck \n", "agent: no luck"),
        ("###\nreally", "agent: really"),
        ("", "agent: reported as failed, without a summary"),
        ("#\n\n", "agent: reported as failed, without a summary"),
    ],
)
async def test_what_the_agent_calls_a_failure_is_told_by_its_first_line(
    world: World, summary: str, error: str
) -> None:
    failed = await complete(world, await now(world, await world.task()), "failed", summary)
    assert (failed.error, failed.summary) == (error, summary)


async def test_a_result_is_kept_with_what_it_cost(world: World) -> None:
    run = await now(world, await world.task())
    taken = await take_up(world, run)
    await world.store.write(lambda tx: settle.record_usage(tx, taken, Usage(10, 20, 0.5)))
    done = await complete(world, run, usage=Usage(output_tokens=25))
    assert (done.input_tokens, done.output_tokens, done.cost_usd) == (10, 25, 0.5)
    dear = await complete(world, await now(world, await world.task()), usage=Usage(0, 0, 0.0))
    assert (dear.input_tokens, dear.output_tokens, dear.cost_usd) == (0, 0, 0.0)


async def test_a_result_makes_the_task_bubble_and_replaces_none(world: World) -> None:
    run = await now(world, await world.task())
    await _say(world, run, "working on it")
    await complete(world, run, summary="All is well.")
    where = await world.store.read(lambda tx: tx.chat.default_conversation(world.agent.id))
    shown = await world.store.read(lambda tx: tx.chat.messages(where.id, 10))
    assert [(each.kind, each.text) for each in shown] == [("task", "All is well.")]


# results that come late


async def test_a_result_after_the_timeout_is_kept_and_marked(world: World) -> None:
    run = await deliver(world, await now(world, await world.task()))
    await rescue_after(world, HOUR_S)
    assert (await world.run(run.id)).error == "timeout: delivered, and not taken up for 1 h"
    world.clock.advance(60)
    late = await complete(world, run, summary="At last.", usage=Usage(1))
    assert (late.status, late.late, late.summary, late.input_tokens) == (
        "completed",
        True,
        "At last.",
        1,
    )
    assert late.finished_at == world.clock.now()
    with pytest.raises(Conflict):
        await complete(world, run, "failed")


async def test_a_failure_after_the_timeout_changes_nothing(world: World) -> None:
    run = await take_up(world, await now(world, await world.task()))
    await rescue_after(world, HOUR_S)
    timed_out = await complete(world, run, "failed", "too bad")
    assert timed_out.error == "timeout: no sign of life for 1 h"
    assert timed_out.summary is None


async def test_a_late_result_cancels_the_retry_that_waits_and_is_the_tasks_last(
    world: World,
) -> None:
    task = await world.task(max_attempts=3)
    run = await deliver(world, await now(world, task))
    await rescue_after(world, HOUR_S)
    await complete(world, run)
    retry = await newest(world, task)
    assert (retry.trigger, retry.status) == ("retry", "cancelled")
    assert retry.reason == "the first attempt's result came after all"
    assert (await world.get(task)).last_run_status == "completed"


async def test_a_late_result_cancels_also_the_retry_of_a_retry(world: World) -> None:
    task = await world.task(max_attempts=3)
    run = await deliver(world, await now(world, task))
    await rescue_after(world, HOUR_S)
    await deliver(world, await newest(world, task))
    await rescue_after(world, HOUR_S)
    await complete(world, run)
    assert [each.status for each in await world.runs(task)] == ["completed", "failed", "cancelled"]


async def test_a_late_result_leaves_a_retry_alone_that_is_under_way(world: World) -> None:
    task = await world.task(max_attempts=2)
    run = await deliver(world, await now(world, task))
    await rescue_after(world, HOUR_S)
    retry = await take_up(world, await newest(world, task))
    await complete(world, run)
    assert (await world.run(retry.id)).status == "running"
