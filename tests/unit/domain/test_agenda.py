"""The agenda: each fire once, as it went or as it will go; what is many is counted."""

from dataclasses import replace
from typing import Any

import pytest

from nod.domain.agenda import Scene, is_ahead, is_underway, tally_words
from nod.domain.agenda_whole import tallies
from nod.domain.instant import DAY, HOUR, MINUTE, SECOND, Instant
from nod.domain.limits import Limits
from nod.domain.model import Task
from nod.domain.runs import make_run, skipped_run
from support.agendas import agenda_of, done, past_of
from support.clock import MONDAY_9
from support.values import make_task

# 2026-03-02 in UTC; it is 9:00.
MONDAY: Instant = MONDAY_9 - 9 * HOUR
TUESDAY: Instant = MONDAY + DAY


def hourly(**given: Any) -> Task:
    """Made for an agent in Berlin, fires by the clock of UTC, next at 10:00."""
    return make_task(schedule="0 * * * *", timezone="UTC", **given)


def today(task: Task, *runs: Any, **given: Any) -> Any:
    return agenda_of([task], list(runs), MONDAY, TUESDAY, now=MONDAY_9, **given)


def test_a_day_has_what_was_and_what_is_to_come_each_once_and_in_order() -> None:
    task = hourly()
    runs = [done(task, MONDAY + hour * HOUR, 40 * SECOND) for hour in range(10)]
    found = today(task, *runs)
    assert [each.at for each in found.entries] == [MONDAY + hour * HOUR for hour in range(24)]
    assert [each.state for each in found.entries] == ["done"] * 10 + ["due"] * 14
    (tally,) = found.tallies
    assert (dict(tally.counts), tally.total) == ({"done": 10, "due": 14}, 24)
    assert found.bands == ()


def test_an_entry_says_what_came_of_it_and_leads_to_its_run() -> None:
    task = hourly(name="Digest")
    run = done(task, MONDAY + 8 * HOUR, 150 * SECOND)
    entry = today(task, run).entries[0]
    assert (entry.run_id, entry.task_id, entry.agent_id) == (run.id, task.id, task.agent_id)
    assert entry.words == "done in 2 min 30 s"
    assert entry.label == "Mon 2 Mar 08:00 Digest: done in 2 min 30 s"
    assert (entry.start, entry.end) == (run.started_at, run.finished_at)
    assert entry.changed_at == run.finished_at


def test_a_gap_says_why_nothing_ran() -> None:
    task = hourly()
    at = MONDAY + 9 * HOUR
    reason = "the 08:00 run was still going"
    entry = today(task, skipped_run(task, at, at, "schedule", reason)).entries[0]
    assert (entry.state, entry.words) == ("skipped", f"skipped: {reason}")
    assert (entry.start, entry.end) == (None, at)


def test_an_entry_that_stands_for_many_misses_reaches_to_the_last_of_them() -> None:
    task = hourly()
    since, until = MONDAY + HOUR, MONDAY + 7 * HOUR
    missed = skipped_run(task, MONDAY_9, since, "schedule", "missed", until)
    entry = today(task, missed).entries[0]
    assert (entry.at, entry.end) == (since, until)
    assert entry.words == "skipped until Mon 2 Mar 07:00: missed"


def test_a_run_that_is_under_way_goes_up_to_now() -> None:
    task = hourly()
    due = MONDAY_9 - 20 * MINUTE
    run = replace(make_run(task, due, due, "manual"), status="running", started_at=due + MINUTE)
    entry = today(task, run).entries[0]
    assert (entry.state, entry.start, entry.end) == ("running", due + MINUTE, MONDAY_9)
    assert is_underway(entry, MONDAY_9)
    assert not is_ahead(entry, MONDAY_9)


def test_a_retry_whose_time_has_not_come_is_ahead() -> None:
    task = hourly()
    due = MONDAY_9 + 5 * MINUTE
    run = replace(make_run(task, MONDAY_9, due, "retry"), attempt=2)
    entry = today(task, run).entries[0]
    assert (entry.state, entry.words) == ("pending", "attempt 2, to come")
    assert is_ahead(entry, MONDAY_9)
    assert not is_underway(entry, MONDAY_9)


def test_a_fire_to_come_is_as_long_as_the_runs_before_it() -> None:
    task = hourly()
    entry = today(task, lengths={task.id: 5 * MINUTE}).entries[0]
    assert (entry.state, entry.run_id, entry.words) == ("due", None, "to come")
    assert (entry.at, entry.start, entry.end) == (
        MONDAY_9 + HOUR,
        MONDAY_9 + HOUR,
        MONDAY_9 + HOUR + 5 * MINUTE,
    )
    assert is_ahead(entry, MONDAY_9)


def test_a_fire_of_a_paused_task_says_that_it_will_not_run() -> None:
    task = replace(hourly(), enabled=False, pause_reason="on holiday")
    found = today(task)
    assert {each.state for each in found.entries} == {"paused"}
    assert found.entries[0].words == "paused: on holiday; it will not run"
    assert found.entries[0].start is None
    assert dict(found.tallies[0].counts) == {"paused": 14}


