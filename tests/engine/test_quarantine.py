"""Calls that are new wait for a look; what the person says of one happens to it and to its like."""

import asyncio
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from nod.actions import answers, decisions, senders, tasks
from nod.domain.callers import Caller, ShownCall
from nod.domain.decisions import Answer
from nod.domain.errors import Conflict, InvalidInput, NotFound, TooMany
from nod.domain.limits import Limits
from nod.domain.model import Decision, Run, Task
from nod.domain.payload_shape import shape_of
from nod.domain.task_fields import TaskFields
from nod.engine import attempts, settle
from nod.engine.ending import cancel
from nod.engine.trigger import Call, accept_call
from nod.store.tasks import TriggerCall
from support.steps import HOUR_S, complete, events, newest, now, rescue_after, take_up, work_off
from support.world import World, open_world

CURL = "curl at 203.0.113.0/24"
TRUST = Answer("approved", always_allow=True)
ONCE = Answer("approved")
DROP = Answer("rejected")


async def guarded(world: World, **given: Any) -> Task:
    return await world.task("event", name="Deploys", quarantine=True, **given)


async def stray(
    world: World, task: Task, payload: Any = None, sender: str = CURL, key: str | None = None
) -> TriggerCall:
    """A call from outside."""
    fresh = await world.get(task)
    caller = Caller(sender, shape_of(payload, (), "", world.limits))
    made = Call(json.dumps(payload), "{}", key, caller)
    return await world.store.write(lambda tx: accept_call(tx, fresh, made))


async def arrived(world: World, task: Task, payload: Any = None, sender: str = CURL) -> Run:
    return await world.run((await stray(world, task, payload, sender)).run_id)


async def looks(world: World) -> list[Decision]:
    """The requests that wait, the oldest first."""
    return await world.store.read(lambda tx: tx.chat.waiting_decisions(world.agent.id))


async def look(world: World) -> Decision:
    (only,) = await looks(world)
    return only


def shown(request: Decision) -> ShownCall:
    return msgspec.json.decode(request.call or "", type=ShownCall)


async def say(world: World, answer: Answer) -> Decision:
    """Answer the request that waits."""
    asked = await look(world)
    return await world.store.write(
        lambda tx: answers.resolve(tx, world.vault, world.owner, asked.id, answer)
    )


def state(run: Run) -> tuple[str, bool, bool]:
    return run.status, run.queued, run.held


WAITS = ("pending", True, True)
GOES = ("pending", False, False)


async def test_the_first_call_of_a_sender_is_stored_and_waits(world: World) -> None:
    task = await guarded(world)
    made = await stray(world, task, {"ref": "main"})
    run = await world.run(made.run_id)
    assert state(run) == WAITS
    assert run.outside
    (event,) = await events(world, run)
    assert (event.id, event.state) == (made.event_id, "held")
    assert world.effects[-1].outbox == []
    asked = await look(world)
    assert (asked.kind, asked.task_id, asked.run_id) == ("quarantine", task.id, None)
    assert asked.description == f"It comes from {CURL}, for the first time."
    call = shown(asked)
    assert (call.run_id, call.sender, call.is_new_sender) == (run.id, CURL, True)
    assert json.loads(call.payload) == {"ref": "main"}


async def test_without_quarantine_nothing_waits(world: World) -> None:
    task = await world.task("event")
    assert state(await arrived(world, task)) == GOES
    assert await looks(world) == []


async def test_trusting_lets_in_what_waits_of_the_kind_and_what_comes_after(world: World) -> None:
    task = await guarded(world, overlap="allow")
    held = [await arrived(world, task, {"ref": each}) for each in "abc"]
    other = await arrived(world, task, {"ref": 1})
    assert (shown(await look(world)).like, shown(await look(world)).others) == (2, 1)
    answered = await say(world, TRUST)
    assert (answered.status, answered.always_allow) == ("approved", True)
    assert [state(await world.run(each.id)) for each in held] == [GOES] * 3
    assert [each.event.run_id for each in world.effects[-1].outbox] == [run.id for run in held]
    assert state(await arrived(world, task, {"ref": "d"})) == GOES
    assert state(await arrived(world, task, {})) == GOES
    assert state(await world.run(other.id)) == WAITS
    asked = await look(world)
    assert shown(asked).new == ("ref: number",)
    assert "brings 1 thing not seen from there" in asked.description
    await say(world, TRUST)
    assert state(await arrived(world, task, {"ref": 2})) == GOES
    (known,) = await world.store.read(lambda tx: senders.list_senders(tx, world.agent, task.id))
    assert known.known == ("$: object", "ref: number", "ref: string")
    assert (known.row.sender, known.row.trusted_by, known.row.uses) == (CURL, "ann@example.org", 3)


