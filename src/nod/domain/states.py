"""The state machines: every change of state that exists, in one table each.

A change that is not in the table does not happen. The chart in docs/concepts.md is drawn from
these tables (`mermaid`), and a test holds it to them.
"""

from typing import Literal, NamedTuple

from nod.domain.errors import Conflict

RunStatus = Literal[
    "pending",  # made; the agent has not taken it up
    "running",  # taken up
    "waiting",  # for a person's answer
    "completed",
    "failed",  # with `error`: "agent: …", "timeout" or "delivery: …"
    "cancelled",
    "skipped",  # a fire that did not run, with `reason`
]
EventState = Literal[
    "held",  # until its run's turn comes
    "pending",  # to be sent by the next channel that can
    "acknowledged",
    "polled",  # handed out by polling
    "dead",  # with `error`
]
DecisionStatus = Literal["pending", "approved", "rejected", "responded", "dismissed", "expired"]

ACTIVE: tuple[RunStatus, ...] = ("pending", "running", "waiting")
ENDED: tuple[RunStatus, ...] = ("completed", "failed", "cancelled", "skipped")
OPEN_EVENTS: tuple[EventState, ...] = ("held", "pending", "polled")


class Transition(NamedTuple):
    """One arrow of a chart: what happens (`verb`) takes `source` to `target`."""

    verb: str
    source: str
    target: str
    meaning: str


RUN_TRANSITIONS: tuple[Transition, ...] = (
    Transition("take_up", "pending", "running", "the agent names the run"),
    Transition("ask", "running", "waiting", "a decision of the run is open"),
    Transition("answer", "waiting", "running", "its last open decision is resolved"),
    Transition("complete", "running", "completed", "the agent reports success"),
    Transition(
        "complete", "waiting", "completed", "the agent reports success; its questions close"
    ),
    Transition("fail", "running", "failed", "the agent reports failure"),
    Transition("fail", "waiting", "failed", "the agent reports failure; its questions close"),
    Transition("time_out", "pending", "failed", "delivered, and not taken up in time"),
    Transition("time_out", "running", "failed", "no sign of life for timeout_s"),
    Transition("undeliverable", "pending", "failed", "no channel reached the agent"),
    Transition("outlive", "pending", "skipped", "useful_until has passed"),
    Transition("go_over", "pending", "skipped", "a budget is used up when its turn comes"),
    Transition("turn_away", "pending", "skipped", "its call was held, and nobody let it in"),
    Transition("cancel", "pending", "cancelled", "by the person, the task's policy or its end"),
    Transition("cancel", "running", "cancelled", "by the person, the task's policy or its end"),
    Transition("cancel", "waiting", "cancelled", "by the person, the task's policy or its end"),
    Transition("complete_late", "failed", "completed", "the result came after Nod had given up"),
)

EVENT_TRANSITIONS: tuple[Transition, ...] = (
    Transition("release", "held", "pending", "the run's turn has come"),
    Transition("acknowledge", "held", "acknowledged", "the agent took the run up by itself"),
    Transition("bury", "held", "dead", "its run has ended, or its time is over"),
    Transition("acknowledge", "pending", "acknowledged", "acknowledged by the agent"),
    Transition("hand_out", "pending", "polled", "handed out by polling"),
    Transition(
        "bury",
        "pending",
        "dead",
        "undeliverable in time; its run has ended, or its agent is removed",
    ),
    Transition("acknowledge", "polled", "acknowledged", "acknowledged by the agent"),
    Transition("hand_out", "polled", "polled", "handed out again"),
    Transition("bury", "polled", "dead", "its run has ended"),
    Transition("replay", "acknowledged", "pending", "a person sends it again"),
    Transition("replay", "polled", "pending", "a person sends it again"),
    Transition("replay", "dead", "pending", "a person sends it again"),
)

DECISION_TRANSITIONS: tuple[Transition, ...] = (
    Transition("approve", "pending", "approved", "the person says yes"),
    Transition("reject", "pending", "rejected", "the person says no"),
    Transition("respond", "pending", "responded", "the person chooses or writes"),
    Transition("dismiss", "pending", "dismissed", "the question has lost its object"),
    Transition("expire", "pending", "expired", "nobody answered in time; this is no denial"),
)


def _table(transitions: tuple[Transition, ...]) -> dict[tuple[str, str], str]:
    return {(each.verb, each.source): each.target for each in transitions}


_RUN = _table(RUN_TRANSITIONS)
_EVENT = _table(EVENT_TRANSITIONS)
_DECISION = _table(DECISION_TRANSITIONS)


def next_run_status(verb: str, status: str, run_id: str) -> RunStatus:
    """The status after `verb`. Raises Conflict when a run in `status` cannot do that."""
    target = _RUN.get((verb, status))
    if target is None:
        raise Conflict(f"run {run_id} is {status}; it cannot {verb.replace('_', ' ')} any more")
    return target  # type: ignore[return-value]


def run_can(verb: str, status: str) -> bool:
    """Whether a run in `status` can do `verb`."""
    return (verb, status) in _RUN


def next_event_state(verb: str, state: str) -> EventState:
    """The state after `verb`. Raises Conflict when an event in `state` cannot do that."""
    target = _EVENT.get((verb, state))
    if target is None:
        raise Conflict(f"this event is {state}; it cannot {verb.replace('_', ' ')}")
    return target  # type: ignore[return-value]


def next_decision_status(verb: str, status: str) -> DecisionStatus:
    """The status after `verb`. Raises Conflict when the decision has been answered already."""
    target = _DECISION.get((verb, status))
    if target is None:
        raise Conflict(f"this decision is already {status}; the first answer stands")
    return target  # type: ignore[return-value]


def sources(transitions: tuple[Transition, ...], verb: str) -> tuple[str, ...]:
    """The states from which `verb` can happen; what SQL guards a change with."""
    return tuple(each.source for each in transitions if each.verb == verb)


def mermaid(transitions: tuple[Transition, ...]) -> str:
    """The table as a Mermaid state chart."""
    lines = [f"  {each.source} --> {each.target}: {each.verb}" for each in transitions]
    return "\n".join(["stateDiagram-v2", *lines])
