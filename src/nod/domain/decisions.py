"""Questions to a person: what makes a good one, what answers it, and when the person is warned.

A question that nobody answers expires. Expiring is no denial, and silence is never consent.
"""

from dataclasses import dataclass, replace
from typing import Literal

from nod.domain.errors import Conflict, Forbidden, InvalidInput
from nod.domain.instant import SECOND, Instant
from nod.domain.model import Decision, DecisionKind, new_id
from nod.domain.states import next_decision_status

Verdict = Literal["approved", "rejected", "responded", "dismissed"]

_VERBS: dict[Verdict, str] = {
    "approved": "approve",
    "rejected": "reject",
    "responded": "respond",
    "dismissed": "dismiss",
}
_YES_OR_NO: tuple[Verdict, ...] = ("approved", "rejected", "dismissed")
_WORDS: tuple[Verdict, ...] = ("responded", "dismissed")
_ANSWERS: dict[DecisionKind, tuple[Verdict, ...]] = {
    "approval": _YES_OR_NO,
    "permission": _YES_OR_NO,
    "proposal": _YES_OR_NO,
    "still_wanted": _YES_OR_NO,
    "budget": _YES_OR_NO,
    "quarantine": ("approved", "rejected"),
    "choice": _WORDS,
    "question": _WORDS,
}
OF_NOD: tuple[DecisionKind, ...] = ("still_wanted", "budget", "quarantine")
"""What Nod itself asks. The agent neither sees it nor hears of the answer."""

# The person is warned when so much of the time is over.
_WARNINGS = (0.5, 0.9)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a person says to a question. `note` is free text; `option` one of a choice's options."""

    status: Verdict
    note: str | None = None
    option: str | None = None
    always_allow: bool = False
    always_allow_pattern: str | None = None


def make_decision(
    now: Instant,
    agent_id: str,
    conversation_id: str,
    kind: DecisionKind,
    title: str,
    expires_in_s: int,
    *,
    description: str = "",
    run_id: str | None = None,
    task_id: str | None = None,
) -> Decision:
    """A question that waits for its answer for `expires_in_s` seconds."""
    decision = Decision(
        id=new_id("dec", now),
        agent_id=agent_id,
        conversation_id=conversation_id,
        run_id=run_id,
        task_id=task_id,
        kind=kind,
        title=title,
        description=description,
        options="[]",
        allows_always=False,
        always_allow_label=None,
        always_allow_options="[]",
        proposal=None,
        status="pending",
        note=None,
        always_allow=False,
        always_allow_pattern=None,
        resolved_by=None,
        resolved_at=None,
        created_at=now,
        expires_at=now + expires_in_s * SECOND,
        warn_at=None,
    )
    return replace(decision, warn_at=next_warning(decision, now))


def next_warning(decision: Decision, now: Instant) -> Instant | None:
    """When, after `now`, the person is warned that the question will expire; None: no more."""
    life = decision.expires_at - decision.created_at
    times = (decision.created_at + round(life * part) for part in _WARNINGS)
    return next((at for at in times if at > now), None)


def answered(
    decision: Decision,
    answer: Answer,
    options: list[str],
    patterns: list[str],
    by: str,
    now: Instant,
) -> Decision:
    """The question with its answer. `options` and `patterns` are what the agent offered.

    Raises Conflict when it has been answered already, InvalidInput for an answer that does not
    fit the question, Forbidden for a standing permission that may not be given.
    """
    if decision.held_until is not None:
        raise Conflict("this decision has been answered already; undo that answer first")
    status = next_decision_status(_VERBS[answer.status], decision.status)
    fitting = _ANSWERS[decision.kind]
    if answer.status not in fitting:
        raise InvalidInput(
            f"status must be one of {', '.join(fitting)} for a decision of kind {decision.kind};"
            f" got {answer.status}"
        )
    _check_always(decision, answer, patterns)
    return replace(
        decision,
        status=status,
        note=_note(decision, answer, options),
        always_allow=answer.always_allow,
        always_allow_pattern=answer.always_allow_pattern,
        resolved_by=by,
        resolved_at=now,
        warn_at=None,
    )


def allowed_by_rule(decision: Decision, pattern: str | None, label: str, now: Instant) -> Decision:
    """The request answered by a standing permission, which `label` names.

    `pattern` is the one of it that the agent offered; None where the same request was allowed.
    """
    return replace(
        decision,
        status=next_decision_status("approve", decision.status),
        note=f"Always allowed: {label}",
        always_allow=True,
        always_allow_pattern=pattern,
        resolved_by="rule",
        resolved_at=now,
        warn_at=None,
    )


def closed(decision: Decision, verb: Literal["dismiss", "expire"], now: Instant) -> Decision:
    """The question closed by Nod: its run has ended, or its time is up."""
    return replace(
        decision,
        status=next_decision_status(verb, decision.status),
        resolved_by="nod",
        resolved_at=now,
        warn_at=None,
    )


def _check_always(decision: Decision, answer: Answer, patterns: list[str]) -> None:
    if answer.always_allow_pattern is not None and not answer.always_allow:
        raise InvalidInput("always_allow_pattern needs always_allow to be true")
    if not answer.always_allow:
        return
    if not decision.allows_always or answer.status != "approved":
        raise InvalidInput("always_allow goes with approving a decision that allows_always")
    if decision.outside:
        raise Forbidden(
            "this was asked while the agent worked on a call from outside, so it can be allowed"
            " once and not always; approve it without always_allow"
        )
    if answer.always_allow_pattern is not None and answer.always_allow_pattern not in patterns:
        raise InvalidInput(
            f"always_allow_pattern must be one that the agent offered:"
            f" {', '.join(patterns) or 'it offered none'}"
        )


def _note(decision: Decision, answer: Answer, options: list[str]) -> str | None:
    """The words of the answer: the option chosen, or what the person wrote."""
    note = None if answer.note is None else answer.note.strip() or None
    if answer.option is None:
        if answer.status == "responded" and note is None:
            what = "an option, or a note" if decision.kind == "choice" else "a note"
            raise InvalidInput(f"responding needs {what} with your words")
        return note
    if decision.kind != "choice" or answer.status != "responded":
        raise InvalidInput("option goes with responding to a decision of kind choice")
    if note is not None:
        raise InvalidInput("send either option or note: the agent reads one answer")
    if answer.option not in options:
        raise InvalidInput(
            f"option must be one of those offered: {', '.join(options)};"
            " write anything else as note"
        )
    return answer.option
