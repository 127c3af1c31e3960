"""What holds for fires of any schedule in any zone.

The oracle at the end is Debian cron's main loop (cron.c) played minute by minute on a zone's wall
clock. It shares nothing with the code under test: it reads expressions itself and knows no dates,
only what the clock shows now and how far its jobs have come.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import islice, pairwise
from zoneinfo import ZoneInfo, available_timezones

from hypothesis import example, given
from hypothesis import strategies as st

from nod.domain.errors import InvalidInput
from nod.domain.instant import DAY, HOUR, MINUTE, Instant, from_datetime
from nod.domain.policy import parse_useful_until, useful_until_at
from nod.domain.schedule import all_fires, check_cron, fires, newest_fires, next_fire
from nod.domain.zones import local

# Half-hour and three-hour changes, changes over midnight, a lost date, Ramadan, far east and west.
ZONES = (
    "UTC",
    "Africa/Cairo",
    "Africa/Casablanca",
    "America/Havana",
    "America/New_York",
    "America/Nuuk",
    "America/Santiago",
    "America/St_Johns",
    "Antarctica/Casey",
    "Antarctica/Troll",
    "Antarctica/Vostok",
    "Asia/Beirut",
    "Asia/Gaza",
    "Asia/Kathmandu",
    "Atlantic/Azores",
    "Australia/Lord_Howe",
    "Europe/Berlin",
    "Europe/Dublin",
    "Pacific/Apia",
    "Pacific/Chatham",
    "Pacific/Kiritimati",
)
FIRST: Instant = from_datetime(datetime(1975, 1, 1, tzinfo=UTC))
LAST: Instant = from_datetime(datetime(2100, 12, 31, tzinfo=UTC))


def _fires_at_all(cron: str) -> bool:
    try:
        check_cron(cron)
    except InvalidInput:
        return False
    return True


def field(low: int, high: int) -> st.SearchStrategy[str]:
    """One cron field: a star, a value, a range, a list, with and without a step."""
    value = st.integers(low, high)
    span = st.tuples(value, value).map(lambda pair: f"{min(pair)}-{max(pair)}")
    stepped = st.tuples(st.one_of(st.just("*"), span), st.integers(1, high)).map(
        lambda pair: f"{pair[0]}/{pair[1]}"
    )
    listed = st.lists(value.map(str), min_size=1, max_size=4).map(",".join)
    return st.one_of(st.just("*"), listed, span, stepped)


def often(star: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Mostly a star, so that most schedules fire within days."""
    return st.one_of(st.just("*"), st.just("*"), st.just("*"), star)


ORDINARY = st.tuples(
    field(0, 59), field(0, 23), often(field(1, 31)), often(field(1, 12)), often(field(0, 7))
).map(" ".join)
SPECIAL = st.sampled_from(
    ["0 0 L * *", "30 2 LW * *", "30 2 * * 0L", "0 0 * * 1#2", "@hourly", "@daily", "@weekly"]
)
CRONS = st.one_of(ORDINARY, SPECIAL).filter(_fires_at_all)


@dataclass(frozen=True)
class Change:
    """A change of a zone's offset: when, and the offsets before and after in milliseconds."""

    at: Instant
    before: int
    after: int


