"""Where things stand in the pictures of the agenda."""

from dataclasses import replace
from datetime import date

import pytest

from nod.actions.agenda import AgendaOf
from nod.domain.agenda import Entry
from nod.domain.agenda_clash import clashes
from nod.domain.agenda_days import whole_day
from nod.domain.instant import DAY, HOUR, MINUTE, Instant
from nod.domain.model import Run, Task
from nod.domain.runs import skipped_run
from nod.web.agenda_dates import Calendar, read_shown
from nod.web.agenda_month import draw_month
from nod.web.agenda_scale import mark, percent
from nod.web.agenda_week import HOUR_PX, WeekPicture, draw_week
from support.agendas import agenda_of, done
from support.clock import MONDAY_9
from support.values import AGENT, make_task

MONDAY: Instant = MONDAY_9 - 9 * HOUR
SUNDAY_NIGHT = MONDAY + 7 * DAY
TODAY = date(2026, 3, 2)


def quiet(**given: str) -> Task:
    """A task that fires no more."""
    return replace(make_task(**given), next_fire_at=None)


def week(tasks: list[Task], *runs: Run, zone: str = "UTC", now: Instant = MONDAY_9) -> WeekPicture:
    found = agenda_of(tasks, runs, MONDAY, SUNDAY_NIGHT, now=now, zone=zone)
    return draw_week(AgendaOf((AGENT,), found, clashes(found, zone, now)), zone, now)


def test_a_day_of_25_hours_is_as_wide_as_any() -> None:
    day = whole_day(date(2026, 10, 25), "Europe/Berlin")
    assert [percent(day.start + hour * HOUR, day) for hour in (0, 5, 25)] == [0, 20, 100]
    assert [percent(at, day) for at in (day.start - 1, day.end + 1)] == [0, 100]
    left_out = whole_day(date(2011, 12, 30), "Pacific/Apia")
    assert percent(left_out.start, left_out) == 0


def test_a_mark_is_as_wide_as_its_run_took_within_the_day() -> None:
    task, day = quiet(), whole_day(TODAY, "UTC")
    run = done(task, MONDAY + 18 * HOUR, 12 * HOUR)
    (entry,) = agenda_of([task], [run], MONDAY, MONDAY + DAY, now=MONDAY + 2 * DAY).entries
    assert (mark(entry, day).x, mark(entry, day).width) == (75, 25)


def test_the_grid_has_the_hours_that_are_used_and_never_less_than_six() -> None:
    task = quiet()
    assert week([task]).hours == [8, 9, 10, 11, 12, 13]
    one = week([task], done(task, MONDAY + 10 * HOUR))
    assert (one.hours[0] <= 10 <= one.hours[-1], len(one.hours)) == (True, 6)
    late = week([task], done(task, MONDAY + 23 * HOUR))
    assert (late.hours[-1], len(late.hours)) == (23, 6)
    wide = week([task], done(task, MONDAY + 7 * HOUR), done(task, MONDAY + 17 * HOUR, 2 * HOUR))
    assert wide.hours == list(range(7, 19))
    assert wide.height == 12 * HOUR_PX


def test_nine_stands_beside_nine_also_after_the_clock_was_changed() -> None:
    task = make_task(schedule="0 9 * * *")  # in Berlin
    zone = "Europe/Berlin"
    since, until = (whole_day(date(2026, 3, day), zone).start for day in (26, 31))
    found = agenda_of([task], [], since, until, now=MONDAY_9, zone=zone)
    picture = draw_week(AgendaOf((AGENT,), found, ()), zone, MONDAY_9)
    assert len({pill.y for column in picture.columns for pill in column.pills}) == 1


def test_entries_that_would_cover_each_other_stand_side_by_side() -> None:
    tasks = [quiet(name=name) for name in ("Ants", "Bees", "Cats")]
    at = MONDAY + 9 * HOUR
    runs = [
        done(tasks[0], at, HOUR),
        done(tasks[1], at + 10 * MINUTE),
        done(tasks[2], at + 2 * HOUR),
    ]
    first, second, third = week(tasks, *runs, now=MONDAY + DAY).columns[0].pills
    assert (first.x, first.width, second.x, second.width) == (0, 50, 50, 50)
    assert (third.x, third.width) == (0, 100)
    assert first.height == HOUR_PX
    assert (first.has_clash, second.has_clash, third.has_clash) == (True, True, False)


def test_a_task_with_many_entries_is_dots_beside_the_names() -> None:
    often, seldom = make_task(schedule="0 * * * *", timezone="UTC"), quiet(name="Seldom")
    column = week([often, seldom], done(seldom, MONDAY + 9 * HOUR)).columns[0]
    assert len(column.dots) == 14
    (pill,) = column.pills
    assert pill.x > 0
    assert round(pill.x + pill.width) == 100


