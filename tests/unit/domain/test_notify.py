"""What a person is told: one notice for each cause, in words they can read on a lock screen."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nod.domain import notify
from nod.domain.decisions import make_decision
from nod.domain.instant import HOUR, MINUTE, SECOND
from nod.domain.model import Activity, Conversation, Message, Notice, NotifyTarget, Run, Task, User
from nod.domain.notify import NightRun, excerpt, morning_text, plan, tag
from nod.domain.runs import make_run
from nod.notify.encryption import MOST_BYTES
from nod.store.chat import Report, make_message
from support.clock import MONDAY_9
from support.values import AGENT, make_task

ANN = User("usr_1", "ann@example.org", "Ann", "", "UTC", 0)
QUIET = replace(ANN, quiet_from=22 * 60, quiet_until=7 * 60)
PIXEL = NotifyTarget("tgt_1", ANN.id, "push", "Pixel", "", "", False, 0, "x", 0, None)
NIGHT = MONDAY_9 + 14 * HOUR  # 23:00
MORNING = MONDAY_9 + 22 * HOUR  # 07:00


def task(**given: Any) -> Task:
    return replace(make_task(), id="tsk_1", name="Backup", **given)


def ended(of: Task, status: Any = "completed", **given: Any) -> Run:
    run = make_run(of, MONDAY_9, MONDAY_9, "schedule")
    return replace(run, status=status, finished_at=MONDAY_9, **given)


def told(of: Task, run: Run, result: str = "All good", *, changed: bool = True) -> Notice | None:
    if not notify.may_be_told(of, run, retried=False):
        return None
    draft = notify.run_ended(of, run, result, changed=changed)
    return None if draft is None else plan(draft, ANN, MONDAY_9)


TIMEOUT = "timeout: no sign of life for 1 h"


@pytest.mark.parametrize(
    ("wanted", "result", "failure", "recovery"),
    [
        ("always", "result", "failure", "recovery"),
        ("failures", None, "failure", "recovery"),
        ("changes", "result", "failure", "recovery"),
        ("silent", None, None, None),
    ],
)
def test_a_task_says_what_is_told_of_its_runs(
    wanted: Any, result: str | None, failure: str | None, recovery: str | None
) -> None:
    well, broken = task(notify=wanted), task(notify=wanted, failures=2)
    kinds = [
        told(well, ended(well)),
        told(well, ended(well, "failed", error=TIMEOUT)),
        told(broken, ended(broken)),
    ]
    assert [each and each.kind for each in kinds] == [result, failure, recovery]


def test_an_unchanged_result_is_no_news_where_changes_are_wanted() -> None:
    wanted = task(notify="changes")
    assert told(wanted, ended(wanted), changed=False) is None
    every = task(notify="always")
    assert told(every, ended(every), changed=False) is not None


@pytest.mark.parametrize("status", ["cancelled", "skipped"])
def test_what_did_not_run_to_its_end_is_not_told(status: str) -> None:
    assert told(task(), ended(task(), status)) is None


def test_a_failure_that_is_tried_again_is_not_told() -> None:
    run = ended(task(), "failed", error=TIMEOUT)
    assert not notify.may_be_told(task(), run, retried=True)


def test_failures_of_one_class_have_one_cause() -> None:
    def cause(error: str) -> str | None:
        notice = told(task(), ended(task(), "failed", error=error))
        return None if notice is None else notice.cause

    assert cause("timeout: no sign of life for 1 h") == cause("timeout: no sign of life for 2 h")
    assert cause("agent: disk full") != cause("timeout: no sign of life for 1 h")
    assert cause("agent: a: b") == cause("agent: c")
    assert notify.error_class(None) == ""


def test_a_failure_says_why_and_opens_its_run() -> None:
    run = ended(task(), "failed", error="agent: Disk **full**")
    notice = told(task(), run)
    assert notice is not None
    assert (notice.title, notice.text) == ("Backup failed", "Disk full")
    assert notice.path == f"/runs/{run.id}"
    assert tag(notice) == f"task:{run.task_id}"
    unknown = told(task(), ended(task(), "failed", error=None))
    assert unknown is not None
    assert unknown.text == ""


@pytest.mark.parametrize(
    ("failures", "words"), [(1, "After one failure."), (4, "After 4 failures in a row.")]
)
def test_a_recovery_says_what_it_followed(failures: int, words: str) -> None:
    broken = task(failures=failures)
    notice = told(broken, ended(broken), "# Saved\n\n12 GB")
    assert notice is not None
    assert (notice.title, notice.text) == ("Backup works again", f"{words} # Saved 12 GB")
    assert tag(notice) == "task:tsk_1"  # takes the place of the failures on a lock screen


def test_who_wants_failures_hears_of_the_end_of_a_single_one() -> None:
    broken = task(notify="failures", failures=1)
    notice = told(broken, ended(broken))
    assert notice is not None
    assert notice.kind == "recovery"


def test_a_result_is_told_once_for_its_run() -> None:
    run = ended(task())
    notice = told(task(), run, "# Saved\n\n- 12 GB\n- `ok`")
    assert notice is not None
    assert (notice.title, notice.text) == ("Backup", "Saved 12 GB ok")
    assert notice.cause == f"result:{run.id}"
    assert tag(notice) == f"run:{run.id}"


def test_a_pause_is_told_unless_the_task_is_silent() -> None:
    draft = notify.task_paused(task(), ended(task()), "10 failures in a row")
    assert draft is not None
    assert (draft.kind, draft.title) == ("health", "Backup is paused")
    assert draft.text == "10 failures in a row"
    assert draft.path == f"/tasks/{draft.task_id}"
    assert notify.task_paused(task(notify="silent"), ended(task()), "x") is None


def test_a_notice_is_one_persons_and_says_what_it_is_about() -> None:
    run, said, asked = ended(task()), message("Hi"), decision(run_id="run_1", task_id="tsk_1")
    line = Activity(1, "act_1", "agt_1", "alert", "Disk full", "", None, "run_1", MONDAY_9)
    of_run = notify.run_ended(task(), run, "Done", changed=True)
    assert of_run is not None
    drafts = {
        of_run: ("result", "agt_1", "tsk_1", run.id, None, None),
        notify.request_opened(asked, "Ada"): (
            "request", "agt_1", "tsk_1", "run_1", asked.id, None,
        ),
        notify.agent_message(AGENT, said): ("message", "agt_1", None, None, None, said.id),
        notify.alert(AGENT, line): (
            "message", "agt_1", None, "run_1", None, None,
        ),
        notify.agent_health(AGENT, "Its webhook fails", "410"): (
            "health", "agt_1", None, None, None, None,
        ),
        notify.target_disabled(PIXEL, "it is gone"): ("health", None, None, None, None, None),
    }  # fmt: skip
    for draft, about in drafts.items():
        notice = plan(draft, ANN, MONDAY_9)
        refers = (notice.agent_id, notice.task_id, notice.run_id, notice.decision_id)
        assert (notice.kind, *refers, notice.message_id) == about
        assert (notice.user_id, notice.path) == ("usr_1", draft.path)


def test_a_notice_is_new_and_not_tried_yet() -> None:
    one, other = (plan(result(), ANN, MONDAY_9) for _ in range(2))
    assert one.id.startswith(f"ntc_{MONDAY_9:012x}")
    assert one.id != other.id
    assert (one.created_at, one.attempts) == (MONDAY_9, 0)


# quiet hours


def test_by_day_everything_goes_out_now() -> None:
    for draft in (request(), result()):
        notice = plan(draft, QUIET, MONDAY_9)
        assert (notice.not_before, notice.state) == (MONDAY_9, "pending")


def test_results_wait_for_the_morning_and_requests_pass() -> None:
    held = plan(result(), QUIET, NIGHT)
    assert (held.state, held.not_before, held.user_id) == ("held", MORNING, "usr_1")
    asked = plan(request(), QUIET, NIGHT)
    assert (asked.state, asked.not_before) == ("pending", NIGHT)


def test_requests_wait_too_if_the_person_wants_it_and_are_sent_themselves() -> None:
    asked = plan(request(), replace(QUIET, quiet_requests=True), NIGHT)
    assert (asked.state, asked.not_before) == ("pending", MORNING)


def test_results_wait_for_the_time_of_the_morning_card() -> None:
    held = plan(result(), replace(QUIET, morning_at=7 * 60 + 30), NIGHT)
    assert held.not_before == MORNING + 30 * MINUTE


def test_a_delay_into_the_quiet_hours_is_quiet() -> None:
    held = plan(result(), QUIET, MONDAY_9 + 13 * HOUR - SECOND, delay_s=10)
    assert held.state == "held"


def result() -> notify.Draft:
    draft = notify.run_ended(task(), ended(task()), "Done", changed=True)
    assert draft is not None
    return draft


def request() -> notify.Draft:
    return notify.request_opened(decision(), "Ada")


def decision(**given: Any) -> Any:
    return make_decision(NIGHT, "agt_1", "conv_1", "approval", "Deploy 1.4?", 3600, **given)


# requests


def test_a_request_says_who_asks_and_opens_its_card() -> None:
    asked = decision(description="To production")
    draft = notify.request_opened(asked, "Ada")
    assert (draft.title, draft.text) == ("Deploy 1.4?", "Ada: To production")
    assert draft.path == f"/requests/{asked.id}"
    assert notify.request_opened(decision(), "Ada").text == "Ada asks."
    assert tag(plan(draft, ANN, NIGHT)) == f"request:{asked.id}"


def test_a_warning_passes_quiet_hours_and_an_expiry_does_not() -> None:
    warning = notify.request_waits(decision(), 1800)
    assert (warning.title, warning.text) == (
        "Still waiting: Deploy 1.4?",
        "It expires in 30 min.",
    )
    assert plan(warning, QUIET, NIGHT).state == "pending"
    over = notify.request_expired(decision())
    assert over.title == "Nobody answered: Deploy 1.4?"
    assert plan(over, QUIET, NIGHT).state == "held"


def test_an_expiry_is_told_once_though_its_request_is_closed_and_is_no_denial() -> None:
    asked = decision()
    over = notify.request_expired(asked)
    assert over.cause == f"{notify.EXPIRED}{asked.id}"
    assert over.text == "It expired without an answer. That is no denial."


# agents


def message(text: str, title: str | None = None) -> Message:
    where = Conversation("conv_1", "agt_1", "Ada", 0)
    return make_message(MONDAY_9, where, "agent", "text", text, Report(title))


@pytest.mark.parametrize(
    ("text", "title", "shown"),
    [("Hello", None, "Hello"), ("", "Weekly", "Weekly"), (" ", None, "A picture")],
)
def test_a_message_is_told_by_its_words_and_opens_its_bubble(
    text: str, title: str | None, shown: str
) -> None:
    said = message(text, title)
    draft = notify.agent_message(AGENT, said)
    assert (draft.title, draft.text) == ("Ada", shown)
    assert draft.path == f"/chats/conv_1#{said.id}"
    assert tag(plan(draft, ANN, MONDAY_9)) == "chat:/chats/conv_1"
    whole = replace(draft, path="/chats/conv_1")  # of a chat that has no bubble for it
    assert tag(plan(whole, ANN, MONDAY_9)) == "chat:/chats/conv_1"


def test_an_alert_opens_its_run_or_its_line_of_the_activity() -> None:
    line = Activity(1, "act_1", "agt_1", "alert", "Disk full", "98 %", None, None, MONDAY_9)
    assert notify.alert(AGENT, line).path == "/activity#alert-act_1"
    draft = notify.alert(AGENT, replace(line, run_id="run_1"))
    assert (draft.title, draft.text, draft.path) == ("Ada: Disk full", "98 %", "/runs/run_1")


def test_health_names_the_agent_or_the_target_and_opens_where_it_is_mended() -> None:
    draft = notify.agent_health(AGENT, "The webhook is disabled", "410")
    assert (draft.kind, draft.title) == ("health", "Ada: The webhook is disabled")
    assert draft.text == "410"
    assert draft.path == f"/agents/{AGENT.id}/settings#webhook-title"
    notice = plan(notify.target_disabled(PIXEL, "it is gone"), ANN, MONDAY_9)
    assert notice.title == "Pixel gets no more notifications"
    assert notice.path == "/settings/notifications#tgt_1"
    assert tag(notice) == f"notice:{notice.id}"


# the morning


def runs(*ends: tuple[str, str | None]) -> list[NightRun]:
    return [
        NightRun("agt_1", name, "completed" if error is None else "failed", error)
        for name, error in ends
    ]


@pytest.mark.parametrize(
    ("night", "text"),
    [
        (runs(), ""),
        (runs(("A", None)), "1 run, done"),
        (runs(*[("A", None)] * 12), "12 runs, all done"),
        (
            runs(*[("A", None)] * 11, ("Backup", TIMEOUT)),
            "12 runs, 11 done, 1 failed (Backup: timeout)",
        ),
        (runs(("Backup", TIMEOUT)), "1 run, 1 failed (Backup: timeout)"),
        (
            runs(("B", TIMEOUT), ("B", TIMEOUT), ("A", "agent: x")),
            "3 runs, 3 failed (B: timeout, 2 times; A: agent)",
        ),
        (
            runs(*[(name, TIMEOUT) for name in "ABCDE"]),
            "5 runs, 5 failed (A: timeout; B: timeout; C: timeout; and 2 more)",
        ),
        (
            runs(*[(name, TIMEOUT) for name in "ABC"]),
            "3 runs, 3 failed (A: timeout; B: timeout; C: timeout)",
        ),
    ],
)
def test_the_night_is_summed_up_in_a_line(night: list[NightRun], text: str) -> None:
    assert morning_text(night, 0, []) == text


def test_the_night_also_tells_of_messages_and_news() -> None:
    assert morning_text([], 1, []) == "1 message"
    assert morning_text(runs(("A", None)), 2, ["X is paused"]) == (
        "1 run, done. 2 messages. X is paused"
    )


def test_the_card_goes_out_at_once_and_once() -> None:
    card = notify.morning_card(QUIET, "1 run, done", "/chats/conv_1", MORNING, NIGHT)
    assert (card.kind, card.title, card.state) == ("morning", "The night", "pending")
    assert (card.user_id, card.path) == ("usr_1", "/chats/conv_1")
    assert card.cause == f"morning:{MORNING}"
    assert card.not_before == NIGHT


# words


def test_an_excerpt_is_one_line_without_marks_and_ends_in_dots() -> None:
    assert excerpt("## Head\n\n> said *so*\n```py\ncode\n```", 100) == "Head said so code"
    assert excerpt("a" * 10, 10) == "a" * 10
    assert excerpt("aaaa bbbb", 6) == "aaaa…"


@given(st.text(), st.integers(1, 50))
def test_an_excerpt_is_never_too_long(text: str, most: int) -> None:
    short = excerpt(text, most)
    assert len(short) <= most
    assert "\n" not in short


@given(st.text(max_size=1000), st.text(max_size=1000))
def test_a_notice_fits_into_a_push_message_in_any_script(title: str, text: str) -> None:
    draft = notify.Draft(kind="message", title=title, text=text, path="/runs/run_1")
    notice = plan(draft, ANN, MONDAY_9)
    rest = 1_000  # path, ids and two buttons
    assert len(msgspec.json.encode([notice.title, notice.text])) + rest < MOST_BYTES
