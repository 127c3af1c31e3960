"""The agenda: what was and what will be; and the address of its calendar."""

from itertools import islice
from typing import Annotated

import msgspec
from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromQuery, QueryParameter

from nod.actions.agenda import AgendaOf, agenda_of
from nod.actions.feed import FeedAddress, feed_address, rotate_feed
from nod.api.auth import require_user
from nod.api.views import at
from nod.app import Nod
from nod.domain.agenda import Band, Entry, State, Tally
from nod.domain.agenda_clash import Clash
from nod.domain.agenda_days import Day, clock_note, day_of, days_between, whole_day
from nod.domain.errors import InvalidInput
from nod.domain.instant import Instant, parse_rfc3339, rfc3339
from nod.domain.limits import Limits
from nod.domain.model import User
from nod.domain.zones import known_timezone


class EntryView(msgspec.Struct):
    """A run, a fire that did not run, or (without `run_id`) one to come. `start` and `end`: when
    its agent worked on it, or is expected to; `words` says what came of it, `label` all of it."""

    key: str
    task_id: str
    task_name: str
    agent_id: str
    state: State
    at: str
    start: str | None
    end: str
    run_id: str | None
    words: str
    label: str


class BandView(msgspec.Struct):
    """A task's entries of a day that are too many to be listed; `counts` by state."""

    task_id: str
    task_name: str
    agent_id: str
    date: str
    start: str
    end: str
    total: int
    counts: dict[State, int]
    words: str


class ClashView(msgspec.Struct):
    """Entries of one agent that overlap, by their keys, and for how long."""

    agent_id: str
    start: str
    end: str
    keys: list[str]
    sentence: str


class DayView(msgspec.Struct):
    """A day of the span, or the part of it that is asked for, with all its entries by state. `note`
    where the clock is changed on it."""

    date: str
    start: str
    end: str
    total: int
    counts: dict[State, int]
    note: str | None


class LaneView(msgspec.Struct):
    """An agent."""

    agent_id: str
    name: str


class AgendaView(msgspec.Struct):
    """What was and what will be, in order of time. `carried` began before and reaches into it."""

    timezone: str
    days: list[DayView]
    lanes: list[LaneView]
    carried: list[EntryView]
    entries: list[EntryView]
    bands: list[BandView]
    collisions: list[ClashView]


class FeedView(msgspec.Struct):
    """The secret address of the person's calendar, for programs and for a browser."""

    url: str
    webcal_url: str


class AgendaCalls(Controller):
    """What the page of the agenda shows."""

    path = "/api/agenda"
    tags = ("Agenda",)
    guards = (require_user,)

    @get()
    async def get_agenda(
        self,
        nod: NamedDependency[Nod],
        user: NamedDependency[User],
        since: Annotated[str | None, QueryParameter(name="from")] = None,
        until: FromQuery[str | None] = None,
        agent_id: FromQuery[str | None] = None,
    ) -> AgendaView:
        """What was and what will be, today or in a span of at most 42 days."""
        zone = known_timezone(user.timezone)
        days = _days(since, until, zone, nod.clock.now(), nod.limits)
        found = await nod.store.read(lambda tx: agenda_of(tx, user, days, agent_id))
        return _view(found, zone)

    @get("/feed")
    async def get_feed(
        self, nod: NamedDependency[Nod], user: NamedDependency[User]
    ) -> Response[FeedView]:
        """The address of the calendar. Whoever has it can read the agenda."""
        return _feed_view(feed_address(nod.vault, user, nod.settings.public_url))

    @post("/feed/rotate", status_code=200)
    async def rotate_feed(
        self, nod: NamedDependency[Nod], user: NamedDependency[User]
    ) -> Response[FeedView]:
        """Another address. The former one stops working at once."""
        after = await nod.store.write(lambda tx: rotate_feed(tx, user))
        return _feed_view(feed_address(nod.vault, after, nod.settings.public_url))


def _days(
    since: str | None, until: str | None, zone: str, now: Instant, limits: Limits
) -> list[Day]:
    """The days asked for; today unless it is said. Raises InvalidInput."""
    today = whole_day(day_of(now, zone), zone)
    start = today.start if since is None else parse_rfc3339(since, "from")
    whole = whole_day(day_of(start, zone), zone)
    end = whole.end if until is None else parse_rfc3339(until, "until")
    if end <= start:
        raise InvalidInput("until must be after from")
    days = list(islice(days_between(start, end, zone), limits.agenda_days + 1))
    if len(days) > limits.agenda_days:
        raise InvalidInput(f"from and until may have a part of {limits.agenda_days} days at most")
    return days


def _view(found: AgendaOf, zone: str) -> AgendaView:
    return AgendaView(
        zone,
        [_day_view(each, zone) for each in found.agenda.tallies],
        [LaneView(each.id, each.name) for each in found.agents],
        [_entry_view(each) for each in found.agenda.carried],
        [_entry_view(each) for each in found.agenda.entries],
        [_band_view(each) for each in found.agenda.bands],
        [_clash_view(each) for each in found.clashes],
    )


def _day_view(each: Tally, zone: str) -> DayView:
    return DayView(
        each.day.date.isoformat(),
        rfc3339(each.day.start),
        rfc3339(each.day.end),
        each.total,
        dict(each.counts),
        clock_note(each.day, zone),
    )


def _entry_view(each: Entry) -> EntryView:
    return EntryView(
        each.key,
        each.task_id,
        each.task_name,
        each.agent_id,
        each.state,
        rfc3339(each.at),
        at(each.start),
        rfc3339(each.end),
        each.run_id,
        each.words,
        each.label,
    )


def _band_view(each: Band) -> BandView:
    return BandView(
        each.task_id,
        each.task_name,
        each.agent_id,
        each.day.date.isoformat(),
        rfc3339(each.start),
        rfc3339(each.end),
        each.total,
        dict(each.counts),
        each.words,
    )


def _clash_view(each: Clash) -> ClashView:
    start, end = rfc3339(each.start), rfc3339(each.end)
    return ClashView(each.agent_id, start, end, list(each.keys), each.sentence)


def _feed_view(address: FeedAddress) -> Response[FeedView]:
    view = FeedView(address.url, address.webcal_url)
    return Response(view, headers={"Cache-Control": "no-store"})
