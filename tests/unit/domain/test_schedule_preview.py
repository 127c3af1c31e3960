"""What a person sees back before a schedule is saved."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from nod.domain.fires import next_fire_of
from nod.domain.instant import DAY, HOUR, MINUTE, SECOND, Instant, parse_rfc3339, rfc3339
from nod.domain.limits import Limits
from nod.domain.model import Task
from nod.domain.schedule_preview import (
    Change,
    Fire,
    Timed,
    change_of,
    collisions,
    median_length,
    preview_of,
    sentence,
    zone_words,
)
from nod.domain.task_fields import TaskFields, edited
from support.clock import MONDAY_9
from support.values import make_task

LIMITS = Limits()


def at(text: str) -> Instant:
    return parse_rfc3339(text, "test")


def edit(task: Task, **given: Any) -> Task:
    return edited(task, msgspec.convert(given, TaskFields), "Europe/Berlin", MONDAY_9, LIMITS)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"schedule": "0 9 * * 1-5"}, "Every weekday at 09:00, Berlin time."),
        (
            {"schedule": "30 14 * * 5L"},
            "On the last Friday of every month at 14:30, Berlin time.",
        ),
        (
            {"schedule": "0 9 * * *", "timezone": "America/New_York"},
            "Every day at 09:00, New York time.",
        ),
        ({"schedule": "0 9 * * *", "timezone": "UTC"}, "Every day at 09:00, UTC."),
        (
            {"schedule": "once", "run_at": "2030-12-24T17:00:00Z"},
            "Once, on Tuesday 24 December 2030 at 18:00, Berlin time.",
        ),
        (
            {
                "schedule": "once",
                "run_at": "2030-12-24T17:00:30Z",
                "ends_at": "2031-01-01T00:00:00Z",
            },
            "Once, on Tuesday 24 December 2030 at 18:00:30, Berlin time.",
        ),
        ({"schedule": "event"}, "Each time its trigger address is called."),
        (
            {"schedule": "event", "ends_at": "2030-12-24T17:00:00Z"},
            "Each time its trigger address is called, until Tuesday 24 December 2030 at 18:00.",
        ),
        (
            {
                "schedule": "0 9 * * 1-5",
                "starts_at": "2030-12-01T00:00:00+01:00",
                "ends_at": "2030-12-24T17:00:00Z",
            },
            (
                "Every weekday at 09:00, Berlin time, from Sunday 1 December 2030 at 00:00"
                " until Tuesday 24 December 2030 at 18:00."
            ),
        ),
    ],
)
def test_the_sentence_to_confirm_says_what_when_and_in_which_zone(
    given: dict[str, Any], words: str
) -> None:
    assert sentence(make_task(**given)) == words


@pytest.mark.parametrize(
    ("zone", "words"),
    [
        ("America/Argentina/Buenos_Aires", "Buenos Aires time"),
        ("UTC", "UTC"),
        ("Etc/GMT+1", "Etc/GMT+1"),
        ("Japan", "Japan time"),
    ],
)
def test_a_zone_is_called_by_its_place(zone: str, words: str) -> None:
    assert zone_words(zone) == words


def test_the_next_fires_are_shown_in_utc_and_on_the_clock_of_the_zone() -> None:
    found = preview_of(make_task(schedule="0 10 * * *"), at("2027-03-26T12:00:00Z"), 3)
    assert [(rfc3339(fire.at), fire.local) for fire in found.fires] == [
        ("2027-03-27T09:00:00Z", "2027-03-27T10:00:00+01:00"),
        ("2027-03-28T08:00:00Z", "2027-03-28T10:00:00+02:00"),
        ("2027-03-29T08:00:00Z", "2027-03-29T10:00:00+02:00"),
    ]
    assert (found.description, found.schedule, found.timezone, found.run_at) == (
        "Every day at 10:00",
        "0 10 * * *",
        "Europe/Berlin",
        None,
    )
    assert (found.sentence, found.notes) == ("Every day at 10:00, Berlin time.", ())


def test_notes_tell_of_the_clock_change_and_of_the_rule_of_days() -> None:
    task = make_task(schedule="30 2 13 * 0")
    (rule, clock, *_) = preview_of(task, at("2027-03-26T12:00:00Z"), 3).notes
    assert rule.startswith("Fires when either")
    assert "the 02:30 fire happens at 03:00" in clock


def test_fires_keep_to_the_bounds_of_the_task() -> None:
    bounds = {"starts_at": "2030-01-01T00:00:00Z", "ends_at": "2030-01-03T00:00:00Z"}
    found = preview_of(make_task(**bounds), MONDAY_9, 5)
    assert [fire.local for fire in found.fires] == [
        "2030-01-01T10:00:00+01:00",
        "2030-01-02T10:00:00+01:00",
    ]


SPREAD = 523 * SECOND  # of 600 s, by the id of the task below


@pytest.mark.parametrize("spread", [0, SPREAD])
@pytest.mark.parametrize("cut", [-1, 0, 1])
@pytest.mark.parametrize("bound", ["now", "starts_at", "ends_at"])
def test_the_fires_that_are_shown_are_those_that_come(bound: str, cut: int, spread: int) -> None:
    task = replace(make_task(), id="tsk_0123456789abcdef", spread_s=600 if spread else 0)
    edge = at("2030-01-03T09:00:00Z") + spread + cut
    times = {"now": edge - 30 * HOUR, "starts_at": None, "ends_at": edge + 30 * HOUR, bound: edge}
    task = replace(task, starts_at=times["starts_at"], ends_at=times["ends_at"])
    coming, after = [], times["now"]
    while after is not None and (after := next_fire_of(task, after)) is not None:
        coming.append(after)
    assert [fire.at for fire in preview_of(task, times["now"] or 0, 9).fires] == coming != []


def test_a_spread_is_in_the_fires_of_a_task_that_exists_and_a_note_for_one_to_be_made() -> None:
    task = replace(make_task(spread_s=60), id="tsk_1")
    found = preview_of(task, MONDAY_9, 1)
    late = found.fires[0].at % MINUTE // SECOND
    assert found.notes == (f"Each fire comes {late} s after its time, by the task's spread.",)
    coming = preview_of(replace(task, id=""), MONDAY_9, 1)
    assert coming.fires[0] == Fire(MONDAY_9 + DAY, "2026-03-03T10:00:00+01:00")
    assert coming.notes == ("Each fire comes up to 60 s later, always the same for this task.",)


def test_a_single_run_has_one_fire_and_a_call_none() -> None:
    once = make_task(schedule="once", run_at="2030-12-24T17:00:00Z")
    found = preview_of(replace(once, spread_s=60), MONDAY_9, 5)
    assert ([fire.at for fire in found.fires], found.run_at) == ([once.run_at], once.run_at)
    assert found.notes == ()
    assert preview_of(once, at("2031-01-01T00:00:00Z"), 5).fires == ()
    assert preview_of(make_task(schedule="event"), MONDAY_9, 5).fires == ()


def test_a_fire_during_another_tasks_run_is_named() -> None:
    task = make_task(schedule="30 14 25 12 *")
    backup = make_task(name="Year backup", schedule="0 14 25 12 *")
    (found,) = collisions(task, 0, [Timed(backup, 70 * MINUTE)], MONDAY_9, 1)
    assert found.sentence == '25 December falls together with "Year backup", 14:00\u201315:10.'
    assert (found.task_id, found.task_name) == (backup.id, "Year backup")
    assert (found.start + 30 * MINUTE, found.end - found.start) == (found.fires[0], 70 * MINUTE)


def test_fires_at_the_same_minute_fall_together_also_without_known_lengths() -> None:
    task = make_task(schedule="0 10 * * *")
    other = make_task(name="Mail", schedule="0 10 * * 1-5")
    (found,) = collisions(task, 0, [Timed(other, 0)], at("2026-11-20T12:00:00Z"), 5)
    assert found.sentence == '23 November and 2 more fall together with "Mail", at 10:00.'


def test_a_run_that_begins_while_this_one_is_still_going_falls_together() -> None:
    task = make_task(schedule="0 10 * * *")
    other = make_task(name="Mail", schedule="30 10 * * *")
    assert collisions(task, HOUR, [Timed(other, 0)], MONDAY_9, 5)
    assert not collisions(task, 30 * MINUTE, [Timed(other, 0)], MONDAY_9, 5)
    assert not collisions(task, 0, [Timed(other, 0)], MONDAY_9, 5)


def test_tasks_that_fire_all_the_time_or_never_again_are_not_named() -> None:
    often = make_task(schedule="*/15 * * * *")
    past = make_task(schedule="once", run_at="2030-12-24T17:00:00Z")
    task = make_task(schedule="0 10 * * *")
    now = at("2031-01-01T00:00:00Z")
    assert collisions(task, 0, [Timed(often, HOUR), Timed(past, HOUR)], now, 5) == ()
    event = make_task(schedule="event")
    assert collisions(event, 0, [Timed(task, HOUR)], now, 5) == ()


def test_a_single_run_falls_together_with_one_at_the_same_time() -> None:
    once = make_task(name="Cake", schedule="once", run_at="2030-12-24T17:00:00Z")
    daily = make_task(schedule="0 18 24 12 *")
    now = at("2030-12-24T00:00:00Z")
    (found,) = collisions(once, 0, [Timed(daily, 0)], now, 5)
    assert found.sentence.startswith("24 December falls together")
    (found,) = collisions(daily, 0, [Timed(once, 0)], now, 5)
    assert found.sentence == '24 December falls together with "Cake", at 18:00.'


def test_a_task_that_fires_each_half_hour_is_named() -> None:
    task, other = make_task(schedule="0 10 * * *"), make_task(name="Mail", schedule="*/30 * * * *")
    (found,) = collisions(task, 0, [Timed(other, 0)], at("2026-11-20T12:00:00Z"), 2)
    assert found.sentence == '21 November and 1 more fall together with "Mail", at 10:00.'


def test_the_last_fire_before_the_clock_changes_says_so() -> None:
    found = preview_of(make_task(schedule="30 14 * * 5L"), at("2026-11-23T09:00:00Z"), 5)
    remarks = [(fire.local[:10], fire.remark) for fire in found.fires]
    assert remarks[3:] == [("2027-02-26", ""), ("2027-03-26", "clock change soon")]


def test_an_edit_says_how_many_fires_of_this_month_go_and_come() -> None:
    weekly = replace(make_task(schedule="0 9 * * 2"), timezone="UTC")
    daily = replace(make_task(schedule="0 9 * * 1,3,4,5,6,0"), timezone="UTC")
    now = at("2026-11-09T12:00:00Z")
    assert change_of(weekly, daily, now, LIMITS) == Change(
        3, 18, at("2026-12-01T00:00:00Z") - 1, True, "Removes 3 fires this month, adds 18."
    )


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("0 9 * * *", "0 9 * * *", "Changes no fire this month."),
        ("0 9 * * *", "@monthly", "Removes 5 fires this month."),
        ("0 9 30 * *", "event", "Removes 1 fire this month."),
        ("event", "0 9 30 * *", "Adds 1 fire this month."),
        ("0 9 * * *", "0 10 * * *", "Removes 5 fires this month, adds 5."),
    ],
)
def test_the_sentence_about_a_change_is_plain(before: str, after: str, words: str) -> None:
    now = at("2026-11-25T12:00:00Z")
    old = replace(make_task(schedule=before), timezone="UTC")
    new = replace(make_task(schedule=after), timezone="UTC")
    assert change_of(old, new, now, LIMITS).sentence == words


def test_no_more_fires_are_counted_than_the_limit_and_the_sentence_says_so() -> None:
    limits = Limits(preview_fires=100)
    now = at("2026-11-01T00:00:30Z")
    old = replace(make_task(schedule="* * * * *"), timezone="UTC")
    new = replace(make_task(schedule="*/2 * * * *"), timezone="UTC")
    found = change_of(old, new, now, limits)
    assert (found.removes, found.adds, found.complete) == (50, 0, False)
    assert found.sentence == "Removes at least 50 fires this month."
    assert change_of(new, old, now, limits).sentence == "Adds at least 50 fires this month."
    assert change_of(old, old, now, limits).sentence == "Changes no fire that was compared."


def test_up_to_the_last_fire_that_was_counted_a_change_is_told() -> None:
    limits, now = Limits(preview_fires=30), at("2026-11-01T00:01:30Z")
    often = replace(make_task(schedule="* * * * *"), timezone="UTC")
    daily = replace(make_task(schedule="0 9 * * *"), timezone="UTC")
    # 30 fires of each are counted: 00:02 to 00:31, and all of the month.
    assert change_of(daily, often, now, limits).sentence == "Adds at least 30 fires this month."
    gone = change_of(often, daily, now, limits)
    assert (gone.removes, gone.adds, gone.complete) == (30, 0, False)
    assert change_of(daily, daily, now, limits).complete


def test_the_end_of_the_month_is_the_zones() -> None:
    late = at("2026-11-30T23:30:00Z")  # 1 December in Berlin
    task = make_task(schedule="0 9 * * *")
    assert rfc3339(change_of(task, task, late, LIMITS).until) == "2026-12-31T22:59:59Z"


def test_an_edit_is_compared_with_the_task_as_it_is() -> None:
    task = make_task(schedule="0 9 * * *")
    assert change_of(task, edit(task, when="every weekday at 9"), MONDAY_9, LIMITS).adds == 0


def test_the_usual_length_is_the_median_of_the_last_runs() -> None:
    assert median_length([]) == 0
    assert median_length([9, 1, 100, 4]) == 4