async def test_a_sender_trusted_no_more_waits_again(world: World) -> None:
    task = await guarded(world, overlap="allow")
    await stray(world, task)
    await say(world, TRUST)
    (known,) = await world.store.read(lambda tx: senders.list_senders(tx, world.agent, task.id))

    async def remove() -> None:
        await world.store.write(
            lambda tx: senders.remove_sender(tx, world.agent, task.id, known.row.id)
        )

    await remove()
    assert state(await arrived(world, task)) == WAITS
    with pytest.raises(NotFound, match="trusts no sender"):
        await remove()


async def test_running_one_once_trusts_nobody(world: World) -> None:
    task = await guarded(world, overlap="allow")
    first, second = await arrived(world, task, {"n": 1}), await arrived(world, task, {"n": 2})
    before = await look(world)
    await say(world, ONCE)
    assert state(await world.run(first.id)) == GOES
    assert state(await world.run(second.id)) == WAITS
    after = await look(world)
    assert after.id != before.id
    assert (shown(after).run_id, shown(after).like) == (second.id, 0)
    assert state(await arrived(world, task, {"n": 3})) == WAITS


async def test_dropping_records_all_of_the_kind_with_the_reason(world: World) -> None:
    task = await guarded(world)
    held = [await arrived(world, task, {"n": each}) for each in range(2)]
    other = await arrived(world, task, {"m": 1})
    await say(world, DROP)
    for each in held:
        run = await world.run(each.id)
        assert (run.status, run.reason) == (
            "skipped",
            "its call was new, and ann@example.org did not let it in",
        )
        assert [event.state for event in await events(world, run)] == ["dead"]
    assert shown(await look(world)).run_id == other.id
    assert (await world.get(task)).last_run_status == "skipped"


async def test_what_nobody_looked_at_in_time_did_not_run_and_says_so(world: World) -> None:
    task = await guarded(world)
    run = await arrived(world, task)
    asked = await look(world)
    world.clock.advance(72 * HOUR_S)
    await work_off(world, decisions.DUE_DECISIONS)
    ended = await world.run(run.id)
    assert (ended.status, ended.reason) == (
        "skipped",
        "its call was new, and nobody looked at it within 3 d",
    )
    closed = await world.store.read(lambda tx: tx.chat.decision(asked.id))
    assert closed is not None
    assert closed.status == "expired"
    assert await looks(world) == []


async def test_no_agent_hears_of_the_request_or_of_what_was_not_let_in(world: World) -> None:
    task = await guarded(world)
    run = await arrived(world, task)
    asked = await look(world)
    with pytest.raises(NotFound):
        await world.store.read(lambda tx: decisions.get_own_decision(tx, world.agent, asked.id))
    held = pytest.raises(Conflict, match="until a person has looked at its call")
    with held:
        await world.store.write(lambda tx: settle.take_up(tx, run))
    with held:
        await world.store.write(
            lambda tx: settle.complete(tx, world.agent, run.id, "completed", "")
        )
    assert await world.store.read(lambda tx: tx.runs.due_tasks(world.agent.id, tx.now)) == []
    started = await world.store.write(lambda tx: settle.start(tx, world.agent, task))
    assert started.id != run.id
    await say(world, DROP)
    heard = await world.store.read(lambda tx: tx.events.feed(world.agent.id, 0, 10))
    assert [each.event.run_id for each in heard] == [started.id]
    (event,) = await events(world, run)
    with pytest.raises(Conflict, match="was not let in"):
        await world.store.write(lambda tx: attempts.replay(tx, event))


async def test_a_repeated_call_answers_the_first_while_it_waits_and_after(world: World) -> None:
    task = await guarded(world)
    first = await stray(world, task, key="key")
    assert await stray(world, task, key="key") == first
    assert shown(await look(world)).like == 0
    await say(world, DROP)
    assert await stray(world, task, key="key") == first


async def test_no_more_than_so_many_wait_and_those_that_are_known_still_go(tmp_path: Path) -> None:
    async with open_world(tmp_path, Limits(held_calls=2)) as world:
        task = await guarded(world, overlap="allow")
        await stray(world, task, {"known": 1})
        await say(world, TRUST)
        for each in "ab":
            await stray(world, task, {each: 1})
        with pytest.raises(TooMany, match="2 calls wait for a person to look at them") as refused:
            await stray(world, task, {"c": 1})
        assert refused.value.retry_after == 3600
        assert state(await arrived(world, task, {"known": 2})) == GOES
        assert len(await looks(world)) == 1


async def test_calls_at_the_same_moment_are_held_under_one_request(world: World) -> None:
    task = await guarded(world)
    await asyncio.gather(*(stray(world, task, {"n": each}) for each in range(8)))
    assert shown(await look(world)).like == 7
    assert {state(run) for run in await world.runs(task)} == {WAITS}


