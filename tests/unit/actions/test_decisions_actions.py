"""Agents ask, people answer, agents are told."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from nod.actions import accounts, activity, agents, answers, decisions, tasks
from nod.actions.decisions import DecisionFields, ProposalFields
from nod.actions.rules import AlwaysOption
from nod.delivery.address_guard import AddressGuard
from nod.domain.decisions import Answer
from nod.domain.errors import Conflict, Forbidden, InvalidInput, NotFound, TooMany
from nod.domain.limits import Limits
from nod.domain.model import Agent, Decision, Run, User
from nod.engine.ending import cancel
from nod.engine.fire import run_now
from nod.engine.settle import add_context, complete
from support.steps import work_off
from support.world import World, open_world

HOUR_S = 3600
YES = Answer("approved")


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(tmp_path) as opened:
        yield opened


async def ask(world: World, /, title: str = "May I?", **fields: Any) -> Decision:
    given = DecisionFields(title=title, **fields)
    return await world.store.write(lambda tx: decisions.open_decision(tx, world.agent, given))


async def propose(world: World, /, schedule: str = "0 9 * * *", **fields: str) -> Decision:
    given = ProposalFields(
        title="Shall I?",
        task_name="Digest",
        task_prompt="Sum up.",
        task_schedule=schedule,
        **fields,  # type: ignore[arg-type]
    )
    return await world.store.write(lambda tx: decisions.propose_task(tx, world.agent, given))


async def answer(
    world: World, decision: Decision, given: Answer = YES, user: User | None = None
) -> Decision:
    who = user or world.owner
    return await world.store.write(
        lambda tx: answers.resolve(tx, world.vault, who, decision.id, given)
    )


async def running(world: World) -> Run:
    task = await world.task()
    return await world.store.write(lambda tx: run_now(tx, task))


async def told(world: World) -> list[dict[str, Any]]:
    """The decision_resolved events that went out, oldest first."""
    return [
        msgspec.json.decode(each.event.body)
        for effects in world.effects
        for each in effects.outbox
        if each.event.type == "decision_resolved"
    ]


async def now(world: World, decision: Decision) -> Decision:
    found = await world.store.read(lambda tx: tx.chat.decision(decision.id))
    assert found is not None
    return found


async def stranger(world: World) -> tuple[User, Agent]:
    user = await world.store.write(
        lambda tx: accounts.create_user(tx, "eve@example.org", "no password")
    )
    made = await world.store.write(
        lambda tx: agents.create_agent(tx, world.vault, AddressGuard([]), user, "Spy")
    )
    return user, made.agent


async def titles(world: World, kind: str) -> list[str]:
    found = await world.store.read(
        lambda tx: activity.list_activity(tx, world.owner, activity.ALL, 100)
    )
    return [each.title for each in found if each.kind == kind]


# asking and answering


async def test_the_answer_is_told_to_the_agent(world: World) -> None:
    asked = await ask(world, description="It costs 3 €.")
    resolved = await answer(world, asked, Answer("approved", note="Go"))
    assert (resolved.status, resolved.resolved_by) == ("approved", "ann@example.org")
    (event,) = await told(world)
    event_id = event.pop("event_id")
    assert event_id.startswith("evt_")
    assert event == {
        "type": "decision_resolved",
        "decision_id": asked.id,
        "status": "approved",
        "note": "Go",
        "conversation_id": asked.conversation_id,
        "task_run_id": None,
        "always_allow": False,
        "always_allow_pattern": None,
    }


async def test_a_question_is_a_message_of_the_conversation(world: World) -> None:
    asked = await ask(world)
    (message,) = await world.store.read(lambda tx: tx.chat.messages(asked.conversation_id, 10))
    assert (message.kind, message.decision_id, message.text) == ("decision", asked.id, "May I?")
    assert await titles(world, "decision_opened") == ["May I?"]


async def test_the_first_answer_stands(world: World) -> None:
    asked = await ask(world)
    await answer(world, asked)
    with pytest.raises(Conflict, match="already approved"):
        await answer(world, asked, Answer("rejected"))
    assert len(await told(world)) == 1
    assert not await world.store.write(lambda tx: tx.chat.resolve(asked))


async def test_a_choice_offers_its_options_and_takes_one(world: World) -> None:
    asked = await ask(world, kind="choice", options=["tea", "coffee"])
    resolved = await answer(world, asked, Answer("responded", option="coffee"))
    assert (resolved.status, resolved.note) == ("responded", "coffee")


async def test_a_permission_can_be_given_for_good(world: World) -> None:
    asked = await ask(
        world,
        kind="permission",
        always_allow_label="Always",
        always_allow_options=[AlwaysOption("git *", "any git command"), AlwaysOption("ls")],
    )
    assert asked.allows_always
    await answer(world, asked, Answer("approved", always_allow=True, always_allow_pattern="git *"))
    (event,) = await told(world)
    assert (event["always_allow"], event["always_allow_pattern"]) == (True, "git *")


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"title": " "}, "title is missing"),
        ({"kind": "vote"}, "approval, choice, question, permission"),
        ({"kind": "proposal"}, "approval, choice, question, permission"),
        ({"kind": "choice"}, "at least two"),
        ({"kind": "choice", "options": ["a", "a"]}, "at least two"),
        ({"kind": "choice", "options": ["a", " "]}, "an option is missing"),
        ({"options": ["x"] * 21}, "at most 20 options"),
        ({"always_allow_options": [AlwaysOption("x")] * 21}, "at most 20 always"),
        ({"expires_in_s": 59}, "between 60 and"),
        ({"expires_in_s": 31 * 86_400}, "between 60 and"),
        ({"description": "x" * 10_001}, "at most 10000"),
    ],
)
async def test_a_question_that_cannot_be_asked_says_why(
    world: World, fields: dict[str, Any], says: str
) -> None:
    with pytest.raises(InvalidInput, match=says):
        await ask(world, **fields)


async def test_an_agent_has_so_many_open_questions(tmp_path: Path) -> None:
    async with open_world(tmp_path, Limits(open_decisions=2)) as world:
        first = await ask(world, expires_in_s=600)
        await ask(world)
        with pytest.raises(TooMany, match="wait for an answer") as refused:
            await ask(world)
        assert refused.value.retry_after == 600
        await answer(world, first)
        await ask(world)


async def test_a_field_that_is_null_counts_as_not_sent(world: World) -> None:
    asked = await ask(
        world,
        description=None,
        options=None,
        allows_always=None,
        always_allow_options=None,
        expires_in_s=None,
    )
    assert (asked.description, asked.options, asked.allows_always) == ("", "[]", False)


async def test_a_note_has_a_length(world: World) -> None:
    asked = await ask(world)
    with pytest.raises(InvalidInput, match="note has"):
        await answer(world, asked, Answer("approved", note="x" * 10_001))


# questions of a run


async def test_a_run_waits_for_its_last_answer_and_gets_its_notes_back(world: World) -> None:
    run = await running(world)
    await world.store.write(lambda tx: add_context(tx, world.agent, run.id, "read the goals"))
    first = await ask(world, task_run_id=run.id)
    second = await ask(world, task_run_id=run.id)
    assert (first.run_id, first.task_id) == (run.id, run.task_id)
    assert (await world.run(run.id)).status == "waiting"

    await answer(world, first)
    assert (await world.run(run.id)).status == "waiting"
    await answer(world, second, Answer("rejected"))
    assert (await world.run(run.id)).status == "running"

    event = (await told(world))[-1]
    assert (event["task_run_id"], event["status"]) == (run.id, "rejected")
    (block,) = event["context"]
    assert (block["id"], block["text"]) == (1, "read the goals")
    assert block["created_at"].endswith("Z")


async def test_an_ended_run_asks_nothing_and_its_open_questions_close(world: World) -> None:
    run = await running(world)
    asked = await ask(world, task_run_id=run.id)
    await world.store.write(lambda tx: complete(tx, world.agent, run.id, "completed", "Done"))
    closed = await now(world, asked)
    assert (closed.status, closed.resolved_by) == ("dismissed", "nod")
    with pytest.raises(Conflict):
        await ask(world, task_run_id=run.id)


async def test_a_question_names_only_what_is_the_agents_own(world: World) -> None:
    run = await running(world)
    asked = await ask(world)
    eve, spy = await stranger(world)
    fields = DecisionFields(title="?", task_run_id=run.id)
    with pytest.raises(NotFound):
        await world.store.write(lambda tx: decisions.open_decision(tx, spy, fields))
    with pytest.raises(NotFound):
        await answer(world, asked, user=eve)
    with pytest.raises(NotFound):
        await world.store.read(lambda tx: decisions.get_decision(tx, eve, "dec_0"))
    with pytest.raises(NotFound):
        await world.store.read(lambda tx: decisions.get_own_decision(tx, spy, asked.id))
    assert await world.store.read(lambda tx: decisions.list_decisions(tx, eve, None, 9)) == []


async def test_the_agent_sees_its_question_and_the_answer(world: World) -> None:
    asked = await ask(world, kind="choice", options=["tea", "coffee"])
    before = decisions.agent_view(
        await world.store.read(lambda tx: decisions.get_own_decision(tx, world.agent, asked.id))
    )
    assert (before["status"], before["resolved_at"]) == ("pending", None)
    assert before["options"] == ["tea", "coffee"]
    await answer(world, asked, Answer("responded", option="tea"))
    after = decisions.agent_view(await now(world, asked))
    assert (after["status"], after["note"]) == ("responded", "tea")
    assert after["resolved_at"].endswith("Z")


async def test_decisions_are_listed_newest_first_and_by_status(world: World) -> None:
    asked = []
    for title in ("one", "two", "three"):
        asked.append(await ask(world, title))
        world.clock.advance(1)
    await answer(world, asked[1])

    async def titles_of(status: str | None, limit: int = 9, before: str = "z") -> list[str]:
        found = await world.store.read(
            lambda tx: decisions.list_decisions(tx, world.owner, status, limit, before)
        )
        return [each.title for each in found]

    assert await titles_of(None) == ["three", "two", "one"]
    assert await titles_of("pending") == ["three", "one"]
    assert await titles_of(None, 1) == ["three"]
    assert await titles_of(None, 9, asked[2].id) == ["two", "one"]
    waiting = await world.store.read(lambda tx: tx.chat.waiting_decisions(world.agent.id))
    assert [each.title for each in waiting] == ["one", "three"]


# proposals


async def test_approving_a_proposal_makes_the_task(world: World) -> None:
    proposed = await propose(world, timezone="Europe/Berlin")
    assert await world.store.read(lambda tx: tx.tasks.of_agent(world.agent.id)) == []
    resolved = await answer(world, proposed)
    (task,) = await world.store.read(lambda tx: tx.tasks.of_agent(world.agent.id))
    assert (task.name, task.prompt, task.schedule) == ("Digest", "Sum up.", "0 9 * * *")
    assert (task.timezone, task.created_by, task.enabled) == ("Europe/Berlin", "user", True)
    assert resolved.task_id == task.id
    assert (await now(world, proposed)).task_id == task.id
    assert [each["status"] for each in await told(world)] == ["approved"]


async def test_rejecting_a_proposal_makes_nothing(world: World) -> None:
    await answer(world, await propose(world), Answer("rejected", note="too often"))
    assert await world.store.read(lambda tx: tx.tasks.of_agent(world.agent.id)) == []


async def test_a_proposal_that_cannot_work_is_refused_when_it_is_made(world: World) -> None:
    with pytest.raises(InvalidInput, match="30"):
        await propose(world, "0 0 30 2 *")


async def test_a_proposal_whose_time_has_passed_stays_open_with_the_reason(world: World) -> None:
    proposed = await propose(world, "once", run_at="2026-03-02T10:00:00Z")
    world.clock.advance(2 * HOUR_S)
    with pytest.raises(InvalidInput, match="run_at"):
        await answer(world, proposed)
    assert (await now(world, proposed)).status == "pending"
    await answer(world, proposed, Answer("dismissed"))


async def test_an_approval_only_agent_asks_but_proposes_nothing(tmp_path: Path) -> None:
    async with open_world(tmp_path, kind="approval_only") as world:
        await ask(world)
        with pytest.raises(Forbidden, match="approval_only"):
            await propose(world)


# still wanted?


async def still_wanted(world: World) -> Decision:
    run = await running(world)
    task = await world.store.read(lambda tx: tx.tasks.get(run.task_id))
    assert task is not None
    ended = await world.store.write(lambda tx: cancel(tx, run, "too late"))
    return await world.store.write(lambda tx: tx.chat.ask_still_wanted(task, ended, tx.now, HOUR_S))


async def test_a_run_that_came_too_late_is_made_if_the_person_still_wants_it(world: World) -> None:
    asked = await still_wanted(world)
    assert (asked.title, asked.kind) == ("Report: still want it?", "still_wanted")
    await answer(world, asked)
    task = (await world.store.read(lambda tx: tx.tasks.of_agent(world.agent.id)))[0]
    runs = await world.runs(task)
    assert sorted(each.status for each in runs) == ["cancelled", "pending"]
    assert await told(world) == []


async def test_the_agent_does_not_see_what_nod_asks_the_person(world: World) -> None:
    asked = await still_wanted(world)
    with pytest.raises(NotFound):
        await world.store.read(lambda tx: decisions.get_own_decision(tx, world.agent, asked.id))


async def test_a_late_run_of_a_removed_task_can_only_be_dismissed(world: World) -> None:
    asked = await still_wanted(world)
    await world.store.write(lambda tx: tasks.remove(tx, world.agent, asked.task_id or ""))
    with pytest.raises(Conflict, match="removed"):
        await answer(world, asked)
    assert (await answer(world, asked, Answer("dismissed"))).status == "dismissed"


# time


async def look(world: World) -> int:
    """Do what is due; how many warnings and expiries that were."""
    before = len(world.names())
    await work_off(world, decisions.DUE_DECISIONS)
    told = world.names()[before:]
    return told.count("decision_warning") + told.count("decision_closed")


async def test_the_person_is_warned_twice_before_a_question_expires(world: World) -> None:
    asked = await ask(world, expires_in_s=10 * HOUR_S)
    assert "rescue" in world.effects[-1].timers
    next_at = await world.store.read(lambda tx: tx.chat.next_decision_at())
    assert next_at == asked.created_at + 5 * HOUR_S * 1000
    seen = []
    for _ in range(11):
        world.clock.advance(HOUR_S)
        seen.append(await look(world))
    assert seen == [0, 0, 0, 0, 1, 0, 0, 0, 1, 1, 0]
    assert await titles(world, "decision_waits") == ["Still waiting: May I?"] * 2
    assert world.names().count("decision_warning") == 2
    assert await world.store.read(lambda tx: tx.chat.next_decision_at()) is None


async def test_a_question_nobody_answers_expires_and_its_run_goes_on(world: World) -> None:
    run = await running(world)
    asked = await ask(world, task_run_id=run.id)
    world.clock.advance(73 * HOUR_S)
    assert await look(world) == 1
    expired = await now(world, asked)
    assert (expired.status, expired.resolved_by) == ("expired", "nod")
    assert [each["status"] for each in await told(world)] == ["expired"]
    assert (await world.run(run.id)).status == "running"
    assert await titles(world, "decision_expired") == ["Nobody answered: May I?"]


async def test_waiting_for_a_person_does_not_count_against_the_timeout(world: World) -> None:
    run = await running(world)
    asked = await ask(world, task_run_id=run.id)
    assert (await world.run(run.id)).deadline_at is None
    world.clock.advance(60 * HOUR_S)
    await answer(world, asked)
    again = await world.run(run.id)
    assert again.deadline_at is not None
    assert again.deadline_at > world.clock.now()


async def test_a_late_run_nobody_wanted_expires_without_a_word_to_the_agent(
    world: World,
) -> None:
    asked = await still_wanted(world)
    world.clock.advance(2 * HOUR_S)
    await look(world)
    assert (await now(world, asked)).status == "expired"
    assert await told(world) == []
