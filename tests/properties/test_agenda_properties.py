"""However a span is cut, and whatever the clocks do in it: each entry is there once."""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from itertools import pairwise, takewhile

from hypothesis import example, given
from hypothesis import strategies as st

from nod.domain.agenda import Agenda, Entry
from nod.domain.agenda_days import day_of, days_between, ticks, whole_day
from nod.domain.fires import fires_after, next_fire_of
from nod.domain.instant import DAY, HOUR, MINUTE, SECOND, Instant, from_datetime
from nod.domain.limits import Limits
from nod.domain.model import Run, Task
from nod.domain.zones import local
from support.agendas import agenda_of, done
from support.values import make_task

ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/Havana",
    "America/Santiago",
    "America/St_Johns",
    "Asia/Beirut",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Pacific/Chatham",
)
# Near changes of the clock in these zones, and anywhere else.
_CHANGES = tuple(
    from_datetime(datetime(*day, tzinfo=UTC))
    for day in (
        (2026, 3, 29), (2026, 10, 25), (2025, 11, 2), (2026, 9, 6), (2010, 11, 7),
        (2026, 3, 8), (2026, 4, 5), (2026, 10, 4), (2011, 12, 30), (2026, 4, 4),
    )
)  # fmt: skip
_ANYWHERE = st.integers(
    from_datetime(datetime(2000, 1, 1, tzinfo=UTC)), from_datetime(datetime(2090, 1, 1, tzinfo=UTC))
)
_INSTANTS = st.one_of(
    _ANYWHERE,
    st.tuples(st.sampled_from(_CHANGES), st.integers(-2 * DAY, 2 * DAY)).map(sum),
)
_CRONS = st.sampled_from(
    ["0 9 * * *", "30 2 * * *", "*/30 * * * *", "15 */3 * * *", "0 0 * * 1-5", "59 23 * * *"]
)
_MANY = Limits(agenda_fires=10_000)


@dataclass(frozen=True)
class Case:
    """Tasks with what they did up to now and the span that is looked at."""

    tasks: list[Task]
    runs: list[Run]
    since: Instant
    until: Instant
    now: Instant
    zone: str

    def agenda(self, since: Instant, until: Instant, limits: Limits = _MANY) -> Agenda:
        return agenda_of(
            self.tasks, self.runs, since, until, now=self.now, zone=self.zone, limits=limits
        )


_BASE = make_task(schedule="0 9 * * *", timezone="UTC")
_RUN = done(_BASE, 0)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    since = draw(_INSTANTS) // SECOND * SECOND
    until = since + draw(st.integers(1, 4 * DAY))
    now = since + draw(st.integers(-DAY, 5 * DAY))
    tasks, runs = [], []
    for place in range(draw(st.integers(1, 3))):
        cron, zone = draw(_CRONS), draw(st.sampled_from(ZONES))
        task = replace(_BASE, id=f"tsk_{place}", schedule=cron, timezone=zone)
        tasks.append(replace(task, next_fire_at=next_fire_of(task, now)))
        length = draw(st.integers(0, 3 * HOUR))
        fired = takewhile(lambda at: at <= min(now, until), fires_after(task, since - DAY))
        runs += [_ran(task, at, min(at + length, now)) for at in fired]
    return Case(tasks, runs, since, until, now, draw(st.sampled_from(ZONES)))


def _ran(task: Task, at: Instant, end: Instant) -> Run:
    id_ = f"run_{task.id}_{at}"
    return replace(_RUN, id=id_, task_id=task.id, scheduled_for=at, started_at=at, finished_at=end)


def _keys(entries: tuple[Entry, ...]) -> list[str]:
    return [each.key for each in entries]


@given(cases(), st.lists(st.floats(0, 1), max_size=4))
def test_a_span_cut_into_pieces_gives_the_same_entries(case: Case, cuts: list[float]) -> None:
    whole = case.agenda(case.since, case.until)
    places = {case.since + round((case.until - case.since) * cut) for cut in cuts}
    edges = sorted({case.since, case.until, *places})
    pieces = [case.agenda(a, b) for a, b in pairwise(edges)]
    assert [each for piece in pieces for each in piece.entries] == list(whole.entries)
    assert sum(each.total for piece in pieces for each in piece.tallies) == sum(
        each.total for each in whole.tallies
    )


@given(cases())
def test_no_entry_is_lost_or_doubled(case: Case) -> None:
    found = case.agenda(case.since, case.until)
    expected = {
        f"{task.id}-{at}" for task in case.tasks for at in _fires(task, case.since, case.until)
    }
    assert len(_keys(found.entries)) == len(set(_keys(found.entries)))
    assert set(_keys(found.entries)) == expected
    assert all((each.run_id is None) == (each.at > case.now) for each in found.entries)


def _fires(task: Task, since: Instant, until: Instant) -> list[Instant]:
    return list(takewhile(lambda at: at < until, fires_after(task, since - 1)))


@given(cases(), st.integers(0, 60))
def test_what_is_counted_and_what_is_listed_is_all_of_it(case: Case, most: int) -> None:
    found = case.agenda(case.since, case.until, Limits(agenda_fires=most))
    whole = case.agenda(case.since, case.until)
    assert found.tallies == whole.tallies
    counted = sum(each.total for each in found.bands)
    assert len(found.entries) + counted == len(whole.entries)
    per_day: dict[tuple[str, date], int] = {}
    for each in found.entries:
        place = each.task_id, day_of(each.at, case.zone)
        per_day[place] = per_day.get(place, 0) + 1
    assert all(number <= most for number in per_day.values())


@given(_INSTANTS, st.integers(1, 6 * DAY), st.sampled_from(ZONES))
@example(from_datetime(datetime(2011, 12, 29, tzinfo=UTC)), 3 * DAY, "Pacific/Apia")
@example(from_datetime(datetime(2010, 11, 6, tzinfo=UTC)), 3 * DAY, "America/St_Johns")
def test_every_instant_is_on_one_day_and_days_follow_each_other(
    since: Instant, length: Instant, zone: str
) -> None:
    days = list(days_between(since, since + length, zone))
    assert (days[0].start, days[-1].end) == (since, since + length)
    for before, after in pairwise(days):
        assert before.end == after.start
        assert before.date < after.date
    for each in days:
        whole = whole_day(each.date, zone)
        assert whole.start <= each.start < each.end <= whole.end
        assert day_of(each.start, zone) == day_of(each.end - 1, zone) == each.date


@given(_INSTANTS, st.sampled_from(ZONES))
def test_the_hours_of_a_day_are_full_hours_on_its_clock(at: Instant, zone: str) -> None:
    day = whole_day(day_of(at, zone), zone)
    shown = list(ticks(day, zone))
    assert all(local(each.at, zone).minute == 0 for each in shown)
    assert all(local(each.at, zone).hour == each.hour for each in shown)
    gaps = {after.at - before.at for before, after in pairwise(shown)}
    # An hour that is put forward over, or half of one that comes twice, makes another gap.
    assert gaps <= {HOUR, 30 * MINUTE, 90 * MINUTE}
