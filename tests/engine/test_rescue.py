"""What does not come back: time-outs, events that nobody took, and the order of looks."""

from dataclasses import replace

import pytest

from nod.actions import answers
from nod.actions import decisions as asking
from nod.domain.decisions import Answer
from nod.domain.instant import HOUR, SECOND
from nod.engine.outbox import make_event, put
from nod.engine.rescue import next_rescue_at
from nod.store.nodes import Asker
from nod.store.store import Tx
from support.clock import MONDAY_9
from support.steps import (
    DAY_S,
    HOUR_S,
    called,
    decisions,
    deliver,
    events,
    fire_after,
    newest,
    now,
    rescue_after,
    take_up,
)
from support.world import World


async def test_a_run_times_out_that_was_delivered_and_not_taken_up(world: World) -> None:
    run = await deliver(world, await now(world, await world.task(timeout_s=90)))
    await rescue_after(world, 89)
    assert (await world.run(run.id)).status == "pending"
    await rescue_after(world, 1)
    ended = await world.run(run.id)
    assert (ended.status, ended.error) == (
        "failed",
        "timeout: delivered, and not taken up for 1 min 30 s",
    )


async def test_a_run_times_out_without_a_sign_of_life(world: World) -> None:
    run = await take_up(world, await now(world, await world.task(timeout_s=60)))
    await rescue_after(world, 59)
    await take_up(world, run)
    await rescue_after(world, 59)
    assert (await world.run(run.id)).status == "running"
    await rescue_after(world, 1)
    assert (await world.run(run.id)).error == "timeout: no sign of life for 1 min"


async def test_signs_of_life_help_no_longer_than_a_day(world: World) -> None:
    run = await take_up(world, await now(world, await world.task(timeout_s=7200)))
    for _ in range(24):
        await rescue_after(world, 3599)
        await take_up(world, run)
    await rescue_after(world, 24)
    assert (await world.run(run.id)).status == "failed"


async def test_an_event_nobody_takes_fails_its_run_as_not_delivered(world: World) -> None:
    task = await world.task("0 10 * * *")
    await fire_after(world, HOUR_S)
    run = await newest(world, task)
    await rescue_after(world, DAY_S - 1)
    assert (await world.run(run.id)).status == "pending"
    await rescue_after(world, 1)
    ended = await world.run(run.id)
    assert (ended.status, ended.delivery, ended.error) == (
        "failed",
        "failed",
        "delivery: nobody took it in time",
    )
    (event,) = await events(world, run)
    assert (event.state, event.error) == ("dead", "nobody took it in time")
    assert "event_dead" in world.names()


async def test_the_last_error_of_the_webhook_is_the_reason(world: World) -> None:
    run = await now(world, await world.task())
    (event,) = await events(world, run)
    await world.store.write(
        lambda tx: tx.events.schedule_attempt(event.id, 1, None, "http_error", "it answered 500")
    )
    await rescue_after(world, DAY_S)
    assert (await world.run(run.id)).error == "delivery: it answered 500"


async def test_an_event_that_expires_after_its_run_was_ended_ends_nothing_more(
    world: World,
) -> None:
    run = await now(world, await world.task())
    taken = await take_up(world, run)
    (event,) = await events(world, run)
    # A person sends the acknowledged event again; it expires while the run goes on.
    await world.store.write(
        lambda tx: tx.events.replay(event.id, "acknowledged", tx.now, tx.now + SECOND)
    )
    await rescue_after(world, 2)
    assert (await world.run(run.id)).status == taken.status
    assert [each.state for each in await events(world, run)] == ["dead"]


async def test_an_event_without_a_run_expires_by_itself(world: World) -> None:
    event = make_event(MONDAY_9, world.agent.id, "user_message", {}, expires_at=MONDAY_9 + SECOND)
    stored = await world.store.write(lambda tx: put(tx, event))
    await rescue_after(world, 1)
    after = await world.store.read(lambda tx: tx.events.get(stored.id))
    assert after is not None
    assert after.state == "dead"


# what has outlived its use


async def test_a_run_that_nobody_took_while_it_was_useful_is_skipped_and_asked_about(
    world: World,
) -> None:
    task = await world.task("0 10 * * *", useful_until="11:30")
    await fire_after(world, HOUR_S)
    await rescue_after(world, 1.5 * HOUR_S)
    ended = await newest(world, task)
    assert (ended.status, ended.reason) == (
        "skipped",
        "useful until 11:30; the agent was not reached by then",
    )
    (card,) = await decisions(world)
    assert (card.kind, card.title) == ("still_wanted", "Report: still want it?")
    await world.store.write(
        lambda tx: answers.resolve(tx, world.vault, world.owner, card.id, Answer("approved"))
    )
    again = await newest(world, task)
    assert (again.trigger, again.status) == ("manual", "pending")


async def test_what_is_of_no_use_any_more_is_not_sent_even_before_it_is_ended(world: World) -> None:
    await called(world, await world.task("event", useful_until="10m"))
    agent_id = world.agent.id

    async def waiting() -> list[int]:
        async def look(tx: Tx) -> list[int]:
            return [
                len(await tx.events.undelivered(agent_id, 0, tx.now, Asker("node_1", 0), 0, 10)),
                len(await tx.events.triggers_to_poll(agent_id, tx.now, 0, 10)),
                len(await tx.events.feed_open(agent_id, tx.now, 10)),
            ]

        return await world.store.read(look)

    world.clock.advance(599)
    assert await waiting() == [1, 1, 1]
    world.clock.advance(1)
    assert await waiting() == [0, 0, 0]


async def test_a_held_run_outlives_its_use_too(world: World) -> None:
    task = await world.task("event", useful_until="10m")
    first = await take_up(world, await called(world, task))
    second = await called(world, task)
    await rescue_after(world, 600)
    assert (await world.run(second.id)).status == "skipped"
    assert (await world.run(first.id)).status == "running"
    assert len(await decisions(world)) == 1


async def test_nobody_is_asked_about_a_task_that_was_removed(world: World) -> None:
    task = await world.task("event", useful_until="10m")
    run = await called(world, task)
    await world.store.write(
        lambda tx: tx.tasks.update(replace(task, deleted_at=tx.now, trigger_id=None))
    )
    await rescue_after(world, 600)
    assert (await world.run(run.id)).status == "skipped"
    assert await decisions(world) == []


@pytest.mark.parametrize("taken", [True, False])
async def test_a_run_that_was_taken_up_in_time_is_not_cut_off(world: World, taken: bool) -> None:
    run = await now(world, await world.task(useful_until="10m"))
    if taken:
        await take_up(world, run)
    await rescue_after(world, 600)
    assert (await world.run(run.id)).status == ("running" if taken else "skipped")


# when to look


async def test_the_next_look_is_at_the_earliest_of_all_that_ends(world: World) -> None:
    look = world.store.read
    assert await look(next_rescue_at) is None
    task = await world.task(timeout_s=60)
    run = await now(world, task)
    assert await look(next_rescue_at) == MONDAY_9 + 24 * HOUR
    await take_up(world, run)
    assert await look(next_rescue_at) == MONDAY_9 + 60 * SECOND
    fields = asking.DecisionFields(title="?", expires_in_s=60)
    await world.store.write(lambda tx: asking.open_decision(tx, world.agent, fields))
    assert await look(next_rescue_at) == MONDAY_9 + 30 * SECOND
