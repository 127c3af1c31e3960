"""An answer can be taken back for some seconds; then it is carried out, whatever happens."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from nod.actions import agents, answers, decisions, tasks
from nod.actions.decisions import DUE_DECISIONS, DecisionFields, ProposalFields
from nod.domain.decisions import Answer
from nod.domain.errors import Conflict, InvalidInput, NotFound
from nod.domain.model import Decision
from nod.engine.ending import cancel
from nod.engine.fire import run_now
from nod.engine.rescue import next_rescue_at
from support.steps import activity, work_off
from support.world import World, open_store, open_world

UNDO_S = 10
YES = Answer("approved", note="Go")


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(tmp_path) as opened:
        yield opened


async def ask(world: World, **fields: Any) -> Decision:
    given = DecisionFields(title="May I?", **fields)
    return await world.store.write(lambda tx: decisions.open_decision(tx, world.agent, given))


async def propose(world: World, schedule: str, **fields: str) -> Decision:
    given = ProposalFields(
        title="Shall I?",
        task_name="Digest",
        task_prompt="Sum up.",
        task_schedule=schedule,
        **fields,  # type: ignore[arg-type]
    )
    return await world.store.write(lambda tx: decisions.propose_task(tx, world.agent, given))


async def hold(world: World, asked: Decision, answer: Answer = YES) -> Decision:
    return await world.store.write(
        lambda tx: answers.resolve(tx, world.vault, world.owner, asked.id, answer, UNDO_S)
    )


async def undo(world: World, asked: Decision) -> Decision:
    return await world.store.write(lambda tx: answers.undo(tx, world.owner, asked.id))


async def look(world: World) -> None:
    """What the rescue stage does with questions."""
    await work_off(world, answers.held_answers(world.vault), DUE_DECISIONS)


async def now(world: World, asked: Decision) -> Decision:
    found = await world.store.read(lambda tx: tx.chat.decision(asked.id))
    assert found is not None
    return found


async def told(world: World) -> list[str]:
    """The answers that the agent was told, from the outbox as it is stored."""
    found = await world.store.read(lambda tx: tx.events.feed(world.agent.id, 0, 100))
    bodies = [msgspec.json.decode(each.event.body) for each in found]
    return [each["status"] for each in bodies if each["type"] == "decision_resolved"]


async def test_the_agent_hears_of_an_answer_when_it_can_be_undone_no_longer(world: World) -> None:
    asked = await ask(world)
    held = await hold(world, asked)
    assert (held.status, held.held_by) == ("pending", "ann@example.org")
    assert held.held_until == world.clock.now() + UNDO_S * 1000
    assert await world.store.read(next_rescue_at) == held.held_until
    world.clock.advance(UNDO_S - 1)
    await look(world)
    assert (await now(world, asked)).status == "pending"
    assert await told(world) == []
    world.clock.advance(1)
    await look(world)
    done = await now(world, asked)
    assert (done.status, done.note, done.resolved_by) == ("approved", "Go", "ann@example.org")
    assert (done.held_answer, done.held_until) == (None, None)
    assert await told(world) == ["approved"]


async def test_an_answer_taken_back_is_as_if_it_had_not_been_given(world: World) -> None:
    asked = await ask(world)
    await hold(world, asked)
    assert await undo(world, asked) == asked
    assert await now(world, asked) == asked
    world.clock.advance(UNDO_S)
    await look(world)
    assert await told(world) == []
    await hold(world, asked, Answer("rejected"))
    world.clock.advance(UNDO_S)
    await look(world)
    assert await told(world) == ["rejected"]
    names = [each for each in world.names() if each.startswith("decision_")]
    assert names == [
        "decision_opened",
        "decision_held",
        "decision_undone",
        "decision_held",
        "decision_closed",
    ]


async def test_a_second_answer_has_to_undo_the_first(world: World) -> None:
    asked = await ask(world)
    held = await hold(world, asked)
    with pytest.raises(Conflict, match="undo that answer first"):
        await hold(world, asked, Answer("rejected"))
    with pytest.raises(Conflict, match="undo that answer first"):
        await world.store.write(
            lambda tx: answers.resolve(tx, world.vault, world.owner, asked.id, YES)
        )
    assert not await world.store.write(lambda tx: tx.chat.hold_answer(held))


async def test_there_is_nothing_to_undo_before_and_after(world: World) -> None:
    asked = await ask(world)
    with pytest.raises(Conflict, match="nothing to undo"):
        await undo(world, asked)
    await hold(world, asked)
    world.clock.advance(UNDO_S)
    await look(world)
    with pytest.raises(Conflict, match="too late to undo: this decision is approved"):
        await undo(world, asked)
    with pytest.raises(NotFound):
        await world.store.write(lambda tx: answers.undo(tx, world.owner, "dec_0"))


async def test_a_wrong_answer_is_refused_when_it_is_given(world: World) -> None:
    asked = await ask(world)
    with pytest.raises(InvalidInput, match="status must be one of"):
        await hold(world, asked, Answer("responded", note="Well"))
    for undo_s in (-1, world.limits.undo_max_s + 1):
        with pytest.raises(InvalidInput, match="undo_s must be between 0 and 60"):
            await world.store.write(
                lambda tx, s=undo_s: answers.resolve(  # type: ignore[misc]
                    tx, world.vault, world.owner, asked.id, YES, s
                )
            )
    assert await now(world, asked) == asked


async def test_an_answer_given_in_time_goes_before_expiry(world: World) -> None:
    asked = await ask(world, expires_in_s=60)
    world.clock.advance(55)
    await hold(world, asked)
    world.clock.advance(6)
    await look(world)
    assert (await now(world, asked)).status == "pending"
    world.clock.advance(4)
    await look(world)
    assert await told(world) == ["approved"]


async def test_a_question_expires_when_its_answer_is_undone_too_late(world: World) -> None:
    asked = await ask(world, expires_in_s=60)
    world.clock.advance(55)
    await hold(world, asked)
    world.clock.advance(6)
    await undo(world, asked)
    assert world.effects[-1].timers["rescue"] <= world.clock.now()
    await look(world)
    assert await told(world) == ["expired"]


async def test_a_held_answer_survives_the_process(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        asked = await ask(world)
        await hold(world, asked)
        world.clock.advance(3600)
        later = replace(
            world, store=open_store(tmp_path, world.clock, world.limits, world.effects.append)
        )
    await later.store.start()
    try:
        await look(later)
        assert (await now(later, asked)).status == "approved"
        assert await told(later) == ["approved"]
    finally:
        await later.store.close()


async def test_the_end_of_the_run_dismisses_a_question_whose_answer_is_held(world: World) -> None:
    task = await world.task()
    run = await world.store.write(lambda tx: run_now(tx, task))
    asked = await ask(world, task_run_id=run.id)
    await hold(world, asked)
    waiting = await world.run(run.id)
    await world.store.write(lambda tx: cancel(tx, waiting, "enough"))
    world.clock.advance(UNDO_S)
    await look(world)
    closed = await now(world, asked)
    assert (closed.status, closed.held_until) == ("dismissed", None)
    assert await told(world) == []


async def test_removing_the_agent_dismisses_a_question_whose_answer_is_held(world: World) -> None:
    asked = await ask(world)
    await hold(world, asked)
    await world.store.write(lambda tx: agents.remove_agent(tx, world.agent))
    world.clock.advance(UNDO_S)
    await look(world)
    assert (await now(world, asked)).status == "dismissed"


async def test_a_proposal_is_carried_out_at_the_end_of_its_seconds(world: World) -> None:
    asked = await propose(world, "0 9 * * *")
    await hold(world, asked)
    assert await world.store.read(lambda tx: tx.tasks.of_agent(world.agent.id)) == []
    world.clock.advance(UNDO_S)
    await look(world)
    (task,) = await world.store.read(lambda tx: tx.tasks.of_agent(world.agent.id))
    assert (await now(world, asked)).task_id == task.id


async def test_what_cannot_be_carried_out_any_more_comes_back_with_the_reason(
    world: World,
) -> None:
    asked = await propose(world, "once", run_at="2026-03-02T09:00:05Z")
    await hold(world, asked)
    world.clock.advance(UNDO_S)
    await look(world)
    back = await now(world, asked)
    assert (back.status, back.held_answer, back.held_until) == ("pending", None, None)
    line = (await activity(world))[-1]
    assert line.kind == "decision_returned"
    assert line.title == "Your answer could not be carried out: Shall I?"
    assert "run_at" in line.text
    assert line.text.endswith("The request waits for you again.")
    newest = (await world.store.read(lambda tx: tx.chat.messages(asked.conversation_id, 1)))[0]
    assert (newest.kind, newest.author) == ("notice", "nod")
    assert newest.text.startswith("Your answer could not be carried out")
    assert await told(world) == []
    assert world.names()[-1] == "decision_returned"


async def test_a_late_run_of_a_task_removed_meanwhile_comes_back_with_the_reason(
    world: World,
) -> None:
    task = await world.task()
    run = await world.store.write(lambda tx: run_now(tx, task))
    ended = await world.store.write(lambda tx: cancel(tx, run, "too late"))
    asked = await world.store.write(lambda tx: tx.chat.ask_still_wanted(task, ended, tx.now, 3600))
    await hold(world, asked, Answer("approved"))
    await world.store.write(lambda tx: tasks.remove(tx, world.agent, task.id))
    world.clock.advance(UNDO_S)
    await look(world)
    assert (await now(world, asked)).status == "pending"
    assert "has been removed" in (await activity(world))[-1].text


async def test_a_mistake_while_carrying_out_gives_the_answer_back_too(world: World) -> None:
    """Whatever else goes wrong: the work gives up one answer, and the person hears of it."""
    asked = await ask(world)
    await hold(world, asked)
    give_up = answers.held_answers(world.vault).give_up
    assert give_up is not None
    await world.store.write(lambda tx: give_up(tx, asked.id, "the disk was eaten"))
    assert "the disk was eaten." in (await activity(world))[-1].text
    assert (await now(world, asked)).held_until is None
    before = len(world.names())
    await world.store.write(lambda tx: give_up(tx, asked.id, "again"))
    assert len(world.names()) == before
