"""Whatever happens to a run in whatever order, it moves only along the table's arrows."""

import asyncio
import tempfile
from contextlib import AsyncExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from nod.actions import tasks
from nod.domain.errors import Conflict
from nod.domain.model import Run, Task
from nod.domain.runs import underway
from nod.domain.states import (
    ACTIVE,
    DECISION_TRANSITIONS,
    ENDED,
    EVENT_TRANSITIONS,
    OPEN_EVENTS,
    RUN_TRANSITIONS,
    RunStatus,
    mermaid,
    next_decision_status,
    next_event_state,
    next_run_status,
    run_can,
    sources,
)
from nod.engine import settle
from nod.engine.ending import end
from support.databases import Kind, prepared
from support.steps import call, complete, fire_after, now, rescue_after, start, take_up
from support.world import open_world

ARROWS = {(each.source, each.target) for each in RUN_TRANSITIONS}
EVENT_ARROWS = {(each.source, each.target) for each in EVENT_TRANSITIONS}
# Several arrows may be taken in one step: a result takes the run up before it ends it.
_STEPS = 3


def _reachable(arrows: set[tuple[str, str]], source: str, target: str) -> bool:
    reached = {source}
    for _ in range(_STEPS):
        reached |= {there for here, there in arrows if here in reached}
    return target in reached


class RunsMachine(RuleBasedStateMachine):
    """A task's runs in the real store, and everything that agent, person and time do to them."""

    kind: Kind = "sqlite"

    def __init__(self) -> None:
        super().__init__()
        self._loop = asyncio.new_event_loop()
        self._opened = AsyncExitStack()
        folder = Path(self._opened.enter_context(tempfile.TemporaryDirectory()))
        self._do(self._opened.enter_async_context(prepared(folder, self.kind)))
        self.world = self._do(self._opened.enter_async_context(open_world(folder)))
        self.seen: dict[str, Run] = {}
        self.events: dict[str, str] = {}

    def _do(self, work: Any) -> Any:
        return self._loop.run_until_complete(work)

    def _try(self, work: Any) -> None:
        """A verb that does not fit the state is refused, and changes nothing."""
        with suppress(Conflict):
            self._do(work)

    def teardown(self) -> None:
        self._do(self._opened.aclose())
        self._loop.close()

    @initialize(
        overlap=st.sampled_from(["skip", "queue", "allow", "cancel_previous"]),
        idempotent=st.booleans(),
        event=st.booleans(),
    )
    def make(self, overlap: str, idempotent: bool, event: bool) -> None:
        self.task: Task = self._do(
            self.world.task(
                "event" if event else "*/20 * * * *",
                overlap=overlap,
                idempotent=idempotent,
                max_attempts=3,
                useful_until="50m",
                timeout_s=1200,
            )
        )

    def _one(self, place: int) -> Run | None:
        runs = self._do(self.world.runs(self.task))
        return runs[place % len(runs)] if runs else None

    @rule()
    def made_by_hand(self) -> None:
        self._do(now(self.world, self.task))

    @rule(key=st.sampled_from([None, "a", "b"]))
    def called(self, key: str | None) -> None:
        if self.task.trigger_type == "event":
            self._try(call(self.world, self.task, key))

    @rule()
    def started(self) -> None:
        self._do(start(self.world, self.task))

    @rule(seconds=st.sampled_from([1, 60, 300, 1200, 3600]))
    def time_passes(self, seconds: int) -> None:
        self._do(fire_after(self.world, seconds))
        self._do(rescue_after(self.world, 0))

    @rule(place=st.integers(0, 20))
    def named(self, place: int) -> None:
        if run := self._one(place):
            self._try(take_up(self.world, run))

    @rule(place=st.integers(0, 20), outcome=st.sampled_from(["completed", "failed"]))
    def reported(self, place: int, outcome: settle.Outcome) -> None:
        if run := self._one(place):
            self._try(complete(self.world, run, outcome))

    @rule(
        place=st.integers(0, 20),
        verb=st.sampled_from(["cancel", "time_out", "undeliverable", "outlive"]),
    )
    def ended(self, place: int, verb: str) -> None:
        if run := self._one(place):
            self._try(self.world.store.write(lambda tx: end(tx, run, verb, error="e", reason="r")))

    @rule(pause=st.booleans())
    def paused_or_resumed(self, pause: bool) -> None:
        change: Any = partial(tasks.pause, reason="why not") if pause else tasks.resume
        self._do(self.world.store.write(lambda tx: change(tx, self.world.agent, self.task.id)))

    @rule(place=st.integers(0, 20))
    def asked(self, place: int) -> None:
        if run := self._one(place):
            self._try(self.world.store.write(lambda tx: settle.ask(tx, run)))

    @rule(place=st.integers(0, 20))
    def answered(self, place: int) -> None:
        if run := self._one(place):
            self._try(self.world.store.write(lambda tx: settle.answer(tx, run)))

    @invariant()
    def every_change_is_in_the_table(self) -> None:
        if not hasattr(self, "task"):
            return
        for run in self._do(self.world.runs(self.task)):
            self._check(self.seen.get(run.id), run)
            self.seen[run.id] = run
            for event in self._do(self.world.store.read(lambda tx, r=run: tx.events.of_run(r.id))):
                before = self.events.get(event.id, event.state)
                assert before == event.state or _reachable(EVENT_ARROWS, before, event.state)
                self.events[event.id] = event.state

    def _check(self, before: Run | None, run: Run) -> None:
        assert (run.finished_at is None) == (run.status in ACTIVE)
        assert not run.queued or run.status == "pending"
        assert run.deadline_at is None or run.status in ("pending", "running")
        if before is None or before.status == run.status:
            return
        assert _reachable(ARROWS, before.status, run.status)
        if before.status in ENDED:
            assert (before.status, run.status, run.late) == ("failed", "completed", True)

    @invariant()
    def one_at_a_time_unless_allowed(self) -> None:
        """With a queue, whoever waits has somebody before it, unless a pause holds all."""
        if not hasattr(self, "task"):
            return
        active = self._do(self.world.store.read(lambda tx: tx.runs.active(self.task.id)))
        late = [run for run in active if (run.useful_until or 1 << 62) <= self.world.clock.now()]
        if any(run.queued for run in active) and not late:
            task = self._do(self.world.get(self.task))
            assert underway(active, self.world.clock.now()) or not task.enabled