def _offset(zone: ZoneInfo, at: Instant) -> int:
    delta = datetime.fromtimestamp(at // 1000, zone).utcoffset()
    assert delta is not None
    return int(delta.total_seconds()) * 1000


def _changes(timezone: str, first_year: int, end_year: int) -> Iterator[Change]:
    zone = ZoneInfo(timezone)
    start = from_datetime(datetime(first_year, 1, 1, tzinfo=UTC))
    end = from_datetime(datetime(end_year, 1, 1, tzinfo=UTC))
    known = _offset(zone, start)
    for noon in range(start + DAY, end, DAY):
        offset = _offset(zone, noon)
        if offset != known:
            minutes = (at for at in range(noon - DAY, noon + 1, MINUTE))
            at = next(at for at in minutes if _offset(zone, at) == offset)
            yield Change(at, known, offset)
            known = offset


@cache
def _all_changes(timezone: str) -> tuple[Change, ...]:
    return tuple(_changes(timezone, 1975, 2040))


@st.composite
def instants(draw: st.DrawFn, timezone: str) -> Instant:
    """An instant from 1975 to 2100, in half of the cases within a day of a change of the clock."""
    changes = _all_changes(timezone)
    near_a_change = draw(st.booleans())
    if changes and near_a_change:
        return draw(st.sampled_from(changes)).at + draw(st.integers(-DAY, DAY))
    return draw(st.integers(FIRST, LAST))


@st.composite
def cases(draw: st.DrawFn) -> tuple[str, str, Instant, Instant]:
    """A schedule, a zone and an interval of up to four days, at times of most of two years."""
    cron, timezone = draw(CRONS), draw(st.sampled_from(ZONES))
    since = draw(instants(timezone))
    sparse = not cron.endswith("* * *") and not cron.startswith(("*", "0-", "1-"))
    length = draw(st.integers(0, 600 * DAY if sparse else 4 * DAY))
    return cron, timezone, since, since + length


MIDNIGHTS = ("30,0 23,0 * * *", "America/St_Johns", 1_162_080_000_000, 1_162_180_000_000)
NO_SUCH_DATE = ("*/30 * * * *", "Pacific/Apia", 1_325_200_000_000, 1_325_300_000_000)


@given(cases())
@example(MIDNIGHTS)
@example(NO_SUCH_DATE)
def test_all_fires_at_once_are_those_one_by_one(case: tuple[str, str, Instant, Instant]) -> None:
    assert all_fires(*case) == list(fires(*case))


@given(cases(), st.lists(st.floats(0, 1), max_size=4))
@example(MIDNIGHTS, [0.1, 0.2, 0.21, 0.22])
@example(NO_SUCH_DATE, [0.3, 0.4, 0.5])
def test_no_fire_is_lost_or_doubled_however_an_interval_is_cut(
    case: tuple[str, str, Instant, Instant], cuts: list[float]
) -> None:
    cron, timezone, since, until = case
    whole = list(fires(cron, timezone, since, until))
    assert all(before < after for before, after in pairwise([since, *whole]))
    assert all(fire <= until for fire in whole)
    # Cuts at any instant, and the worst ones: at a fire and right beside it.
    at = {since + int((until - since) * cut) for cut in cuts}
    at |= {fire + beside for fire in whole[:20] for beside in (-1, 0, 1)}
    borders = [since, *sorted(cut for cut in at if since <= cut <= until), until]
    parts = [list(fires(cron, timezone, start, end)) for start, end in pairwise(borders)]
    assert [fire for part in parts for fire in part] == whole


@given(cases(), st.integers(0, 30))
@example(MIDNIGHTS, 30)
@example(MIDNIGHTS, 2)
@example(NO_SUCH_DATE, 30)
def test_backward_and_forward_agree(case: tuple[str, str, Instant, Instant], limit: int) -> None:
    cron, timezone, since, until = case
    whole = list(fires(cron, timezone, since, until))
    newest, more = newest_fires(cron, timezone, since, until, limit)
    assert newest == whole[max(len(whole) - limit, 0) :]
    assert more == (len(whole) > limit)


@given(cases())
@example(MIDNIGHTS)
@example(NO_SUCH_DATE)
def test_going_from_one_next_fire_to_the_next_meets_every_fire(
    case: tuple[str, str, Instant, Instant],
) -> None:
    cron, timezone, since, until = case
    at = since
    for fire in islice(fires(cron, timezone, since, until), 50):
        following = next_fire(cron, timezone, at)
        assert following == fire
        at = following


@given(ORDINARY.filter(_fires_at_all), st.sampled_from(ZONES), st.data())
def test_fires_are_those_of_debian_cron_at_any_time_until_2100(
    cron: str, timezone: str, data: st.DataObject
) -> None:
    middle = data.draw(instants(timezone)) // MINUTE * MINUTE
    since, until = middle - 6 * HOUR, middle + 6 * HOUR
    assert list(fires(cron, timezone, since, until)) == _debian(cron, timezone, since, until)


@given(st.integers(0, 23), st.integers(0, 59), st.sampled_from(ZONES), st.data())
def test_a_time_of_day_ends_usefulness_within_two_days(
    hour: int, minute: int, timezone: str, data: st.DataObject
) -> None:
    fire = data.draw(instants(timezone))
    end = useful_until_at(parse_useful_until(f"{hour}:{minute:02}"), fire, timezone)
    assert 0 < end - fire <= 2 * DAY
    shown = local(end, timezone)
    before = local(end - 1, timezone)
    skipped = before.utcoffset() != shown.utcoffset()
    assert (shown.hour, shown.minute) == (hour, minute) or skipped


def test_every_change_of_every_zone_in_ten_years_follows_debian_cron() -> None:
    seen = set()  # most zones share theirs with many others
    for timezone in sorted(available_timezones() - {"localtime"}):
        for change in _changes(timezone, 2020, 2031):
            if change not in seen:
                seen.add(change)
                _check_change(timezone, change)
    assert seen


def _check_change(timezone: str, change: Change) -> None:
    since, until = change.at - 5 * HOUR, change.at + 5 * HOUR
    for cron in _schedules_around(change):
        expected = _debian(cron, timezone, since, until)
        found = list(fires(cron, timezone, since, until))
        assert found == expected, (cron, timezone, change)
        assert newest_fires(cron, timezone, since, until, 1000) == (expected, False)
        halves = [
            *fires(cron, timezone, since, change.at),
            *fires(cron, timezone, change.at, until),
        ]
        assert halves == expected, (cron, timezone, change)


def _schedules_around(change: Change) -> Iterator[str]:
    """Schedules that fire in what the change skips or repeats, and at its edges."""
    walls = sorted(_as_if_utc(change.at + offset) for offset in (change.before, change.after))
    low, high = walls
    inside = low + (high - low) / 2
    yield f"{low.minute} {low.hour} * * *"
    yield f"{inside.minute} {inside.hour} * * *"
    yield f"{inside.minute} {inside.hour} {inside.day} {inside.month} *"
    yield f"{high.minute} {high.hour} * * {high.isoweekday()}"
    yield f"{low.minute},{inside.minute},59 {','.join({str(wall.hour) for wall in walls})} * * *"
    yield f"*/15 {low.hour} * * *"
    yield f"{inside.minute} */2 * * *"
    yield "*/20 * * * *"


def _as_if_utc(at: Instant) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at)


