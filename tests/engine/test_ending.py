"""What follows from a run's end: the next one's turn, another attempt, what the person is told."""

import msgspec
import pytest

from nod.actions import decisions, tasks
from nod.domain.errors import Conflict
from nod.domain.instant import HOUR, MINUTE
from nod.domain.model import Task
from nod.domain.task_fields import TaskFields
from nod.engine import settle
from nod.engine.attempts import hand_out_triggers
from nod.engine.ending import cancel, cancel_all, end
from support.clock import MONDAY_9
from support.steps import (
    DAY_S,
    HOUR_S,
    MINUTE_S,
    activity,
    call,
    called,
    complete,
    deliver,
    events,
    fire_after,
    newest,
    now,
    rescue,
    rescue_after,
    take_up,
)
from support.world import World

# the queue


@pytest.mark.parametrize("how", ["completed", "failed", "cancelled", "timed out"])
async def test_the_next_in_the_queue_goes_however_the_one_before_ends(
    world: World, how: str
) -> None:
    task = await world.task("event")
    first, second, third = [await called(world, task) for _ in range(3)]
    assert (second.queued, third.queued) == (True, True)
    first = await take_up(world, first)
    world.effects.clear()
    if how == "cancelled":
        await world.store.write(lambda tx: cancel(tx, first, "enough"))
    elif how == "timed out":
        await rescue_after(world, HOUR_S)
    else:
        await complete(world, first, "completed" if how == "completed" else "failed")
    assert not (await world.run(second.id)).queued
    assert (await world.run(third.id)).queued
    (event,) = await events(world, second)
    assert (event.state, event.not_before) == ("pending", world.clock.now())
    assert event.expires_at == world.clock.now() + 24 * HOUR
    told = [out for effects in world.effects for out in effects.outbox]
    assert [(out.event.id, out.payload is not None) for out in told] == [(event.id, True)]


async def test_a_run_that_is_skipped_for_its_age_lets_the_next_one_go(world: World) -> None:
    task = await world.task("event", useful_until="10m")
    first = await called(world, task)
    world.clock.advance(5 * MINUTE_S)
    second = await called(world, task)
    await rescue_after(world, 5 * MINUTE_S)
    assert (await world.run(first.id)).status == "skipped"
    assert not (await world.run(second.id)).queued


async def test_a_queued_run_past_its_use_never_gets_its_turn(world: World) -> None:
    task = await world.task("event", useful_until="10m")
    first = await take_up(world, await called(world, task))
    second = await called(world, task)
    world.clock.advance(20 * MINUTE_S)
    world.effects.clear()
    await complete(world, first)
    assert not any(effects.outbox for effects in world.effects)
    assert world.effects[-1].timers["rescue"] == MONDAY_9 + 10 * MINUTE
    await rescue(world)
    ended = await world.run(second.id)
    assert (ended.status, ended.reason) == (
        "skipped",
        "useful until 09:10; the agent was not reached by then",
    )


async def test_all_of_a_task_can_be_cancelled_at_once(world: World) -> None:
    task = await world.task("event")
    for _ in range(3):
        await called(world, task)
    world.effects.clear()
    active = await world.store.read(lambda tx: tx.runs.active(task.id))
    await world.store.write(lambda tx: cancel_all(tx, active, "enough"))
    assert {run.status for run in await world.runs(task)} == {"cancelled"}
    assert not any(effects.outbox for effects in world.effects)


async def test_the_end_of_a_run_closes_its_questions_and_buries_its_event(world: World) -> None:
    run = await now(world, await world.task())
    world.clock.advance(1)
    ended = await world.store.write(lambda tx: cancel(tx, run, "enough"))
    assert ended.finished_at == world.clock.now()
    (event,) = await events(world, run)
    assert (event.state, event.error) == ("dead", "enough")

    other = await now(world, await world.task())
    fields = decisions.DecisionFields(title="May I?", task_run_id=other.id)
    asked = await world.store.write(lambda tx: decisions.open_decision(tx, world.agent, fields))
    await complete(world, other)
    closed = await world.store.read(lambda tx: tx.chat.decision(asked.id))
    assert closed is not None
    assert closed.status == "dismissed"


async def test_a_polled_event_is_buried_with_its_run(world: World) -> None:
    run = await called(world, await world.task("event"))
    await world.store.write(lambda tx: hand_out_triggers(tx, world.agent))
    fresh = await world.run(run.id)
    assert fresh.delivery == "polled"
    await world.store.write(lambda tx: cancel(tx, fresh, "enough"))
    assert [event.state for event in await events(world, run)] == ["dead"]


