"""What falls together in an agenda, and what does not count as that."""

from dataclasses import replace
from typing import Any

from nod.domain.agenda_clash import Clash, clashes
from nod.domain.instant import DAY, HOUR, MINUTE, SECOND, Instant
from nod.domain.model import Run, Task
from nod.domain.runs import make_run, skipped_run
from support.agendas import agenda_of, done
from support.clock import MONDAY_9
from support.values import AGENT, make_task, make_task_for

MONDAY: Instant = MONDAY_9 - 9 * HOUR
TUESDAY: Instant = MONDAY + DAY


def task(name: str, schedule: str = "0 3 * * *") -> Task:
    return make_task(name=name, schedule=schedule, timezone="UTC")


def found(tasks: list[Task], *runs: Run, zone: str = "UTC", **given: Any) -> tuple[Clash, ...]:
    whole = agenda_of(tasks, runs, MONDAY, TUESDAY, now=MONDAY_9, **given)
    return clashes(whole, zone, MONDAY_9)


def test_runs_of_two_tasks_that_ran_at_the_same_time_clash_for_as_long() -> None:
    backup, report = task("Backup"), task("Report")
    first = done(backup, MONDAY + 3 * HOUR, 20 * MINUTE)
    second = done(report, MONDAY + 3 * HOUR + 10 * MINUTE, 30 * MINUTE)
    (clash,) = found([backup, report], first, second, zone="Europe/Berlin")
    assert (clash.start, clash.end) == (second.scheduled_for, first.finished_at)
    assert clash.keys == (
        f"{backup.id}-{first.scheduled_for}",
        f"{report.id}-{second.scheduled_for}",
    )
    assert clash.sentence == '"Backup" and "Report" ran at the same time, 04:10\u201304:20.'
    assert clash.agent_id == AGENT.id


def test_what_ends_as_the_other_begins_does_not_clash() -> None:
    backup, report = task("Backup"), task("Report")
    first = done(backup, MONDAY + 3 * HOUR, 10 * MINUTE)
    second = done(report, MONDAY + 3 * HOUR + 10 * MINUTE, 10 * MINUTE)
    assert found([backup, report], first, second) == ()


def test_fires_to_come_clash_by_the_usual_length_of_their_runs() -> None:
    backup, report = task("Backup", "0 14 * * *"), task("Report", "5 14 * * *")
    assert found([backup, report]) == ()
    (clash,) = found([backup, report], lengths={backup.id: 10 * MINUTE})
    assert clash.sentence == '"Backup" and "Report" fall together, at 14:05.'


def test_fires_of_one_minute_clash_before_anybody_has_timed_them() -> None:
    backup, report = task("Backup", "0 14 * * *"), task("Report", "0 14 * * *")
    (clash,) = found([backup, report])
    assert (clash.start, clash.end) == (MONDAY + 14 * HOUR, MONDAY + 14 * HOUR + MINUTE)


def test_runs_of_one_task_that_it_lets_overlap_are_no_clash() -> None:
    backup = task("Backup")
    first = done(backup, MONDAY + 3 * HOUR, 20 * MINUTE)
    second = done(backup, MONDAY + 3 * HOUR + MINUTE, 20 * MINUTE)
    assert found([backup], first, second) == ()


def test_agents_work_beside_each_other() -> None:
    backup = task("Backup", "0 14 * * *")
    other = make_task_for(replace(AGENT, id="agt_2"), schedule="0 14 * * *", timezone="UTC")
    assert found([backup, other]) == ()


def test_what_did_not_run_or_waits_or_is_on_its_way_clashes_with_nothing() -> None:
    backup, report = task("Backup"), task("Report")
    at = MONDAY + 3 * HOUR
    ran = done(backup, at, HOUR)
    assert found([backup, report], ran, skipped_run(report, at, at, "schedule", "paused")) == ()
    waiting = replace(make_run(report, at, at, "manual"), status="waiting", started_at=at)
    assert found([backup, report], ran, waiting) == ()
    assert found([backup, report], ran, make_run(report, at, at, "manual")) == ()
    paused = replace(task("Report", "0 14 * * *"), enabled=False)
    assert found([task("Backup", "0 14 * * *"), paused]) == ()


def test_what_was_cancelled_at_work_clashes_until_then() -> None:
    backup, report = task("Backup"), task("Report")
    at = MONDAY + 3 * HOUR
    stopped = replace(done(report, at, 90 * SECOND), status="cancelled")
    (clash,) = found([backup, report], done(backup, at, HOUR), stopped)
    assert clash.end == at + 90 * SECOND


def test_a_task_that_is_counted_and_not_listed_clashes_with_nothing() -> None:
    often, report = task("Often", "* * * * *"), task("Report", "0 14 * * *")
    assert found([often, report]) == ()


def test_three_that_touch_are_one_clash_and_one_later_is_another() -> None:
    names = ("Ants", "Bees", "Cats", "Dogs", "Eels")
    tasks = [task(name) for name in names]
    at = MONDAY + 3 * HOUR
    runs = [
        done(tasks[0], at, 30 * MINUTE),
        done(tasks[1], at + 10 * MINUTE, 30 * MINUTE),
        done(tasks[2], at + 20 * MINUTE, 5 * MINUTE),
        done(tasks[3], at + HOUR, 10 * MINUTE),
        done(tasks[4], at + HOUR, 5 * MINUTE),
    ]
    early, late = found(tasks, *runs)
    assert early.task_names == names[:3]
    assert (early.start, early.end) == (at + 10 * MINUTE, at + 30 * MINUTE)
    assert early.sentence.startswith('"Ants", "Bees" and "Cats" ran')
    assert late.task_names == ("Dogs", "Eels")
    assert late.sentence.endswith("04:00\u201304:05.")


def test_of_many_names_three_are_said() -> None:
    tasks = [task(f"Task {place}", "0 14 * * *") for place in range(6)]
    (clash,) = found(tasks)
    assert clash.sentence.endswith("and 3 more fall together, at 14:00.")


def test_two_tasks_of_one_name_are_two() -> None:
    (clash,) = found([task("Report", "0 14 * * *"), task("Report", "0 14 * * *")])
    assert clash.task_names == ("Report", "Report")


def test_what_is_carried_into_the_day_clashes_there() -> None:
    backup, report = task("Backup"), task("Report")
    over_night = done(backup, MONDAY - HOUR, 2 * HOUR)
    early = done(report, MONDAY + 30 * MINUTE, MINUTE)
    (clash,) = found([backup, report], over_night, early)
    assert clash.start == early.started_at
