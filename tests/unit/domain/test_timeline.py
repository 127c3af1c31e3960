"""A run's life has no gaps, from the time it was due to its end, whatever the clocks did."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nod.domain.decisions import make_decision
from nod.domain.instant import MINUTE, SECOND
from nod.domain.model import Decision, Delivery, Run
from nod.domain.runs import make_run
from nod.domain.timeline import Timeline, timeline
from support.clock import MONDAY_9
from support.values import make_task

RUN = make_run(make_task(), MONDAY_9, MONDAY_9, "schedule")
NOW = MONDAY_9 + 10 * MINUTE


def attempt(end: int, *, latency: int = 4, outcome: str = "ok", **given: Any) -> Delivery:
    fields = {"channel": "websocket", "error": None, **given}
    return Delivery(
        "dlv_1",
        "evt_1",
        "agt_1",
        RUN.id,
        attempt=1,
        outcome=outcome,
        status=None,
        latency_ms=latency,
        answer="",
        created_at=MONDAY_9 + end,
        **fields,
    )


def question(asked: int, answered: int | None) -> Decision:
    made = make_decision(MONDAY_9, "agt_1", "cnv_1", "approval", "May I?", MONDAY_9)
    until = None if answered is None else MONDAY_9 + answered
    return replace(made, created_at=MONDAY_9 + asked, resolved_at=until)


def run(**given: Any) -> Run:
    return replace(RUN, **given)


def steps(found: Timeline) -> list[tuple[str, str, float]]:
    return [(each.kind, each.label, each.seconds) for each in found.steps]


DONE = run(
    status="completed",
    delivery="delivered",
    delivered_at=MONDAY_9 + SECOND,
    started_at=MONDAY_9 + 3 * SECOND,
    finished_at=MONDAY_9 + 3 * SECOND + 150 * SECOND,
)


def test_a_life_from_due_to_done() -> None:
    found = timeline(DONE, [attempt(1000)], [question(63_000, 93_000)], NOW, "UTC")
    assert (found.start, found.end, found.open) == (MONDAY_9, DONE.finished_at, False)
    assert [each.kind for each in found.steps] == [
        "due",
        "unsent",
        "sent",
        "untaken",
        "working",
        "asking",
        "working",
        "ended",
    ]
    assert [each.label for each in found.steps[1:7]] == [
        "waiting to be sent, 996 ms",
        "socket, 4 ms",
        "waiting to be taken up, 2 s",
        "working, 1 min",
        "you, 30 s",
        "working, 1 min",
    ]
    assert (found.steps[0].label, found.steps[-1].label) == ("due 09:00:00", "done 09:02:33")


def test_a_run_under_way_is_open_and_ends_now() -> None:
    working = replace(DONE, status="running", finished_at=None)
    found = timeline(working, [attempt(1000)], [question(63_000, None)], NOW, "UTC")
    assert (found.open, found.end) == (True, NOW)
    assert steps(found)[-1] == ("asking", "you, 8 min 57 s", 537.0)


def test_each_try_is_shown_until_one_succeeds() -> None:
    tries = [
        attempt(1000, latency=120, outcome="http_error", channel="webhook", error="HTTP 500"),
        attempt(2000, latency=50, outcome="timeout", channel="webhook"),
        attempt(2500, latency=10, channel="poll"),
        attempt(2600),
    ]
    found = timeline(run(delivered_at=MONDAY_9 + 2500), tries, [], NOW, "UTC")
    sent = [each.label for each in found.steps if each.kind == "sent"]
    assert sent == [
        "webhook failed: HTTP 500, 120 ms",
        "webhook failed: timeout, 50 ms",
        "polling, 10 ms",
    ]
    assert found.steps[-1].kind == "untaken"


def test_tries_after_it_was_taken_up_are_not_its_way() -> None:
    tries = [attempt(1000, outcome="dropped"), attempt(9000, outcome="dropped")]
    taken = run(status="running", started_at=MONDAY_9 + 1000)
    found = timeline(taken, tries, [], NOW, "UTC")
    assert [each.kind for each in found.steps] == ["due", "unsent", "sent", "working"]


def test_a_run_that_is_taken_up_at_once_came_all_the_same() -> None:
    taken = run(status="running", started_at=MONDAY_9, delivered_at=MONDAY_9)
    found = timeline(taken, [attempt(0, latency=0)], [], NOW, "UTC")
    assert [each.label for each in found.steps[:2]] == ["due 09:00:00", "socket, 0 ms"]


def test_a_run_fetched_by_polling_says_so() -> None:
    polled = run(status="running", delivery="polled", delivered_at=MONDAY_9 + 1000)
    polled = replace(polled, started_at=MONDAY_9 + 2000)
    assert steps(timeline(polled, [], [], NOW, "UTC"))[1:4] == [
        ("unsent", "waiting to be sent, 1 s", 1),
        ("sent", "fetched by polling", 0),
        ("untaken", "waiting to be taken up, 1 s", 1),
    ]


def test_a_run_fetched_by_polling_says_so_also_after_tries_to_send_it() -> None:
    polled = run(status="running", delivery="polled", delivered_at=MONDAY_9 + 1000)
    polled = replace(polled, started_at=MONDAY_9 + 1000)
    tries = [attempt(1000, outcome="dropped"), attempt(9000, outcome="dropped")]
    found = timeline(polled, tries, [], NOW, "UTC")
    sent = [each.label for each in found.steps if each.kind == "sent"]
    assert sent == ["socket failed: dropped, 4 ms", "fetched by polling"]


@pytest.mark.parametrize(
    ("queued", "label"),
    [(True, "waiting for its turn, 10 min"), (False, "waiting to be sent, 10 min")],
)
def test_a_run_nobody_has_been_given_waits(queued: bool, label: str) -> None:
    assert steps(timeline(run(queued=queued), [], [], NOW, "UTC"))[1:] == [("unsent", label, 600)]


@pytest.mark.parametrize(
    ("status", "more", "label"),
    [
        ("skipped", {"reason": "paused"}, "skipped 09:01:00: paused"),
        ("failed", {"error": "timeout"}, "failed 09:01:00: timeout"),
        ("cancelled", {}, "cancelled 09:01:00"),
    ],
)
def test_an_end_says_when_and_why(status: Any, more: dict[str, Any], label: str) -> None:
    ended = run(status=status, finished_at=MONDAY_9 + MINUTE, **more)
    assert timeline(ended, [], [], NOW, "UTC").steps[-1].label == label


def test_a_fire_that_did_not_run_waited_for_nothing() -> None:
    skipped = run(status="skipped", finished_at=MONDAY_9 + MINUTE)
    found = timeline(skipped, [], [], NOW, "UTC")
    assert [each.kind for each in found.steps] == ["due", "ended"]


def test_questions_at_the_same_time_are_one_wait() -> None:
    asked = [question(10_000, 50_000), question(20_000, 30_000), question(40_000, 60_000)]
    after = question(60_000, 70_000)  # asked when the last one was answered
    found = timeline(DONE, [], [*asked, after], NOW, "UTC")
    waits = [each for each in steps(found) if each[0] == "asking"]
    assert waits == [("asking", "you, 1 min", 60.0)]


MOMENTS = st.none() | st.integers(-20_000, 20_000).map(lambda ms: MONDAY_9 + ms)
OUTCOMES = st.sampled_from(["ok", "timeout"])
OFFSETS = st.integers(-20_000, 20_000)


@given(
    started=MOMENTS,
    delivered=MOMENTS,
    finished=MOMENTS,
    polled=st.booleans(),
    tries=st.lists(st.tuples(OFFSETS, st.integers(0, 5000), OUTCOMES), max_size=4),
    asked=st.lists(st.tuples(OFFSETS, st.none() | OFFSETS), max_size=4),
)
def test_steps_follow_each_other_without_gaps(
    started: int | None,
    delivered: int | None,
    finished: int | None,
    polled: bool,
    tries: list[tuple[int, int, str]],
    asked: list[tuple[int, int | None]],
) -> None:
    lived = run(
        status="running" if finished is None else "completed",
        delivery="polled" if polled else "delivered",
        started_at=started,
        delivered_at=delivered,
        finished_at=finished,
    )
    attempts = [attempt(at, latency=took, outcome=how) for at, took, how in sorted(tries)]
    questions = [question(*each) for each in sorted(asked, key=lambda each: each[0])]
    found = timeline(lived, attempts, questions, MONDAY_9 + 5000, "UTC")
    assert found.steps[0].start == found.start
    assert found.steps[-1].end == found.end
    assert all(one.end == other.start for one, other in pairwise(found.steps))
    assert all(each.seconds >= 0 for each in found.steps)