async def test_of_two_answers_at_the_same_moment_one_holds(world: World) -> None:
    task = await guarded(world)
    run = await arrived(world, task)
    asked = await look(world)

    async def resolve(answer: Answer) -> Decision:
        return await world.store.write(
            lambda tx: answers.resolve(tx, world.vault, world.owner, asked.id, answer)
        )

    done = await asyncio.gather(resolve(TRUST), resolve(DROP), return_exceptions=True)
    assert sorted(type(each).__name__ for each in done) == ["Conflict", "Decision"]
    (winner,) = (each for each in done if isinstance(each, Decision))
    status = (await world.run(run.id)).status
    assert status == ("pending" if winner.status == "approved" else "skipped")


async def test_let_in_it_takes_its_turn_behind_the_run_under_way(world: World) -> None:
    task = await guarded(world)
    going = await take_up(world, await now(world, task))
    held = await arrived(world, task)
    await say(world, ONCE)
    assert state(await world.run(held.id)) == ("pending", True, False)
    await complete(world, going)
    assert state(await world.run(held.id)) == GOES


async def test_what_waits_for_a_look_is_in_nobodys_way(world: World) -> None:
    task = await guarded(world)
    await stray(world, task, {"strange": 1})
    going = await now(world, task)
    assert state(going) == GOES
    await complete(world, await take_up(world, going))
    assert [state(run) for run in await world.runs(task) if run.trigger == "event"] == [WAITS]


async def test_where_the_newer_run_cancels_the_older_one_that_is_let_in_does(world: World) -> None:
    task = await guarded(world, overlap="cancel_previous")
    going = await take_up(world, await now(world, task))
    held = await arrived(world, task)
    assert (await world.run(going.id)).status == "running"
    await say(world, ONCE)
    assert (await world.run(going.id)).status == "cancelled"
    assert state(await world.run(held.id)) == GOES


async def test_a_request_closes_when_its_call_is_cancelled_and_the_next_one_opens(
    world: World,
) -> None:
    task = await guarded(world)
    first, second = await arrived(world, task), await arrived(world, task, {"other": 1})
    await world.store.write(lambda tx: cancel(tx, first, "by hand"))
    assert shown(await look(world)).run_id == second.id
    assert (await world.run(second.id)).status == "pending"


async def test_with_its_task_the_request_goes(world: World) -> None:
    task = await guarded(world)
    held = [await arrived(world, task, {str(each): 1}) for each in range(3)]
    await world.store.write(lambda tx: tasks.remove(tx, world.agent, task.id))
    assert {(await world.run(each.id)).status for each in held} == {"cancelled"}
    assert await looks(world) == []
    opened = await world.store.read(lambda tx: tx.chat.decisions_of(world.owner.id, None, 10, "z"))
    assert [each.status for each in opened] == ["dismissed"]


async def test_what_is_useful_no_more_did_not_run_and_nobody_is_asked_twice(world: World) -> None:
    task = await guarded(world, useful_until="600s")
    run = await arrived(world, task)
    await rescue_after(world, 600)
    ended = await world.run(run.id)
    assert ended.status == "skipped"
    assert (ended.reason or "").endswith("nobody had looked at its call by then")
    assert await looks(world) == []


async def test_what_is_not_compared_as_a_whole_is_run_once_and_never_trusted(world: World) -> None:
    task = await guarded(world)
    large = {f"k{each}": 1 for each in range(world.limits.shape_places + 1)}
    run = await arrived(world, task, large)
    assert not (await look(world)).allows_always
    with pytest.raises(InvalidInput, match="always_allow"):
        await say(world, TRUST)
    await say(world, ONCE)
    assert state(await world.run(run.id)) == GOES


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (Limits(trusted_senders=1), "trusts 1 senders, which is the limit"),
        (Limits(shape_places=4), "has more than 4 different fields"),
    ],
)
async def test_no_more_is_trusted_than_may_be(tmp_path: Path, limits: Limits, said: str) -> None:
    async with open_world(tmp_path, limits) as world:
        task = await guarded(world)
        await stray(world, task, {"a": 1, "b": 1})
        await say(world, TRUST)
        sender = CURL if limits.trusted_senders > 1 else "wget at 203.0.113.0/24"
        await stray(world, task, {"c": 1, "d": 1}, sender)
        with pytest.raises(Conflict, match=said):
            await say(world, TRUST)
        await say(world, ONCE)


async def test_ending_the_quarantine_lets_nothing_in_that_waits(world: World) -> None:
    task = await guarded(world)
    held = await arrived(world, task)
    await world.store.write(
        lambda tx: tasks.update(tx, world.vault, world.agent, task.id, TaskFields(quarantine=False))
    )
    assert state(await arrived(world, task)) == GOES
    assert state(await world.run(held.id)) == WAITS
    await say(world, ONCE)
    assert not (await world.run(held.id)).held


async def test_why_says_that_it_waits_for_a_look(world: World) -> None:
    task = await guarded(world)
    await stray(world, task)
    sentence, entry = await world.store.read(lambda tx: tasks.why(tx, task, world.clock.now()))
    assert entry == await newest(world, task)
    assert sentence.endswith("waits until somebody has looked at it.")