RunsMachine.TestCase.settings = settings(
    max_examples=25,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestRuns = RunsMachine.TestCase


class RunsOnPostgres(RunsMachine):
    """The same on PostgreSQL."""

    kind = "postgres"


RunsOnPostgres.TestCase.settings = settings(RunsMachine.TestCase.settings, max_examples=8)
TestRunsOnPostgres = RunsOnPostgres.TestCase


def test_the_functions_say_what_the_tables_say() -> None:
    for verb in {each.verb for each in RUN_TRANSITIONS}:
        for status in (*ACTIVE, *ENDED):
            assert run_can(verb, status) == (status in sources(RUN_TRANSITIONS, verb))
    for each in RUN_TRANSITIONS:
        assert next_run_status(each.verb, each.source, "run_1") == each.target
    for each in EVENT_TRANSITIONS:
        assert next_event_state(each.verb, each.source) == each.target
    for each in DECISION_TRANSITIONS:
        assert next_decision_status(each.verb, each.source) == each.target


def test_a_change_that_is_not_in_a_table_is_refused() -> None:
    with pytest.raises(Conflict, match="run_1 is completed; it cannot time out any more"):
        next_run_status("time_out", "completed", "run_1")
    with pytest.raises(Conflict, match="this event is dead; it cannot hand out"):
        next_event_state("hand_out", "dead")
    with pytest.raises(Conflict, match="already expired; the first answer stands"):
        next_decision_status("approve", "expired")


def test_a_run_is_active_as_long_as_it_can_be_cancelled_and_has_ended_after_that() -> None:
    assert set(ACTIVE) == set(sources(RUN_TRANSITIONS, "cancel"))
    assert sorted((*ACTIVE, *ENDED)) == sorted(get_args(RunStatus))
    assert set(OPEN_EVENTS) == set(sources(EVENT_TRANSITIONS, "bury"))


def test_an_ended_run_can_only_be_completed_late() -> None:
    leaving = [each for each in RUN_TRANSITIONS if each.source in ENDED]
    assert [each.verb for each in leaving] == ["complete_late"]


def test_the_chart_has_every_arrow() -> None:
    chart = mermaid(RUN_TRANSITIONS).splitlines()
    assert chart[0] == "stateDiagram-v2"
    assert "  pending --> running: take_up" in chart
    assert len(chart) == len(RUN_TRANSITIONS) + 1
