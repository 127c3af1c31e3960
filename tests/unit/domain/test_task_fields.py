"""What a task may be given, and what an edit changes."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from nod.domain.errors import InvalidInput
from nod.domain.fires import due_fires
from nod.domain.instant import DAY, HOUR, SECOND
from nod.domain.limits import Limits
from nod.domain.model import Task
from nod.domain.task_fields import TaskFields, blank_task, edited, new_task
from support.clock import MONDAY_9
from support.values import AGENT, make_task_for
from support.values import make_task as make

LIMITS = Limits()


def edit(task: Task, now: int = MONDAY_9, **given: Any) -> Task:
    return edited(task, msgspec.convert(given, TaskFields), "Europe/Berlin", now, LIMITS)


def test_a_task_has_the_documented_defaults() -> None:
    task = make()
    assert (task.overlap, task.catch_up, task.catch_up_window_s) == ("skip", "latest", None)
    assert (task.timeout_s, task.max_attempts, task.idempotent) == (3600, 1, False)
    assert (task.pause_after_failures, task.spread_s, task.enabled) == (10, 0, True)
    assert (task.timezone, task.trigger_id, task.verify) == ("Europe/Berlin", None, "none")
    assert (task.description, task.useful_until, task.notify) == ("", None, "always")
    assert task.next_fire_at == MONDAY_9 + DAY  # 10:00 in Berlin is 09:00Z, and that is now


def test_a_new_task_is_its_agents_and_knows_who_made_it_and_when() -> None:
    task = make()
    assert task.id.startswith(f"tsk_{MONDAY_9:012x}")
    assert (task.agent_id, task.created_by) == ("agt_1", "agent")
    assert (task.created_at, task.updated_at, task.fired_until) == (MONDAY_9,) * 3
    assert (task.failures, task.last_run_status, task.deleted_at) == (0, None, None)
    later = edit(task, MONDAY_9 + HOUR, name="Other")
    assert (later.created_at, later.updated_at) == (MONDAY_9, MONDAY_9 + HOUR)


def test_a_task_of_which_nothing_is_known_yet_waits_for_a_call() -> None:
    blank = blank_task("agt_1", "Europe/Berlin", MONDAY_9, LIMITS)
    assert (blank.name, blank.prompt, blank.created_by) == ("", "", "user")
    assert (blank.schedule, blank.trigger_type, blank.overlap) == ("event", "event", "queue")
    assert (blank.created_at, blank.updated_at, blank.fired_until) == (MONDAY_9,) * 3


def test_a_zone_is_the_tasks_own_else_the_agents_else_the_owners() -> None:
    there = replace(AGENT, timezone="Asia/Tokyo")
    assert make_task_for(there, timezone="UTC").timezone == "UTC"
    assert make_task_for(there).timezone == "Asia/Tokyo"
    assert make().timezone == "Europe/Berlin"
    assert make(timezone=None).timezone == "Europe/Berlin"
    assert edit(make(timezone="UTC"), timezone=None).timezone == "Europe/Berlin"


def test_an_event_task_has_a_trigger_and_a_queue() -> None:
    task = make(schedule=" event ")
    assert (task.trigger_type, task.overlap, task.next_fire_at) == ("event", "queue", None)
    assert len(task.trigger_id or "") == 64
    assert edit(task, name="Other").trigger_id == task.trigger_id
    assert edit(task, schedule="event").trigger_id == task.trigger_id
    assert edit(task, schedule="@daily").trigger_id is None


@pytest.mark.parametrize("name", ["name", "prompt", "schedule"])
def test_a_task_needs_a_name_a_prompt_and_a_schedule(name: str) -> None:
    given = {"name": "a", "prompt": "b", "schedule": "event"}
    del given[name]
    with pytest.raises(InvalidInput, match=f"{name} is missing"):
        new_task(msgspec.convert(given, TaskFields), AGENT, "UTC", "agent", MONDAY_9, LIMITS)


@pytest.mark.parametrize(
    ("name", "most"), [("name", 200), ("prompt", 100_000), ("description", 10_000)]
)
def test_texts_have_a_length(name: str, most: int) -> None:
    assert getattr(make(**{name: "é" * most}), name) == "é" * most
    with pytest.raises(InvalidInput, match=f"{name} has {most + 1} characters, at most {most}"):
        make(**{name: "é" * (most + 1)})


@pytest.mark.parametrize("name", ["name", "prompt"])
def test_a_name_and_a_prompt_are_not_empty(name: str) -> None:
    with pytest.raises(InvalidInput, match=f"{name} is empty"):
        make(**{name: " \n"})
    assert make(description="").description == ""


def test_text_that_no_database_stores_is_refused() -> None:
    with pytest.raises(InvalidInput, match="prompt holds a NUL"):
        make(prompt="a\0b")


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [
        ("timeout_s", 1, 86_400),
        ("max_attempts", 1, 10),
        ("pause_after_failures", 1, 1_000_000),
        ("spread_s", 0, 3600),
        ("catch_up_window_s", 0, 30 * 86_400),
    ],
)
def test_numbers_have_their_bounds(name: str, least: int, most: int) -> None:
    for value in (least, most):
        assert getattr(make(**{name: value}), name) == value
    for value in (least - 1, most + 1):
        with pytest.raises(InvalidInput, match=f"{name} must be between {least} and {most}"):
            make(**{name: value})


def test_what_is_absent_stays_and_null_takes_back() -> None:
    task = make(
        description="words",
        catch_up_window_s=60,
        useful_until="2h",
        starts_at="2026-03-01T00:00:00Z",
        ends_at="2026-04-01T00:00:00Z",
    )
    assert edit(task) == task
    bare = edit(
        task,
        description=None,
        catch_up_window_s=None,
        useful_until=None,
        starts_at=None,
        ends_at=None,
    )
    assert (bare.description, bare.catch_up_window_s, bare.useful_until) == ("", None, None)
    assert (bare.starts_at, bare.ends_at) == (None, None)


@pytest.mark.parametrize("name", ["timeout_s", "max_attempts", "overlap", "enabled", "name"])
def test_what_always_has_a_value_cannot_be_taken_back(name: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({name: None}, TaskFields)


def test_an_edit_of_the_schedule_computes_the_next_fire_and_others_leave_it() -> None:
    task = replace(make(timezone="UTC"), next_fire_at=5)
    assert edit(task, name="Other", overlap="allow", idempotent=True).next_fire_at == 5
    assert edit(task, schedule="0 12 * * *").next_fire_at == MONDAY_9 + 3 * HOUR
    assert edit(task, timezone="Asia/Tokyo").next_fire_at == MONDAY_9 + 16 * HOUR
    assert edit(task, starts_at="2026-03-03T00:00:00Z").next_fire_at == MONDAY_9 + DAY + HOUR
    assert edit(task, ends_at="2026-03-03T00:00:00Z").next_fire_at == MONDAY_9 + HOUR
    assert edit(task, enabled=False).next_fire_at == MONDAY_9 + HOUR
    spread = edit(replace(task, id="tsk_0123456789abcdef"), spread_s=600)
    assert spread.next_fire_at == MONDAY_9 + HOUR + 523 * SECOND


def test_a_field_that_nod_does_not_know_is_passed_over() -> None:
    assert make(colour="green").name == "Report"


def test_usefulness_is_kept_in_its_normal_form() -> None:
    assert make(useful_until="120m").useful_until == "2h"
    with pytest.raises(InvalidInput, match="useful_until"):
        make(useful_until="soon")


@pytest.mark.parametrize("name", ["run_at", "starts_at", "ends_at"])
def test_a_time_that_cannot_be_read_is_refused_by_its_name(name: str) -> None:
    with pytest.raises(InvalidInput, match=f"^{name} must be a time with its offset"):
        make(**{name: "soon"})


@pytest.mark.parametrize("value", ["61 * * * *", "0 0 30 2 *", "", "twice"])
def test_a_schedule_that_cannot_work_is_refused(value: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        make(schedule=value)
    assert refused.value.field == "schedule"


def test_bounds_are_in_order_and_leave_a_fire() -> None:
    with pytest.raises(InvalidInput, match="ends_at must be after the start"):
        make(starts_at="2026-04-01T00:00:00Z", ends_at="2026-04-01T00:00:00Z")
    with pytest.raises(InvalidInput, match="ends_at leaves the task without a fire"):
        make(ends_at="2026-03-02T09:30:00Z")
    assert make(ends_at="2026-03-02T09:30:00Z", enabled=False).next_fire_at is None


# once


def test_a_one_time_task_has_its_time_to_come() -> None:
    task = make(schedule="once", run_at="2026-03-02T10:00:00Z")
    assert (task.trigger_type, task.next_fire_at) == ("once", MONDAY_9 + HOUR)
    with pytest.raises(InvalidInput, match="run_at is missing"):
        make(schedule="once")
    with pytest.raises(InvalidInput, match="run_at is missing"):
        edit(task, run_at=None)
    assert edit(task, schedule="once").run_at == MONDAY_9 + HOUR
    for past in ("2026-03-02T09:00:00Z", "2020-01-01T00:00:00Z"):
        with pytest.raises(InvalidInput, match="run_at is in the past"):
            make(schedule="once", run_at=past)
    with pytest.raises(InvalidInput, match="goes with the schedule") as refused:
        make(run_at="2026-03-02T10:00:00Z")
    assert refused.value.field == "run_at"
    assert make(run_at=None).run_at is None


def test_a_one_time_task_that_has_fired_can_be_edited_and_given_a_new_time() -> None:
    task = make(schedule="once", run_at="2026-03-02T10:00:00Z")
    fired = replace(task, enabled=False, next_fire_at=None)
    later = MONDAY_9 + DAY
    same = edit(fired, later, schedule="once", run_at="2026-03-02T10:00:00Z", name="Other")
    assert (same.enabled, same.next_fire_at, same.name) == (False, None, "Other")
    again = edit(fired, later, run_at="2026-03-05T10:00:00Z")
    assert again.enabled
    assert again.next_fire_at == again.run_at
    held = edit(fired, later, run_at="2026-03-05T10:00:00Z", enabled=False)
    assert not held.enabled
    with pytest.raises(InvalidInput, match=r"run_at leaves .* give it a time to come"):
        edit(fired, later, enabled=True)


def test_a_paused_task_stays_paused_when_its_schedule_is_edited() -> None:
    paused = replace(make(), enabled=False, pause_reason="on holiday", failures=3)
    after = edit(paused, schedule="0 12 * * *")
    assert (after.enabled, after.pause_reason, after.failures) == (False, "on holiday", 3)
    resumed = edit(paused, enabled=True)
    assert (resumed.enabled, resumed.pause_reason, resumed.failures) == (True, None, 0)


# verification


def test_a_secret_is_checked_when_it_is_given() -> None:
    task = make(schedule="event", verify="github", verify_secret="a secret of some length")
    assert (task.verify, task.verify_secret) == ("github", "a secret of some length")
    with pytest.raises(InvalidInput):
        make(schedule="event", verify="github")
    with pytest.raises(InvalidInput):
        edit(task, verify_secret=None)
    renewed = edit(task, verify_secret="another secret")
    assert (renewed.verify, renewed.verify_secret) == ("github", "another secret")


def test_a_secret_is_of_one_service_and_another_needs_its_own() -> None:
    task = make(schedule="event", verify="github", verify_secret="a secret of some length")
    sealed = replace(task, verify_secret="sealed")
    assert edit(sealed, verify="github").verify_secret == "sealed"
    with pytest.raises(InvalidInput, match="verify_secret is missing; gitlab needs") as refused:
        edit(sealed, verify="gitlab")
    assert refused.value.field == "verify_secret"
    assert edit(sealed, verify="gitlab", verify_secret="its own").verify_secret == "its own"
    assert edit(sealed, verify="none").verify_secret is None
    # Zoom proves its check of the address with a secret, and its calls with none.
    assert edit(sealed, verify="none", verify_secret="zoom's").verify_secret == "zoom's"


def test_a_task_that_is_not_due_has_no_fires() -> None:
    task = make()
    assert due_fires(task, MONDAY_9, LIMITS).fires == ()
    assert due_fires(make(schedule="event"), MONDAY_9, LIMITS).next_fire_at is None


def said(when: str, **given: Any) -> Task:
    """A new task whose schedule is given in words."""
    fields = msgspec.convert({"name": "a", "prompt": "b", "when": when, **given}, TaskFields)
    return new_task(fields, AGENT, "Europe/Berlin", "user", MONDAY_9, LIMITS)


def test_words_take_the_place_of_schedule_and_run_at() -> None:
    task = said("every weekday at 9")
    assert (task.schedule, task.trigger_type, task.overlap) == ("0 9 * * 1-5", "scheduled", "skip")
    assert said("when something calls").overlap == "queue"
    once = edit(task, when="tomorrow at 9")
    assert (once.schedule, once.run_at) == ("once", MONDAY_9 + 23 * HOUR)
    assert edit(once, when="every day at 9").run_at is None


def test_words_are_read_in_the_zone_that_the_task_gets() -> None:
    there = said("tomorrow at 9", timezone="UTC")
    assert there.run_at == MONDAY_9 + DAY
    assert edit(there, when="tomorrow at 9").run_at == MONDAY_9 + DAY
    assert edit(there, when="tomorrow at 9", timezone=None).run_at == MONDAY_9 + 23 * HOUR


@pytest.mark.parametrize("other", [{"schedule": "event"}, {"run_at": "2030-01-01T00:00:00Z"}])
def test_words_and_a_schedule_exclude_each_other(other: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="takes the place of schedule and run_at") as refused:
        edit(make(), when="every day at 9", **other)
    assert refused.value.field == "when"


def test_words_that_are_not_understood_are_refused_with_examples() -> None:
    with pytest.raises(InvalidInput, match="every weekday at 9") as refused:
        edit(make(), when="every wekday at 9")
    assert refused.value.field == "when"
    with pytest.raises(InvalidInput, match="Mars/Base") as refused:
        edit(make(), when="every weekday at 9", timezone="Mars/Base")
    assert refused.value.field == "timezone"


def test_which_results_a_person_is_told_of_is_the_tasks() -> None:
    assert make(notify="failures").notify == "failures"
    assert edit(make(notify="failures"), notify="silent").notify == "silent"
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"notify": "never"}, TaskFields)