def test_a_fire_that_is_due_and_has_no_run_yet_is_there() -> None:
    task = replace(hourly(), next_fire_at=MONDAY_9)
    entry = today(task).entries[0]
    assert (entry.at, entry.words) == (MONDAY_9, "due now")
    assert is_ahead(entry, MONDAY_9)


def test_a_fire_becomes_its_run_under_the_same_key() -> None:
    task = hourly()
    ahead = today(task).entries[0]
    run = done(task, ahead.at)
    later = replace(task, next_fire_at=ahead.at + HOUR)
    found = agenda_of([later], [run], MONDAY, TUESDAY, now=ahead.at + MINUTE)
    assert (found.entries[0].key, found.entries[0].state) == (ahead.key, "done")
    assert len({each.key for each in found.entries}) == len(found.entries)


def test_runs_that_no_schedule_made_have_keys_of_their_own() -> None:
    task = make_task(schedule="event")
    runs = [make_run(task, MONDAY_9, MONDAY_9, "event") for _ in range(2)]
    found = today(task, *runs)
    assert {each.key for each in found.entries} == {each.id for each in runs}


def test_after_the_clock_was_set_back_a_fire_with_its_entry_is_there_once() -> None:
    task = hourly()
    again = MONDAY_9 + HOUR
    found = today(task, done(task, again))
    assert [each.at for each in found.entries].count(again) == 1


def test_what_began_the_day_before_and_reaches_into_the_day_is_carried() -> None:
    task = hourly()
    over_night = done(task, MONDAY - HOUR, 2 * HOUR)
    before = done(task, MONDAY - 2 * HOUR, HOUR)
    found = today(task, over_night, before)
    assert [each.run_id for each in found.carried] == [over_night.id]
    assert over_night.id not in {each.run_id for each in found.entries}


def test_a_task_with_as_many_entries_as_the_limit_is_listed_and_one_more_is_counted() -> None:
    task = hourly()
    runs = [done(task, MONDAY + hour * HOUR) for hour in range(10)]
    fits = today(task, *runs, limits=Limits(agenda_fires=24))
    assert (len(fits.entries), fits.bands) == (24, ())
    found = today(task, *runs, limits=Limits(agenda_fires=23))
    (band,) = found.bands
    assert found.entries == ()
    assert (band.total, band.words) == (24, "10 done, 14 to come")
    assert (band.start, band.end) == (MONDAY, MONDAY + 23 * HOUR)
    assert found.tallies == fits.tallies


def test_what_did_not_go_well_is_listed_beside_what_is_counted() -> None:
    task = make_task(schedule="* * * * *", timezone="UTC")
    ran = [done(task, MONDAY + minute * MINUTE) for minute in range(540)]
    ran[7] = replace(ran[7], status="failed", error="timeout")
    found = today(task, *ran)
    assert [(each.run_id, each.state) for each in found.entries] == [(ran[7].id, "failed")]
    assert found.bands[0].words == "1,438 more: 539 done, 899 to come"
    assert (found.bands[0].task_id, found.bands[0].agent_id) == (task.id, task.agent_id)
    assert found.tallies[0].total == 1439


def test_what_is_all_alike_is_counted_in_a_few_words() -> None:
    task = make_task(schedule="* * * * *", timezone="UTC")
    tomorrow = agenda_of([task], [], TUESDAY, TUESDAY + DAY, now=MONDAY_9)
    assert tomorrow.bands[0].words == "1,440 to come"
    failed = replace(done(task, MONDAY + HOUR), status="failed")
    over = replace(task, next_fire_at=None)
    many = [failed, *(done(task, MONDAY + minute * MINUTE) for minute in range(59))]
    assert today(over, *many).bands[0].words == "59 more done"


def test_a_task_that_goes_badly_all_day_is_listed_up_to_the_limit() -> None:
    task = replace(make_task(schedule="* * * * *", timezone="UTC"), next_fire_at=None)
    failed = [
        replace(done(task, MONDAY + minute * MINUTE), status="failed") for minute in range(60)
    ]
    found = today(task, *failed)
    assert len(found.entries) == Limits().agenda_fires
    assert found.bands[0].words == "10 more failed"
    all_listed = today(task, *failed, limits=Limits(agenda_fires=59))
    assert (len(all_listed.entries), all_listed.bands[0].total) == (59, 1)


def test_the_counts_alone_are_those_of_the_whole() -> None:
    task = hourly()
    runs = [done(task, MONDAY + hour * HOUR) for hour in range(10)]
    scene = Scene({task.id: task}, {}, "UTC", MONDAY_9, Limits())
    days = past_of(runs, MONDAY, TUESDAY + DAY, "UTC")
    whole = agenda_of([task], runs, MONDAY, TUESDAY + DAY, now=MONDAY_9)
    assert tallies(days, scene) == whole.tallies
    assert tallies([], scene) == ()


def test_a_task_whose_zone_is_gone_from_the_zone_data_spoils_no_agenda() -> None:
    task = replace(hourly(), timezone="Europe/Atlantis")
    assert today(task).entries == ()


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ({}, ""),
        ({"done": 3}, "3 done"),
        ({"due": 1200, "failed": 1, "done": 0}, "1 failed, 1,200 to come"),
        ({"waiting": 1, "pending": 2}, "1 waiting for you, 2 on its way"),
    ],
)
def test_counts_in_words(counts: Any, words: str) -> None:
    assert tally_words(counts) == words