def test_what_is_counted_is_a_stripe_that_turns_at_now() -> None:
    task = make_task(schedule="* * * * *", timezone="UTC")
    runs = [done(task, MONDAY + minute * MINUTE) for minute in range(540)]
    today, tomorrow, *_ = week([task], *runs).columns
    assert [(each.y, each.end, each.is_ahead) for each in today.stripes] == [
        (0, 9 * HOUR_PX, False),
        (9 * HOUR_PX, 24 * HOUR_PX - 1, True),
    ]
    assert [each.is_ahead for each in tomorrow.stripes] == [True]
    assert today.words == "540 done, 899 to come"


def test_a_gap_of_hours_is_a_tail_and_pushes_nothing_aside() -> None:
    task, other = quiet(name="Gone"), quiet(name="There")
    gap = skipped_run(task, MONDAY_9, MONDAY + HOUR, "schedule", "missed", MONDAY + 7 * HOUR)
    column = week([task, other], gap, done(other, MONDAY + 5 * HOUR)).columns[0]
    first, second = column.pills
    assert first.height + first.tail == 6 * HOUR_PX
    assert (first.width, second.width) == (100, 100)


def test_now_goes_down_its_column_and_is_not_drawn_outside_of_the_hours() -> None:
    task = quiet()
    columns = week([task], done(task, MONDAY + 9 * HOUR)).columns
    now = columns[0].now
    assert now is not None
    share = (MONDAY_9 - now.since) / (now.until - now.since)
    assert now.y == pytest.approx(100 * share, abs=0.1)
    assert [each.now for each in columns[1:]] == [None] * 6
    early = week([task], done(task, MONDAY + 20 * HOUR), now=MONDAY_9).columns[0]
    assert early.now is None


def test_a_week_carries_what_began_before_it() -> None:
    task = quiet()
    first, second, *_ = week([task], done(task, MONDAY - HOUR, 26 * HOUR)).columns
    keys: list[list[Entry]] = [[pill.entry for pill in each.pills] for each in (first, second)]
    assert keys[0] == keys[1]
    assert (first.pills[0].y, first.pills[0].height) == (0, 24 * HOUR_PX)
    assert second.pills[0].height == HOUR_PX


def test_a_months_bar_shows_the_little_that_went_wrong() -> None:
    task = quiet()
    runs = [done(task, MONDAY + minute * MINUTE) for minute in range(500)]
    runs[3] = replace(runs[3], status="failed")
    found = agenda_of([task], runs, MONDAY, MONDAY + 7 * DAY, now=MONDAY_9)
    ((today, *others),) = draw_month(found.tallies, TODAY, MONDAY_9)
    failed, completed = today.segments
    assert (failed.state, completed.state) == ("failed", "done")
    assert failed.width > 5
    assert round(failed.width + completed.width) == 100
    assert (today.tone, today.level, today.is_today) == ("failed", 4, True)
    assert {(each.tone, each.level) for each in others} == {("none", 0)}


def test_the_heat_of_a_day_is_how_much_it_has_beside_the_fullest() -> None:
    task = make_task(schedule="0 0,6,12,18 * * *", timezone="UTC")
    skipped = skipped_run(task, MONDAY, MONDAY, "manual", "paused")
    found = agenda_of([task], [skipped], MONDAY, MONDAY + 3 * DAY, now=MONDAY_9)
    ((today, tomorrow, _),) = draw_month(found.tallies, TODAY, MONDAY_9)
    assert (today.total, today.level, today.tone) == (3, 3, "skipped")
    assert (tomorrow.total, tomorrow.level, tomorrow.tone) == (4, 4, "ahead")


@pytest.mark.parametrize(
    ("locale", "view", "title"),
    [
        ("en_GB", "day", "Monday 2 March"),
        ("en_GB", "month", "March 2026"),
        ("de_DE", "month", "M\u00e4rz 2026"),
    ],
)
def test_a_span_is_named_as_the_person_writes_dates(locale: str, view: str, title: str) -> None:
    shown = read_shown(view, "2026-03-02", None, TODAY)
    assert Calendar(locale, "UTC").title(shown) == title


def test_a_day_of_another_year_says_which() -> None:
    shown = read_shown("", "2025-03-02", None, TODAY)
    assert Calendar("en_GB", "UTC").title(shown).endswith("2025")


@pytest.mark.parametrize(("locale", "first"), [("en_GB", "Mon"), ("en_US", "Sun")])
def test_a_month_has_all_of_its_weeks(locale: str, first: str) -> None:
    calendar = Calendar(locale, "UTC")
    days = calendar.days(read_shown("month", "2026-02-10", None, TODAY))
    assert len(days) % 7 == 0
    assert days[0].date <= date(2026, 2, 1)
    assert days[-1].date >= date(2026, 2, 28)
    assert calendar.weekdays()[0][0] == first