def _debian(cron: str, timezone: str, since: Instant, until: Instant) -> list[Instant]:
    """Debian's cron, started well before `since`: the minutes in (since, until] with a job."""
    jobs = _Jobs(cron)
    zone = ZoneInfo(timezone)
    found = []
    virtual: int | None = None
    for at in range(since - 5 * HOUR, until + 1, MINUTE):
        clock = (at + _offset(zone, at)) // MINUTE
        jump = 0 if virtual is None else clock - virtual - 1
        if virtual is None or jump == 0 or abs(jump) > 3 * 60:
            # an ordinary minute, or a correction of the clock: every job of this minute
            run = jobs.match(clock)
            virtual = clock
        elif jump > 0:
            # the clock is ahead: wildcard jobs of now, fixed-time jobs of every minute up to now
            run = jobs.match(clock, fixed=False)
            while virtual < clock:
                virtual += 1
                run = jobs.match(virtual, fixed=True) or run
        else:
            # the clock is behind: wildcard jobs only, until it has caught up
            run = jobs.match(clock, fixed=False)
        if run and at > since:
            found.append(at)
    return found


class _Jobs:
    """One crontab line, by crontab(5)."""

    def __init__(self, cron: str) -> None:
        fields = cron.split()
        bounds = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 7)]
        self.minutes, self.hours, self.days, self.months, self.weekdays = (
            {value for item in field.split(",") for value in self._values(item, *bound)}
            for field, bound in zip(fields, bounds, strict=True)
        )
        self.fixed = "*" not in (fields[0][0], fields[1][0])
        self.both_days = "*" in (fields[2][0], fields[4][0])
        self.known_days: dict[int, bool] = {}

    @staticmethod
    def _values(item: str, low: int, high: int) -> range:
        span, _, step = item.partition("/")
        if span != "*":
            start, _, end = span.partition("-")
            low, high = int(start), int(end or (high if step else start))
        return range(low, high + 1, int(step or 1))

    def match(self, clock: int, fixed: bool | None = None) -> bool:
        """Whether the job is of the wanted kind and due in this minute of the wall clock."""
        if fixed is not None and fixed != self.fixed:
            return False
        day, minute = divmod(clock, 24 * 60)
        if minute % 60 not in self.minutes or minute // 60 not in self.hours:
            return False
        if day not in self.known_days:
            self.known_days[day] = self._match_day(_as_if_utc(day * DAY))
        return self.known_days[day]

    def _match_day(self, day: datetime) -> bool:
        of_month = day.day in self.days
        of_week = day.isoweekday() in self.weekdays or day.isoweekday() % 7 in self.weekdays
        either = (of_month and of_week) if self.both_days else (of_month or of_week)
        return day.month in self.months and either
