"""Two nodes on one PostgreSQL, at the same moment: what is read in order to decide stays true."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from nod.actions import agents, answers, chat, decisions, notifications, sessions, tasks
from nod.actions.decisions import DUE_DECISIONS, DecisionFields
from nod.delivery.address_guard import AddressGuard
from nod.domain.agenda_days import day_of
from nod.domain.budget import Budget
from nod.domain.decisions import Answer
from nod.domain.errors import Conflict, NodError, NotFound, TooMany
from nod.domain.limits import Limits
from nod.domain.model import Message, Run
from nod.domain.task_fields import TaskFields
from nod.engine import settle
from nod.engine.attempts import Pushed, record_pushes
from nod.engine.batches import Batches
from nod.engine.ending import cancel
from nod.engine.fire import run_now
from nod.engine.outbox import make_event, put
from nod.engine.rescue import EXPIRED_EVENTS, OVERDUE_RUNS
from nod.engine.trigger import Call, accept_call
from nod.store.nodes import Asker
from nod.store.store import Store, Tx
from support.databases import execute, prepared, url_of
from support.inprocess import until
from support.postgres import connected
from support.steps import DAY_S, FIRING, call, called, deliver, take_up
from support.world import World, open_store, open_world

TRIES = 8
LIMITS = Limits(tasks_per_agent_hour=5, open_decisions=3, notify_targets=2, triggers_per_minute=900)


@dataclass
class Nodes:
    """A world, and the stores of two nodes on its database."""

    world: World
    stores: tuple[Store, Store]

    async def both(self, *works: Callable[[Tx], Awaitable[Any]]) -> list[Any]:
        """Run the units at once, dealt out to the nodes; what came of each, also an error."""
        return await asyncio.gather(
            *(
                self.stores[number % 2].write(work)  # type: ignore[arg-type]
                for number, work in enumerate(works)
            ),
            return_exceptions=True,
        )


@pytest.fixture
async def nodes(tmp_path: Path) -> AsyncIterator[Nodes]:
    async with prepared(tmp_path, "postgres"), open_world(tmp_path, LIMITS) as world:
        other = open_store(tmp_path, world.clock, world.limits, world.effects.append)
        await other.start()
        yield Nodes(world, (world.store, other))
        await other.close()


def of(results: list[Any], kind: type[Any]) -> list[Any]:
    """The results of this kind; there must be no error but ours."""
    assert not [each for each in results if isinstance(each, Exception | None) and not _ours(each)]
    return [each for each in results if isinstance(each, kind)]


def _ours(result: object) -> bool:
    return result is None or isinstance(result, NodError)


# due work


async def test_nodes_share_what_is_due_and_each_fire_is_one_run(nodes: Nodes) -> None:
    world = nodes.world
    made = [await world.task("0 9 * * *", overlap="skip") for _ in range(60)]
    world.clock.advance(DAY_S)
    stages = [
        Batches(store, replace(FIRING, batch=7), world.clock, lambda _: None)
        for store in nodes.stores * 2
    ]
    while await world.store.read(lambda tx: tx.tasks.next_fire_at()) <= world.clock.now():  # type: ignore[operator]
        await asyncio.gather(*(stage.work_off() for stage in stages))
    assert [len(await world.runs(task)) for task in made] == [1] * 60
    assert not any(stage.aside.waiting() for stage in stages)


async def test_a_fire_and_a_person_at_once_do_not_overlap(nodes: Nodes) -> None:
    world = nodes.world
    made = [await world.task("0 9 * * *", overlap="skip") for _ in range(TRIES)]
    world.clock.advance(DAY_S)
    stage = Batches(nodes.stores[1], FIRING, world.clock, lambda _: None)
    await asyncio.gather(
        stage.work_off(),
        *(world.store.write(lambda tx, t=each: run_now(tx, t)) for each in made),  # type: ignore[misc]
    )
    await stage.work_off()
    for task in made:
        going = await world.store.read(lambda tx, t=task: tx.runs.active(t.id))  # type: ignore[misc]
        assert len([run for run in going if not run.queued]) == 1


async def test_what_one_node_ends_the_other_does_not_end_again(nodes: Nodes) -> None:
    world = nodes.world
    task = await world.task("event", overlap="allow", timeout_s=60)
    runs = [await deliver(world, await called(world, task)) for _ in range(20)]
    lost = [await called(world, task) for _ in range(20)]
    world.clock.advance(2 * DAY_S)
    stages = [
        Batches(store, replace(work, batch=3), world.clock, lambda _: None)
        for store in nodes.stores
        for work in (OVERDUE_RUNS, EXPIRED_EVENTS)
    ]
    for _ in range(10):
        await asyncio.gather(*(stage.work_off() for stage in stages))
    assert not any(stage.aside.waiting() for stage in stages)
    assert {(await world.run(run.id)).status for run in (*runs, *lost)} == {"failed"}
    assert world.names().count("run_ended") == 40
    assert (await world.get(task)).failures == 40


# runs


async def test_results_of_one_task_at_once_are_all_counted(nodes: Nodes) -> None:
    task = await nodes.world.task("event", overlap="allow", max_attempts=1)
    runs = [await called(nodes.world, task) for _ in range(8)]
    await nodes.both(*(_complete(nodes.world, run, "failed") for run in runs))
    assert (await nodes.world.get(task)).failures == 8


def _complete(world: World, run: Run, outcome: settle.Outcome) -> Callable[[Tx], Awaitable[Run]]:
    return lambda tx: settle.complete(tx, world.agent, run.id, outcome, "So it is.")


async def test_a_run_that_is_queued_while_the_one_before_it_ends_gets_its_turn(
    nodes: Nodes,
) -> None:
    world = nodes.world
    for _ in range(TRIES):
        task = await world.task("event", overlap="queue")
        first = await take_up(world, await called(world, task))
        await nodes.both(_complete(world, first, "completed"), _call(task.trigger_id))
        (waiting,) = await world.store.read(lambda tx, t=task: tx.runs.active(t.id))  # type: ignore[misc]
        assert not waiting.queued


def _call(trigger_id: str | None, key: str | None = None) -> Callable[[Tx], Awaitable[Any]]:
    async def accept(tx: Tx) -> Any:
        task = await tx.tasks.by_trigger(trigger_id or "")
        assert task is not None
        return await accept_call(tx, task, Call("{}", "{}", key))

    return accept


async def test_the_same_call_on_both_nodes_makes_one_run(nodes: Nodes) -> None:
    task = await nodes.world.task("event", overlap="allow")
    for number in range(TRIES):
        made = await nodes.both(*[_call(task.trigger_id, f"key {number}")] * 4)
        assert len(set(made)) == 1
    assert len(await nodes.world.runs(task)) == TRIES


async def test_a_sign_of_life_does_not_undo_what_another_call_has_written(nodes: Nodes) -> None:
    world = nodes.world
    for _ in range(TRIES):
        run = await take_up(world, await called(world, await world.task("event")))

        async def usage(tx: Tx, run: Run = run) -> None:
            mine = await settle.get_own(tx, world.agent, run.id)
            await settle.record_usage(tx, mine, settle.Usage(input_tokens=7))

        async def beat(tx: Tx, run: Run = run) -> None:
            await settle.sign_of_life(tx, await settle.get_own(tx, world.agent, run.id))

        assert await nodes.both(usage, beat, beat, beat) == [None] * 4
        assert (await world.run(run.id)).input_tokens == 7


async def test_the_last_answer_of_several_at_once_lets_the_run_go_on(nodes: Nodes) -> None:
    world = nodes.world
    for _ in range(TRIES):
        run = await take_up(world, await called(world, await world.task("event")))
        fields = DecisionFields(title="May I?", task_run_id=run.id)
        asked = [
            await world.store.write(lambda tx: decisions.open_decision(tx, world.agent, fields))  # noqa: B023
            for _ in range(2)
        ]
        await nodes.both(*(_resolve(world, each.id) for each in asked))
        assert (await world.run(run.id)).status == "running"


def _resolve(world: World, decision_id: str) -> Callable[[Tx], Awaitable[Any]]:
    return lambda tx: answers.resolve(tx, world.vault, world.owner, decision_id, Answer("approved"))


async def test_an_answer_that_is_taken_back_in_its_last_moment_is_not_carried_out(
    nodes: Nodes,
) -> None:
    world = nodes.world
    stages = [
        Batches(nodes.stores[1], work, world.clock, lambda _: None)
        for work in (answers.held_answers(world.vault), DUE_DECISIONS)
    ]
    for _ in range(TRIES):
        asked = await world.store.write(
            lambda tx: decisions.open_decision(tx, world.agent, DecisionFields(title="May I?"))
        )
        await world.store.write(
            lambda tx, d=asked: answers.resolve(  # type: ignore[misc]
                tx, world.vault, world.owner, d.id, Answer("approved"), 10
            )
        )
        world.clock.advance(10)
        undone, *_ = await asyncio.gather(
            world.store.write(lambda tx, d=asked: answers.undo(tx, world.owner, d.id)),  # type: ignore[misc]
            *(stage.work_off() for stage in stages),
            return_exceptions=True,
        )
        found = await world.store.read(lambda tx, d=asked: tx.chat.decision(d.id))  # type: ignore[misc]
        assert found is not None
        assert found.status == ("approved" if isinstance(undone, Conflict) else "pending")
        if found.status == "pending":
            await world.store.write(_resolve(world, asked.id))  # type: ignore[arg-type]


async def test_ending_runs_while_their_agent_acknowledges_them_takes_no_time(nodes: Nodes) -> None:
    world = nodes.world
    task = await world.task("event", overlap="allow")
    for _ in range(TRIES):
        runs = [await called(world, task) for _ in range(4)]
        brought = [
            (await world.store.read(lambda tx, r=run: tx.events.of_run(r.id)))[0]  # type: ignore[misc]
            for run in runs
        ]

        async def acknowledge(tx: Tx, brought: list[Any] = brought) -> None:
            at = tx.now
            pushes = [Pushed(event, at, 1) for event in brought]
            await record_pushes(tx, pushes)

        started = asyncio.get_running_loop().time()
        results = await nodes.both(
            acknowledge, *(_complete(world, run, "completed") for run in runs), acknowledge
        )
        assert len(of(results, Run)) == 4
        # Two that wait for each other are told apart after a second.
        assert asyncio.get_running_loop().time() - started < 1


# what is counted


async def test_an_agent_makes_no_more_tasks_in_an_hour_than_its_limit(nodes: Nodes) -> None:
    fields = msgspec.convert(
        {"name": "Report", "prompt": "Go.", "schedule": "0 9 * * *"}, TaskFields
    )
    world = nodes.world
    results = await nodes.both(
        *[lambda tx: tasks.create(tx, world.vault, world.agent, fields, "agent")] * 12
    )
    assert len(of(results, TooMany)) == 12 - LIMITS.tasks_per_agent_hour


async def test_an_agent_has_no_more_open_questions_than_its_limit(nodes: Nodes) -> None:
    fields = DecisionFields(title="May I?")
    results = await nodes.both(
        *[lambda tx: decisions.open_decision(tx, nodes.world.agent, fields)] * 10
    )
    assert len(of(results, TooMany)) == 10 - LIMITS.open_decisions


async def test_a_person_has_no_more_targets_than_the_limit(nodes: Nodes) -> None:
    world = nodes.world
    results = await nodes.both(
        *(
            lambda tx, n=number: notifications.add_apprise(
                tx, world.vault, world.owner, f"ntfy://topic{n}", ""
            )
            for number in range(6)
        )
    )
    assert len(of(results, TooMany)) == 6 - LIMITS.notify_targets


async def test_no_task_stands_that_is_made_while_its_agent_is_removed(nodes: Nodes) -> None:
    fields = msgspec.convert(
        {"name": "Report", "prompt": "Go.", "schedule": "0 9 * * *"}, TaskFields
    )
    world = nodes.world
    results = await nodes.both(
        *[lambda tx: tasks.create(tx, world.vault, world.agent, fields, "user")] * 3,
        lambda tx: agents.remove_agent(tx, world.agent),
        *[lambda tx: tasks.create(tx, world.vault, world.agent, fields, "user")] * 3,
    )
    assert len(of(results, NotFound)) < 6
    assert await world.store.read(lambda tx: tx.tasks.of_agent(world.agent.id)) == []


async def test_no_message_waits_for_an_agent_that_is_removed_meanwhile(nodes: Nodes) -> None:
    world = nodes.world
    where = await world.store.read(lambda tx: tx.chat.default_conversation(world.agent.id))
    fields = chat.UserMessageFields(text="Hello")

    def say(tx: Tx) -> Awaitable[Any]:
        return chat.user_message(tx, world.owner, where.id, fields, "https://nod.example")

    results = await nodes.both(
        *[say] * 3, lambda tx: agents.remove_agent(tx, world.agent), *[say] * 3
    )
    of(results, Message)
    assert await world.store.read(lambda tx: tx.events.waiting_of(world.agent.id, 9)) == []


async def test_a_run_ends_while_a_place_to_tell_of_it_is_removed(
    nodes: Nodes, tmp_path: Path
) -> None:
    world = nodes.world
    run = await called(world, await world.task("event", max_attempts=1))
    target = await world.store.write(
        lambda tx: notifications.add_apprise(tx, world.vault, world.owner, "ntfy://topic", "")
    )
    removed, go_on = asyncio.Event(), asyncio.Event()

    async def remove_slowly(tx: Tx) -> None:
        await notifications.remove_target(tx, target)
        removed.set()
        await go_on.wait()

    removing = asyncio.create_task(nodes.stores[0].write(remove_slowly))
    await removed.wait()
    complete: Any = _complete(world, run, "failed")
    ending = asyncio.create_task(nodes.stores[1].write(complete))
    try:
        await until(lambda: _is_waiting(tmp_path, ending))
    finally:
        go_on.set()
        await removing
    assert (await ending).status == "failed"


async def test_of_two_nodes_that_take_the_same_event_in_hand_one_has_it(
    nodes: Nodes, tmp_path: Path
) -> None:
    world = nodes.world
    run = await called(world, await world.task("event", max_attempts=1))
    (event,) = await world.store.read(lambda tx: tx.events.of_run(run.id))
    await execute(tmp_path, "UPDATE events SET attempt_at = not_before")
    for node_id in ("node_one", "node_two"):
        await world.store.write(lambda tx, me=node_id: tx.nodes.see(me, tx.now))  # type: ignore[misc]
    taken, go_on = asyncio.Event(), asyncio.Event()

    async def take(node_id: str, tx: Tx) -> bool:
        return await tx.events.lease(event.id, tx.now, Asker(node_id, tx.now - 1))

    async def take_slowly(tx: Tx) -> bool:
        had = await take("node_one", tx)
        taken.set()
        await go_on.wait()
        return had

    first = asyncio.create_task(nodes.stores[0].write(take_slowly))
    await taken.wait()
    second = asyncio.create_task(nodes.stores[1].write(partial(take, "node_two")))
    try:
        await until(lambda: _is_waiting(tmp_path, second))
    finally:
        go_on.set()
    assert (await first, await second) == (True, False)


async def test_a_connection_that_moves_while_its_old_node_is_forgotten_stays(
    nodes: Nodes, tmp_path: Path
) -> None:
    world = nodes.world
    agent_id = world.agent.id
    await execute(tmp_path, f"INSERT INTO connections VALUES ('{agent_id}', 'node_gone')")  # noqa: S608
    await world.store.write(lambda tx: tx.nodes.see("node_gone", 0))
    await world.store.write(lambda tx: tx.nodes.see("node_new", tx.now))
    moved, go_on = asyncio.Event(), asyncio.Event()

    async def move_slowly(tx: Tx) -> None:
        await tx.nodes.connect([agent_id], "node_new")
        moved.set()
        await go_on.wait()

    moving = asyncio.create_task(nodes.stores[0].write(move_slowly))
    await moved.wait()
    forgetting = asyncio.create_task(nodes.stores[1].write(lambda tx: tx.nodes.forget_gone(1)))
    try:
        await until(lambda: _is_waiting(tmp_path, forgetting))
    finally:
        go_on.set()
        await moving
    await forgetting
    assert await world.store.read(lambda tx: tx.nodes.connections(0)) == {agent_id: "node_new"}


async def _is_waiting(folder: Path, second: asyncio.Task[Any]) -> bool:
    """Whether it waits for a lock of somebody else; or is done, for it needed none."""
    async with connected(url_of(folder)) as beside:
        found: int = await beside.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted")
    return found > 0 or second.done()


async def test_a_cookie_that_two_requests_renew_works_for_both(nodes: Nodes) -> None:
    world = nodes.world
    opened = await world.store.write(lambda tx: sessions.open_session(tx, world.owner, "Firefox"))
    world.clock.advance(2 * DAY_S)
    found = await nodes.both(*[lambda tx: sessions.renew_session(tx, opened.token, "Firefox")] * 4)
    for each in found:
        await world.store.read(lambda tx, e=each: sessions.find_session(tx, e.token))  # type: ignore[misc]


async def test_changes_of_two_settings_at_once_are_both_kept(nodes: Nodes) -> None:
    world = nodes.world
    fields = notifications.SettingsFields
    await nodes.both(
        lambda tx: notifications.change_settings(tx, world.owner, fields(morning_at="07:00")),
        lambda tx: notifications.change_settings(tx, world.owner, fields(quiet_requests=True)),
    )
    user = await world.store.read(lambda tx: tx.people.user(world.owner.id))
    assert user is not None
    assert (user.morning_at, user.quiet_requests) == (420, True)


# the feed


async def test_who_reads_all_events_after_the_last_one_misses_none(
    nodes: Nodes, tmp_path: Path
) -> None:
    """The first is counted before the second, so it is there before the second is."""
    world = nodes.world
    counted, go_on = asyncio.Event(), asyncio.Event()

    async def say(tx: Tx) -> None:
        await put(tx, make_event(tx.now, world.agent.id, "user_message", {}))

    async def say_slowly(tx: Tx) -> None:
        await say(tx)
        counted.set()
        await go_on.wait()

    first = asyncio.create_task(nodes.stores[0].write(say_slowly))
    await counted.wait()
    second = asyncio.create_task(nodes.stores[1].write(say))
    try:
        await until(lambda: _is_waiting(tmp_path, second))
        seen = await _feed(world)
    finally:
        go_on.set()
        await asyncio.gather(first, second)
    assert seen == []
    assert len(await _feed(world)) == 2


async def _feed(world: World) -> list[int]:
    found = await world.store.read(lambda tx: tx.events.feed(world.agent.id, 0, 100))
    return [each.event.seq for each in found]


async def test_a_task_that_is_cancelled_and_called_at_once_is_left_in_order(nodes: Nodes) -> None:
    world = nodes.world
    for _ in range(TRIES):
        task = await world.task("event", overlap="queue")
        first = await called(world, task)
        await call(world, task)

        async def stop(tx: Tx, run_id: str = first.id) -> Run:
            return await cancel(tx, await settle.get_own(tx, world.agent, run_id), "enough")

        await nodes.both(stop, _call(task.trigger_id), _call(task.trigger_id))
        active = await world.store.read(lambda tx, t=task: tx.runs.active(t.id))  # type: ignore[misc]
        assert sorted(run.queued for run in active) == [False, True, True]


# budgets


async def test_two_nodes_begin_no_more_than_the_budget_and_ask_once(nodes: Nodes) -> None:
    world = nodes.world
    made = [await world.task("0 9 * * *", overlap="allow") for _ in range(12)]
    called_task = await world.task("event", overlap="allow")
    changes = agents.AgentChanges(frozenset(["budget"]), budget=Budget(runs=5))
    await world.store.write(
        lambda tx: agents.update_agent(tx, AddressGuard([]), world.agent, changes)
    )
    world.clock.advance(DAY_S)
    stages = [
        Batches(store, replace(FIRING, batch=2), world.clock, lambda _: None)
        for store in nodes.stores
    ]
    await asyncio.gather(
        *(stage.work_off() for stage in stages), *(call(world, called_task) for _ in range(4))
    )
    while await world.store.read(lambda tx: tx.tasks.next_fire_at()) <= world.clock.now():  # type: ignore[operator]
        await asyncio.gather(*(stage.work_off() for stage in stages))
    entries = [run for task in (*made, called_task) for run in await world.runs(task)]
    assert [run.status for run in entries].count("pending") == 5
    assert len(entries) == 16
    asked = await world.store.read(lambda tx: tx.chat.waiting_decisions(world.agent.id))
    assert [each.kind for each in asked] == ["budget"]
    assert not any(stage.aside.waiting() for stage in stages)


async def test_results_on_two_nodes_are_all_counted_to_the_day(nodes: Nodes) -> None:
    world = nodes.world
    task = await world.task("event", overlap="allow", budget={"runs": 9})
    runs = [await called(world, task) for _ in range(8)]
    used = settle.Usage(input_tokens=3)
    await nodes.both(
        *(
            partial(settle.complete, agent=world.agent, run_id=run.id, outcome="completed",
                    summary="", usage=used)
            for run in runs
        )
    )  # fmt: skip
    today = day_of(world.clock.now(), "UTC")
    [(_, counted)] = await world.store.read(lambda tx: tx.usage.of_task(task.id, today, today))
    assert (counted.runs, counted.input_tokens) == (8, 24)
    asked = await world.store.read(lambda tx: tx.chat.waiting_decisions(world.agent.id))
    assert len(asked) == 1