async def test_what_an_undeliverable_run_says(world: World) -> None:
    run = await now(world, await world.task())
    ended = await world.store.write(
        lambda tx: end(tx, run, "undeliverable", error="delivery: nobody there")
    )
    assert (ended.status, ended.delivery, ended.error) == (
        "failed",
        "failed",
        "delivery: nobody there",
    )


# another attempt


async def test_only_a_run_that_was_never_taken_up_is_tried_again(world: World) -> None:
    task = await world.task(max_attempts=2)
    run = await deliver(world, await now(world, task))
    await rescue_after(world, HOUR_S)
    retry = await newest(world, task)
    assert (retry.trigger, retry.attempt, retry.retry_of) == ("retry", 2, run.id)
    assert retry.scheduled_for == world.clock.now() + 5 * MINUTE

    other = await world.task(max_attempts=2)
    await complete(world, await now(world, other), "failed")
    assert len(await world.runs(other)) == 1


async def test_an_idempotent_task_is_tried_again_after_5_15_and_30_minutes(world: World) -> None:
    task = await world.task(max_attempts=5, idempotent=True)
    await now(world, task)
    delays = []
    for _ in range(5):
        run = await newest(world, task)
        await complete(world, run, "failed")
        again = await newest(world, task)
        delays.append((again.scheduled_for - world.clock.now()) // MINUTE)
        world.clock.set_wall(again.scheduled_for)
    assert delays[:4] == [5, 15, 30, 30]
    runs = await world.runs(task)
    assert [run.attempt for run in runs] == [1, 2, 3, 4, 5]
    assert (await world.get(task)).failures == 1


async def test_a_retry_keeps_the_payload_and_waits_for_its_time(world: World) -> None:
    task = await world.task("event", max_attempts=2, idempotent=True)
    made = await call(world, task, body='{"a":1}')
    world.effects.clear()
    await complete(world, await world.run(made.run_id), "failed")
    retry = await newest(world, task)
    payload = await world.store.read(lambda tx: tx.runs.payload(retry.id))
    assert payload is not None
    assert payload.payload == '{"a":1}'
    (event,) = await events(world, retry)
    assert (event.type, event.state, event.not_before) == (
        "task_trigger",
        "held",
        retry.scheduled_for,
    )
    # It is not sent now; the stage that lets it go is told when.
    assert not any(effects.outbox for effects in world.effects)
    assert world.effects[-1].timers["rescue"] == retry.scheduled_for


async def test_a_retry_of_a_run_by_hand_is_no_call(world: World) -> None:
    task = await world.task("event", max_attempts=2, idempotent=True)
    await complete(world, await now(world, task), "failed")
    (event,) = await events(world, await newest(world, task))
    assert event.type == "task_due"
    assert msgspec.json.decode(event.body)["schedule"] == "event"


async def test_the_next_fire_overtakes_a_retry_that_waits(world: World) -> None:
    task = await world.task("*/3 * * * *", max_attempts=2, idempotent=True)
    await fire_after(world, 3 * MINUTE_S)
    await complete(world, await newest(world, task), "failed")
    await fire_after(world, 3 * MINUTE_S)
    by_trigger = {run.trigger: run for run in await world.runs(task) if run.status != "failed"}
    assert by_trigger["retry"].status == "cancelled"
    assert by_trigger["schedule"].status == "pending"


@pytest.mark.parametrize(("useful_until", "runs"), [("5m", 1), ("301s", 2)])
async def test_nothing_is_tried_again_beyond_its_use(
    world: World, useful_until: str, runs: int
) -> None:
    task = await world.task(max_attempts=2, idempotent=True, useful_until=useful_until)
    first = await now(world, task)
    await complete(world, first, "failed")
    found = await world.runs(task)
    assert len(found) == runs
    assert {run.useful_until for run in found} == {first.useful_until}


async def test_a_removed_task_is_told_nothing_and_tries_nothing_again(world: World) -> None:
    task = await world.task(max_attempts=2, idempotent=True)
    run = await take_up(world, await now(world, task))
    await world.store.write(lambda tx: tasks.remove(tx, world.agent, task.id))
    ended = await world.run(run.id)
    assert (ended.status, ended.reason) == ("cancelled", "its task was removed")
    assert len(await world.runs(task)) == 1


async def test_a_late_result_of_a_removed_task_is_kept_and_tells_nobody(world: World) -> None:
    task = await world.task()
    run = await deliver(world, await now(world, task))
    await rescue_after(world, HOUR_S)
    await world.store.write(lambda tx: tasks.remove(tx, world.agent, task.id))
    assert (await complete(world, run)).late
    assert (await world.get(task)).last_run_status == "failed"


# failures in a row


async def _fail(world: World, task: Task, times: int) -> None:
    for _ in range(times):
        await complete(world, await now(world, task), "failed", "no luck")


async def _told(world: World) -> list[tuple[str, str]]:
    return [(line.kind, line.text) for line in await activity(world)]


async def test_the_person_is_told_once_after_three_failures_and_when_it_works_again(
    world: World,
) -> None:
    task = await world.task()
    await _fail(world, task, 2)
    assert await _told(world) == []
    await _fail(world, task, 3)
    failing = ("task_failing", "3 failures in a row, the last: agent: no luck")
    assert await _told(world) == [failing]
    assert (await world.get(task)).failures == 5
    await complete(world, await now(world, task))
    works = ("task_recovered", "It works again, after 5 failures in a row.")
    assert await _told(world) == [failing, works]
    assert (await world.get(task)).failures == 0
    await complete(world, await now(world, task))
    assert len(await _told(world)) == 2


async def test_two_failures_are_no_news_when_it_works_again(world: World) -> None:
    task = await world.task()
    await _fail(world, task, 2)
    await complete(world, await now(world, task))
    assert await _told(world) == []


async def test_a_task_that_goes_on_failing_pauses_itself(world: World) -> None:
    task = await world.task(pause_after_failures=4)
    await _fail(world, task, 4)
    after = await world.get(task)
    reason = "4 failures in a row, the last: agent: no luck"
    assert (after.enabled, after.pause_reason) == (False, reason)
    assert (await _told(world))[-1] == ("task_paused", reason)
    where = await world.store.read(lambda tx: tx.chat.default_conversation(world.agent.id))
    shown = await world.store.read(lambda tx: tx.chat.messages(where.id, 100))
    notices = [each.text for each in shown if each.kind == "notice"]
    assert notices[0] == f"Report is paused: {reason}"
    await fire_after(world, DAY_S)
    assert (await newest(world, task)).reason == f"paused: {reason}"
    # It stays paused, and that is said once.
    await _fail(world, task, 1)
    assert [kind for kind, _ in await _told(world)].count("task_paused") == 1


@pytest.mark.parametrize("door", ["resume", "edit"])
async def test_a_task_resumed_by_a_person_begins_to_count_anew(world: World, door: str) -> None:
    task = await world.task(pause_after_failures=2)
    await _fail(world, task, 2)
    if door == "resume":
        await world.store.write(lambda tx: tasks.resume(tx, world.agent, task.id))
    else:
        fields = TaskFields(enabled=True)
        await world.store.write(
            lambda tx: tasks.update(tx, world.vault, world.agent, task.id, fields)
        )
    await _fail(world, task, 1)
    after = await world.get(task)
    assert (after.enabled, after.failures, after.pause_reason) == (True, 1, None)


async def test_a_cancelled_run_is_no_failure(world: World) -> None:
    task = await world.task()
    await _fail(world, task, 1)
    run = await now(world, task)
    await world.store.write(lambda tx: cancel(tx, run, "enough"))
    after = await world.get(task)
    assert (after.last_run_status, after.failures) == ("cancelled", 1)


async def test_an_approval_only_agents_run_makes_no_bubble(world: World) -> None:
    run = await now(world, await world.task())
    await world.store.write(lambda tx: tx.people.remove_agent(world.agent.id, tx.now))
    await complete(world, run)
    where = await world.store.read(lambda tx: tx.chat.default_conversation(world.agent.id))
    assert await world.store.read(lambda tx: tx.chat.messages(where.id, 10)) == []


async def test_how_long_a_run_took_is_said(world: World) -> None:
    run = await take_up(world, await now(world, await world.task()))
    world.clock.advance(90)
    await complete(world, run)
    fact = next(fact for fact in world.facts if fact.name == "run_ended")
    assert fact.fields["seconds"] == 90.0


async def test_usage_is_refused_for_a_run_that_has_changed(world: World) -> None:
    run = await take_up(world, await now(world, await world.task()))
    await complete(world, run)
    with pytest.raises(Conflict, match="has just changed"):
        await world.store.write(lambda tx: settle.record_usage(tx, run, settle.Usage(1)))
