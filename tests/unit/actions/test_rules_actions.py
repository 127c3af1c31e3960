"""What a person always allows is answered at once, and visibly."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from nod.actions import accounts, answers, decisions, rules
from nod.actions.decisions import DecisionFields
from nod.actions.rules import AlwaysOption
from nod.domain.decisions import Answer
from nod.domain.errors import Forbidden, NotFound
from nod.domain.model import AllowRule, Decision
from nod.engine.fire import run_now
from support.steps import activity, call, events, start
from support.steps import now as run_task
from support.world import World, open_world

GIT = AlwaysOption("git *", "any git command")
LS = AlwaysOption("ls")


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(tmp_path) as opened:
        yield opened


async def ask(world: World, title: str = "git push", **fields: Any) -> Decision:
    wanted = {"kind": "permission", "always_allow_options": [GIT, LS], **fields}
    given = DecisionFields(title=title, **wanted)
    return await world.store.write(lambda tx: decisions.open_decision(tx, world.agent, given))


async def allow_always(world: World, asked: Decision, pattern: str | None = "git *") -> Decision:
    answer = Answer("approved", always_allow=True, always_allow_pattern=pattern)
    return await world.store.write(
        lambda tx: answers.resolve(tx, world.vault, world.owner, asked.id, answer)
    )


async def kept(world: World) -> list[AllowRule]:
    return await world.store.read(lambda tx: rules.list_rules(tx, world.owner, world.agent.id))


def told(world: World) -> list[dict[str, Any]]:
    sent = [each.event for effects in world.effects for each in effects.outbox]
    return [msgspec.json.decode(each.body) for each in sent if each.type == "decision_resolved"]


async def test_what_is_always_allowed_is_answered_at_once_and_shown(world: World) -> None:
    first = await ask(world)
    await allow_always(world, first)
    (rule,) = await kept(world)
    assert (rule.pattern, rule.label, rule.decision_id) == ("git *", "any git command", first.id)
    assert (rule.created_by, rule.uses, rule.used_at) == ("ann@example.org", 0, None)

    world.clock.advance(60)
    again = await ask(world, "git pull", description="From origin.")
    assert (again.status, again.resolved_by) == ("approved", "rule")
    assert again.note == "Always allowed: any git command"
    assert (again.always_allow, again.always_allow_pattern) == (True, "git *")
    assert (told(world)[-1]["decision_id"], told(world)[-1]["status"]) == (again.id, "approved")
    found = await world.store.read(lambda tx: tx.chat.messages(again.conversation_id, 1))
    assert found[0].decision_id == again.id
    assert await world.store.read(lambda tx: tx.chat.decision(again.id)) == again
    (rule,) = await kept(world)
    assert (rule.uses, rule.used_at) == (1, world.clock.now())
    line = (await activity(world))[-1]
    assert (line.kind, line.title) == ("rule_used", "Allowed: git pull")
    assert world.names()[-2:] == ["rule_used", "decision_closed"]


async def test_a_run_whose_question_a_rule_answers_goes_on(world: World) -> None:
    await allow_always(world, await ask(world))
    task = await world.task()
    run = await world.store.write(lambda tx: run_now(tx, task))
    asked = await ask(world, task_run_id=run.id)
    assert asked.status == "approved"
    assert (await world.run(run.id)).status == "running"
    resolved = [each for each in await events(world, run) if each.type == "decision_resolved"]
    assert len(resolved) == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"always_allow_options": [AlwaysOption("git push *")]},
        {"always_allow_options": [LS]},
        {"always_allow_options": None},
        {"kind": "approval"},
    ],
)
async def test_anything_else_is_asked(world: World, fields: dict[str, Any]) -> None:
    await allow_always(world, await ask(world))
    assert (await ask(world, **fields)).status == "pending"
    assert (await kept(world))[0].uses == 0


async def test_without_a_pattern_the_very_same_request_is_allowed_and_no_other(
    world: World,
) -> None:
    plain = {"always_allow_options": None, "allows_always": True, "always_allow_label": "Always"}
    await allow_always(world, await ask(world, "Deploy", description="To test.", **plain), None)
    (rule,) = await kept(world)
    assert (rule.pattern, rule.label) == ("Deploy\n\nTo test.", "Deploy")
    same = await ask(world, "Deploy", description="To test.", **plain)
    assert (same.status, same.always_allow_pattern) == ("approved", None)
    other = await ask(world, "Deploy", description="To production.", **plain)
    assert other.status == "pending"


async def test_only_permissions_are_kept(world: World) -> None:
    await allow_always(world, await ask(world, kind="approval"))
    assert await kept(world) == []


async def test_allowing_the_same_twice_keeps_one_rule(world: World) -> None:
    first, second = await ask(world), await ask(world)
    await allow_always(world, first)
    await allow_always(world, second)
    assert [each.decision_id for each in await kept(world)] == [first.id]


async def test_a_rule_that_is_removed_lets_the_person_be_asked_again(world: World) -> None:
    await allow_always(world, await ask(world))
    (rule,) = await kept(world)
    remove = rules.remove_rule
    await world.store.write(lambda tx: remove(tx, world.owner, world.agent.id, rule.id))
    assert (await ask(world)).status == "pending"
    with pytest.raises(NotFound, match="no rule"):
        await world.store.write(lambda tx: remove(tx, world.owner, world.agent.id, rule.id))


async def test_rules_are_their_persons_alone(world: World) -> None:
    await allow_always(world, await ask(world))
    (rule,) = await kept(world)
    eve = await world.store.write(lambda tx: accounts.create_user(tx, "eve@example.org", "x"))
    with pytest.raises(NotFound):
        await world.store.read(lambda tx: rules.list_rules(tx, eve, world.agent.id))
    with pytest.raises(NotFound):
        await world.store.write(lambda tx: rules.remove_rule(tx, eve, world.agent.id, rule.id))


async def test_a_call_from_outside_cannot_bring_a_standing_permission_about(world: World) -> None:
    """What the call brought may have made the agent ask."""
    await allow_always(world, await ask(world))
    task = await world.task("event")
    await call(world, task)
    run = await start(world, task)
    asked = await ask(world, always_allow_options=[LS], task_run_id=run.id)
    beside = await ask(world, always_allow_options=[LS])
    assert (asked.outside, beside.outside) == (True, True)
    for each in (asked, beside):
        with pytest.raises(Forbidden, match="once and not always"):
            await allow_always(world, each, "ls")
        once = await world.store.write(
            lambda tx, it=each: answers.resolve(  # type: ignore[misc]
                tx, world.vault, world.owner, it.id, Answer("approved")
            )
        )
        assert once.status == "approved"
    assert [each.pattern for each in await kept(world)] == ["git *"]
    # What was allowed before holds in such a run too.
    assert (await ask(world, task_run_id=run.id)).status == "approved"


async def test_a_run_by_schedule_may_bring_one_about(world: World) -> None:
    run = await run_task(world, await world.task())
    asked = await ask(world, task_run_id=run.id)
    assert not asked.outside
    await allow_always(world, asked)
    assert len(await kept(world)) == 1
