"""Questions and answers as values."""

from dataclasses import replace

import pytest

from nod.domain.decisions import (
    Answer,
    allowed_by_rule,
    answered,
    closed,
    make_decision,
    next_warning,
)
from nod.domain.errors import Conflict, Forbidden, InvalidInput
from nod.domain.instant import HOUR, SECOND
from nod.domain.model import Decision, DecisionKind

NOW = 1_772_442_000_000
ANN = "ann@example.org"


def question(kind: DecisionKind = "approval") -> Decision:
    return make_decision(NOW, "agt_1", "conv_1", kind, "May I?", 3600 * 10)


def answer(decision: Decision, given: Answer) -> Decision:
    return answered(decision, given, ["tea", "coffee"], ["git *"], ANN, NOW + HOUR)


def test_a_new_question_is_open_and_offers_nothing_yet() -> None:
    asked = make_decision(
        NOW,
        "agt_1",
        "conv_1",
        "choice",
        "Which?",
        100,
        description="Tea or coffee.",
        run_id="run_1",
        task_id="tsk_1",
    )
    assert asked == Decision(
        id=asked.id,
        agent_id="agt_1",
        conversation_id="conv_1",
        run_id="run_1",
        task_id="tsk_1",
        kind="choice",
        title="Which?",
        description="Tea or coffee.",
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
        created_at=NOW,
        expires_at=NOW + 100 * SECOND,
        warn_at=NOW + 50 * SECOND,
    )
    assert asked.id.startswith(f"dec_{NOW:012x}")
    assert (question().description, question().run_id, question().task_id) == ("", None, None)


def test_the_person_is_warned_at_half_and_at_nine_tenths_of_the_time() -> None:
    decision = question()
    assert decision.warn_at == NOW + 5 * HOUR
    assert next_warning(decision, NOW + 5 * HOUR) == NOW + 9 * HOUR
    assert next_warning(decision, NOW + 9 * HOUR) is None


@pytest.mark.parametrize("kind", ["approval", "permission", "proposal", "still_wanted"])
@pytest.mark.parametrize("status", ["approved", "rejected", "dismissed"])
def test_a_yes_or_no_question_takes_yes_no_and_dismissal(kind: DecisionKind, status: str) -> None:
    given = Answer(status, note="  because ")  # type: ignore[arg-type]
    resolved = answer(question(kind), given)
    assert (resolved.status, resolved.note) == (status, "because")
    assert (resolved.resolved_by, resolved.resolved_at) == (ANN, NOW + HOUR)
    assert (resolved.warn_at, resolved.always_allow) == (None, False)


def test_a_choice_is_answered_by_one_of_its_options_or_by_other_words() -> None:
    assert answer(question("choice"), Answer("responded", option="tea")).note == "tea"
    assert answer(question("choice"), Answer("responded", note="water")).note == "water"


def test_a_question_is_answered_by_words() -> None:
    assert answer(question("question"), Answer("responded", note="42")).note == "42"


@pytest.mark.parametrize(
    ("kind", "given", "says"),
    [
        ("approval", Answer("responded", note="ok"), "approved, rejected, dismissed"),
        ("choice", Answer("approved"), "responded, dismissed"),
        ("choice", Answer("responded"), "an option, or a note"),
        ("choice", Answer("responded", option="milk"), "one of those offered: tea, coffee"),
        ("choice", Answer("responded", option="milk"), "write anything else as note"),
        ("choice", Answer("responded", option="tea", note="hot"), "either option or note"),
        ("question", Answer("responded", note="  "), "needs a note"),
        ("question", Answer("responded", option="tea", note="x"), "kind choice"),
        ("approval", Answer("approved", option="tea"), "kind choice"),
        ("approval", Answer("approved", always_allow=True), "allows_always"),
        ("approval", Answer("approved", always_allow_pattern="git *"), "needs always_allow"),
    ],
)
def test_an_answer_that_does_not_fit_is_refused_and_says_what_would(
    kind: DecisionKind, given: Answer, says: str
) -> None:
    with pytest.raises(InvalidInput, match=says):
        answer(question(kind), given)


def test_allowing_for_good_takes_only_a_pattern_that_was_offered() -> None:
    asked = replace(question("permission"), allows_always=True)
    allowed = answer(asked, Answer("approved", always_allow=True, always_allow_pattern="git *"))
    assert (allowed.always_allow, allowed.always_allow_pattern) == (True, "git *")
    assert answer(asked, Answer("approved", always_allow=True)).always_allow_pattern is None
    wrong = Answer("approved", always_allow=True, always_allow_pattern="rm *")
    with pytest.raises(InvalidInput, match=r"git \*"):
        answer(asked, wrong)
    with pytest.raises(InvalidInput, match=r"offered: git \*, ls$"):
        answered(asked, wrong, [], ["git *", "ls"], ANN, NOW)
    with pytest.raises(InvalidInput, match="none"):
        answered(asked, wrong, [], [], ANN, NOW)
    with pytest.raises(InvalidInput, match="goes with approving"):
        answer(asked, Answer("rejected", always_allow=True))


@pytest.mark.parametrize("pattern", ["git *", None])
def test_what_is_always_allowed_is_approved_by_its_rule(pattern: str | None) -> None:
    allowed = allowed_by_rule(question("permission"), pattern, "git", NOW + HOUR)
    assert (allowed.status, allowed.note) == ("approved", "Always allowed: git")
    assert (allowed.always_allow, allowed.always_allow_pattern) == (True, pattern)
    assert (allowed.resolved_by, allowed.resolved_at, allowed.warn_at) == ("rule", NOW + HOUR, None)
    with pytest.raises(Conflict):
        allowed_by_rule(allowed, pattern, "git", NOW + HOUR)


def test_the_first_answer_stands() -> None:
    resolved = answer(question(), Answer("approved"))
    with pytest.raises(Conflict, match="already approved"):
        answer(resolved, Answer("rejected"))


def test_an_answer_that_can_be_taken_back_is_taken_back_before_another_is_given() -> None:
    held = replace(question(), held_until=NOW + HOUR)
    with pytest.raises(Conflict, match="undo that answer first"):
        answer(held, Answer("rejected"))


def test_what_a_call_from_outside_led_to_is_allowed_once_and_never_always() -> None:
    asked = replace(question("permission"), allows_always=True, outside=True)
    with pytest.raises(Forbidden, match="approve it without always_allow"):
        answer(asked, Answer("approved", always_allow=True))
    assert answer(asked, Answer("approved")).status == "approved"


def test_expiring_is_not_a_denial() -> None:
    expired = closed(question(), "expire", NOW + 10 * HOUR)
    assert (expired.status, expired.resolved_by, expired.note) == ("expired", "nod", None)
    assert (expired.resolved_at, expired.warn_at) == (NOW + 10 * HOUR, None)
    with pytest.raises(Conflict):
        answer(expired, Answer("approved"))
