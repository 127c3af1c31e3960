"""What happened, in words: kinds that are finer than states, and the groups they belong to."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from nod.domain import activity
from nod.domain.decisions import make_decision
from nod.domain.model import Activity, Run
from nod.domain.runs import make_run, skipped_run
from support.values import make_task

NOW = 1_700_000_000_000


def ended(**fields: object) -> Run:
    run = replace(make_run(make_task(), NOW, NOW, "schedule"), finished_at=NOW + 5)
    return replace(run, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        ("agent: the disk is full", "run_failed", "the disk is full"),
        ("delivery: nobody took it in time", "run_not_reached", "nobody took it in time"),
        ("timeout", "run_timed_out", "There was no sign of life in time."),
        (None, "run_failed", ""),
    ],
)
def test_a_run_that_was_not_reached_is_not_one_that_failed(
    error: str | None, kind: str, text: str
) -> None:
    found = activity.run_ended(ended(status="failed", error=error), "Digest")
    assert (found.kind, found.title, found.text) == (kind, "Digest", text)


def test_a_result_says_its_first_words_without_markdown() -> None:
    found = activity.run_ended(ended(status="completed", summary="# All **well**"), "Digest")
    assert (found.kind, found.text, found.at) == ("run_completed", "All well", NOW + 5)


def test_a_fire_that_did_not_run_says_when_it_was_due_and_why() -> None:
    run = skipped_run(
        make_task(), NOW + 9, NOW, "schedule", "the 7:00 run was still going", NOW + 1
    )
    found = activity.run_ended(run, "Digest")
    assert (found.kind, found.due, found.missed_until) == ("run_skipped", NOW, NOW + 1)
    assert found.text == "the 7:00 run was still going"


def test_an_answer_is_told_with_its_note() -> None:
    asked = make_decision(NOW, "agt_1", "cnv_1", "approval", "May I?", 60)
    given = replace(
        asked, status="rejected", resolved_at=NOW + 1, note="Not today", resolved_by="a"
    )
    found = activity.answered(given)
    assert (found.kind, found.title, found.text) == ("decision_rejected", "May I?", "Not today")
    assert found.decision_id == asked.id


def test_what_has_not_ended_has_not_happened() -> None:
    with pytest.raises(ValueError, match="has not ended"):
        activity.run_ended(make_run(make_task(), NOW, NOW, "schedule"), "Digest")
    with pytest.raises(ValueError, match="waits"):
        activity.answered(make_decision(NOW, "agt_1", "cnv_1", "approval", "May I?", 60))


@pytest.mark.parametrize(("by", "text"), [("user", "By you."), ("agent", "By the agent.")])
def test_a_task_says_who_made_it_and_is_no_link_once_it_is_removed(by: str, text: str) -> None:
    task = replace(make_task(), created_by=by)  # type: ignore[arg-type]
    assert activity.task_made(task).text == text
    assert activity.task_made(task).task_id == task.id
    assert activity.task_made(replace(task, deleted_at=NOW)).task_id is None


ASKED = make_decision(NOW, "agt_1", "cnv_1", "approval", "May I?", 60, task_id="tsk_1")
ANSWERED = replace(ASKED, run_id="run_1", status="approved", resolved_at=NOW + 5)
LINE = Activity(
    7, "act_1", "agt_1", "alert", "Disk", "**full**", "tsk_1", "run_1", NOW + 5, "dec_1"
)
TASK = replace(make_task(), created_at=NOW + 5)
RUN = ended(status="completed")


@pytest.mark.parametrize(
    ("happened", "whose", "says", "leads_to"),
    [
        (
            lambda: activity.line_happened(LINE),
            ("act_1", "agt_1"),
            ("alert", "Disk", "full"),
            ("tsk_1", "run_1", "dec_1"),
        ),
        (
            lambda: activity.run_ended(RUN, "D"),
            (RUN.id, RUN.agent_id),
            ("run_completed", "D", ""),
            (RUN.task_id, RUN.id, None),
        ),
        (
            lambda: activity.answered(ANSWERED),
            (ASKED.id, "agt_1"),
            ("decision_approved", "May I?", ""),
            ("tsk_1", "run_1", ASKED.id),
        ),
        (
            lambda: activity.task_made(TASK),
            (TASK.id, TASK.agent_id),
            ("task_created", TASK.name, "By the agent."),
            (TASK.id, None, None),
        ),
    ],
    ids=["line", "run", "answer", "task"],
)
def test_an_entry_says_whose_it_is_and_leads_to_what_it_is_about(
    happened: Callable[[], activity.Happened],
    whose: tuple[str, str],
    says: tuple[str, str, str],
    leads_to: tuple[str | None, ...],
) -> None:
    entry = happened()
    assert (entry.kind, entry.title, entry.text) == says
    assert (entry.id, entry.agent_id) == whose
    assert (entry.task_id, entry.run_id, entry.decision_id) == leads_to


def test_what_follows_in_one_moment_stands_in_that_order() -> None:
    entries = [
        activity.task_made(TASK),
        activity.run_ended(RUN, "Digest"),
        activity.answered(ANSWERED),
        activity.line_happened(LINE),
    ]
    assert [each.at for each in entries] == [NOW + 5] * 4
    assert sorted(entries, key=lambda each: each.place) == entries
    assert [each.place.tie for each in entries] == [TASK.id, RUN.id, ASKED.id, LINE.seq]


def test_an_answer_brings_the_request_it_answered() -> None:
    assert activity.answered(ANSWERED).decision is ANSWERED


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (activity.line_happened(LINE), ("alert", "Disk", "full")),
        (activity.task_made(TASK), ("task_created", TASK.name, "By the agent.")),
        (activity.answered(ANSWERED), ("decision_approved", "May I?", "")),
        (activity.run_ended(RUN, "Digest"), ("run_completed", "Digest", "")),
    ],
    ids=["line", "task", "answer without a note", "run without a summary"],
)
def test_what_an_entry_says(entry: activity.Happened, said: tuple[str, str, str]) -> None:
    assert (entry.kind, entry.title, entry.text) == said


def test_a_group_shows_the_lines_of_its_kind_and_no_others() -> None:
    assert activity.line_kinds("signals") == ("alert", "status")
    assert activity.line_kinds("results") == ()
    assert activity.run_states("signals") == ()


def test_every_end_of_a_run_is_in_one_group() -> None:
    grouped = [each for group in activity.GROUPS for each in activity.run_states(group)]
    assert sorted(grouped) == sorted(activity.run_states(None))
    assert activity.line_kinds(None) is None
    kinds = [each for group in activity.GROUPS for each in activity.line_kinds(group) or ()]
    assert len(kinds) == len(set(kinds))
