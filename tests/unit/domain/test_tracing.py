"""What a caller says of its trace, held to W3C Trace Context."""

from dataclasses import replace

import pytest

from nod.domain.limits import Limits
from nod.domain.runs import make_run
from nod.domain.task_fields import blank_task
from nod.domain.tracing import (
    Trace,
    is_sampled,
    parent_id,
    read_trace,
    sent_trace,
    span_id,
    trace_id,
)
from support.clock import MONDAY_9

# The example of the specification.
PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
TASK = blank_task("agt_1", "UTC", MONDAY_9, Limits())
ALONE = make_run(TASK, MONDAY_9, MONDAY_9, "manual")
CHILD = make_run(TASK, MONDAY_9, MONDAY_9, "event", trace=Trace(PARENT, "congo=t61rcWkgMzE"))


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (PARENT, PARENT),
        (f" {PARENT} ", PARENT),
        (f"01{PARENT[2:]}-what-the-future-will-be-like", PARENT),
        (f"{PARENT}-more", None),
        (f"ff{PARENT[2:]}", None),
        (PARENT.upper(), None),
        (PARENT.replace("4bf92f3577b34da6a3ce929d0e0e4736", "0" * 32), None),
        (PARENT.replace("00f067aa0ba902b7", "0" * 16), None),
        (PARENT[:-1], None),
        ("", None),
    ],
)
def test_a_traceparent_is_taken_when_it_is_valid(given: str, read: str | None) -> None:
    found = read_trace({"traceparent": given})
    assert (None if found is None else found.traceparent) == read


@pytest.mark.parametrize(
    ("state", "kept"), [("a=1,b=2", "a=1,b=2"), ("", None), ("x" * 513, None), ("a=\x01", None)]
)
def test_a_tracestate_goes_with_it_as_far_as_it_can_be_sent_on(
    state: str, kept: str | None
) -> None:
    assert read_trace({"traceparent": PARENT, "tracestate": state}) == Trace(PARENT, kept)
    assert read_trace({"tracestate": state}) is None


def test_without_spans_of_its_own_a_run_hands_on_what_it_was_given() -> None:
    assert sent_trace(ALONE, traced=False) == {}
    given = {"traceparent": PARENT, "tracestate": "congo=t61rcWkgMzE"}
    assert sent_trace(CHILD, traced=False) == given
    retry = make_run(TASK, MONDAY_9, MONDAY_9, "retry", retry_of=CHILD)
    assert sent_trace(retry, traced=False) == given


def test_with_spans_what_it_hands_on_names_its_own_span() -> None:
    found = sent_trace(CHILD, traced=True)
    assert found["tracestate"] == "congo=t61rcWkgMzE"
    assert found["traceparent"] == f"{PARENT[:35]}-{span_id(CHILD.id):016x}-01"
    assert read_trace(sent_trace(ALONE, traced=True)) is not None
    assert (trace_id(CHILD), parent_id(CHILD)) == (
        0x4BF92F3577B34DA6A3CE929D0E0E4736,
        0x00F067AA0BA902B7,
    )
    assert parent_id(ALONE) is None
    assert trace_id(ALONE) != trace_id(replace(ALONE, id="run_other"))
    assert span_id("run_1") != span_id("run_2")


def test_what_a_caller_does_not_record_is_not_recorded() -> None:
    silent = replace(CHILD, traceparent=f"{PARENT[:-2]}00")
    assert [is_sampled(run) for run in (ALONE, CHILD, silent)] == [True, True, False]
    assert sent_trace(silent, traced=True)["traceparent"].endswith("-00")
