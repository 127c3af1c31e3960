"""Whatever is done to a question in whatever order: one outcome, told to the agent once."""

import asyncio
import tempfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from nod.actions import answers, decisions
from nod.actions.decisions import DUE_DECISIONS, DecisionFields
from nod.domain.decisions import Answer, Verdict
from nod.domain.errors import Conflict
from nod.domain.model import Decision
from nod.engine.ending import cancel
from nod.engine.fire import run_now
from support.databases import Kind, prepared
from support.steps import work_off
from support.world import World, open_store, open_world

LIFE_S = 60
UNDO_S = 10
STEPS = st.one_of(
    st.tuples(st.sampled_from(["approved", "rejected"]), st.sampled_from([0, UNDO_S])),
    st.tuples(st.just("undo"), st.just(0)),
    st.tuples(st.just("wait"), st.integers(1, 25)),
    st.tuples(st.just("look"), st.just(0)),
    st.tuples(st.just("kill"), st.just(0)),
    st.tuples(st.just("end the run"), st.just(0)),
)


class Question:
    """A question of a run, and the answer that counts so far."""

    def __init__(self, world: World, asked: Decision, folder: Path) -> None:
        self.world = world
        self.folder = folder
        self.asked = asked
        self.held: tuple[Verdict, int] | None = None  # with the time it is carried out
        self.over = False

    async def do(self, step: str, number: int) -> None:
        match step:
            case "wait":
                self.world.clock.advance(number)
            case "look":
                await self.look()
            case "kill":
                await self.kill()
            case "undo":
                await self.undo()
            case "end the run":
                await self.end_run()
            case _:
                await self.answer("approved" if step == "approved" else "rejected", number)

    async def answer(self, verdict: Verdict, undo_s: int) -> None:
        world = self.world
        try:
            await world.store.write(
                lambda tx: answers.resolve(
                    tx, world.vault, world.owner, self.asked.id, Answer(verdict), undo_s
                )
            )
        except Conflict:
            assert self.held is not None or self.over
            return
        assert self.held is None
        assert not self.over
        self.over = undo_s == 0
        if undo_s:
            self.held = (verdict, world.clock.now() + undo_s * 1000)

    async def undo(self) -> None:
        world = self.world
        try:
            await world.store.write(lambda tx: answers.undo(tx, world.owner, self.asked.id))
        except Conflict:
            assert self.held is None or self.over
            return
        assert self.held is not None
        self.held = None

    async def look(self) -> None:
        """The rescue stage does what is due."""
        await work_off(self.world, answers.held_answers(self.world.vault), DUE_DECISIONS)
        now = self.world.clock.now()
        carried_out = self.held is not None and self.held[1] <= now
        expired = self.held is None and self.asked.expires_at <= now
        self.over = self.over or carried_out or expired

    async def kill(self) -> None:
        """The process is gone; another opens the same file."""
        world = self.world
        await world.store.close()
        self.world = replace(
            world, store=open_store(self.folder, world.clock, world.limits, world.effects.append)
        )
        await self.world.store.start()

    async def end_run(self) -> None:
        run = await self.world.run(self.asked.run_id or "")
        with suppress(Conflict):
            await self.world.store.write(lambda tx: cancel(tx, run, "enough"))
        self.over = True

    async def outcome(self) -> tuple[str, list[str]]:
        """The question's status, and what the agent was told, from what is stored."""
        world = self.world
        found = await world.store.read(lambda tx: tx.chat.decision(self.asked.id))
        events = await world.store.read(lambda tx: tx.events.feed(world.agent.id, 0, 1000))
        told = [msgspec.json.decode(each.event.body) for each in events]
        assert found is not None
        return found.status, [
            each["status"] for each in told if each["type"] == "decision_resolved"
        ]


async def play(kind: Kind, steps: list[tuple[str, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with prepared(Path(folder), kind), open_world(Path(folder)) as world:
            task = await world.task()
            run = await world.store.write(lambda tx: run_now(tx, task))
            fields = DecisionFields(title="May I?", task_run_id=run.id, expires_in_s=LIFE_S)
            asked = await world.store.write(
                lambda tx: decisions.open_decision(tx, world.agent, fields)
            )
            question = Question(world, asked, Path(folder))
            for step, number in steps:
                await question.do(step, number)
                status, told = await question.outcome()
                assert (status == "pending") == (not question.over)
                assert told == [] if status in ("pending", "dismissed") else told == [status]
            question.world.clock.advance(LIFE_S + UNDO_S)
            await question.look()
            status, told = await question.outcome()
            assert status != "pending"
            assert told == ([] if status == "dismissed" else [status])
            if question.held is not None and status != "dismissed":
                assert status == question.held[0]
            await question.world.store.close()


@settings(max_examples=60, deadline=None)
@given(st.lists(STEPS, max_size=12))
def test_a_question_has_one_outcome_and_its_agent_is_told_once(
    steps: list[tuple[str, int]],
) -> None:
    asyncio.run(play("sqlite", steps))


@settings(max_examples=20, deadline=None)
@given(st.lists(STEPS, max_size=12))
def test_a_question_has_one_outcome_on_postgresql_too(steps: list[tuple[str, int]]) -> None:
    asyncio.run(play("postgres", steps))
