"""The agenda: a day with a lane for each agent, a week as a grid, a month as a heat map."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromQuery

from nod.actions.agenda import agenda_of, tallies_of
from nod.actions.feed import feed_address, rotate_feed
from nod.domain.agenda import State, Tally
from nod.domain.agenda_days import clock_note, day_of
from nod.domain.model import Agent
from nod.domain.zones import known_timezone
from nod.store.store import Tx
from nod.web.agenda_dates import VIEWS, Calendar, Shown, read_shown
from nod.web.agenda_day import draw_day
from nod.web.agenda_list import list_day
from nod.web.agenda_month import draw_month
from nod.web.agenda_scale import Sum, sums
from nod.web.agenda_week import HOUR_PX, draw_week
from nod.web.view import Viewer


@get("/agenda")
async def overview(
    viewer: NamedDependency[Viewer],
    view: FromQuery[str] = "",
    date: FromQuery[str] = "",
    agent: FromQuery[str] = "",
) -> Response[bytes]:
    """What was and what will be, on the day, in its week or in its month."""
    zone = known_timezone(viewer.user.timezone)
    shown = read_shown(view, date, agent or None, day_of(viewer.now, zone))
    calendar = Calendar(viewer.user.locale, zone)
    draw = {"day": _day, "week": _week, "month": _month}[shown.view]

    async def look(tx: Tx) -> dict[str, Any]:
        return await _frame(tx, viewer) | await draw(tx, viewer, shown, calendar)

    found = await viewer.nod.store.read(look)
    return await viewer.page(
        "agenda/page.html",
        shown=shown,
        calendar=calendar,
        views=VIEWS,
        feed=feed_address(viewer.nod.vault, viewer.user, viewer.nod.settings.public_url),
        **found,
    )


async def _frame(tx: Tx, viewer: Viewer) -> dict[str, Any]:
    agents: list[Agent] = await tx.people.agents_of(viewer.user.id)
    tasks = await tx.tasks.of_user(viewer.user.id)
    return {"agents": agents, "has_tasks": bool(tasks)}


async def _day(tx: Tx, viewer: Viewer, shown: Shown, calendar: Calendar) -> dict[str, Any]:
    (day,) = calendar.days(shown)
    found = await agenda_of(tx, viewer.user, [day], shown.agent_id)
    return {
        "day": day,
        "picture": draw_day(found, day, calendar.zone, tx.now),
        "sections": list_day(found, day, tx.now),
        "sums": _all_sums(found.agenda.tallies),
        "clashes": found.clashes,
        "note": clock_note(day, calendar.zone),
    }


async def _week(tx: Tx, viewer: Viewer, shown: Shown, calendar: Calendar) -> dict[str, Any]:
    found = await agenda_of(tx, viewer.user, calendar.days(shown), shown.agent_id)
    return {
        "week": draw_week(found, calendar.zone, tx.now),
        "hour_px": HOUR_PX,
        "sums": _all_sums(found.agenda.tallies),
        "clashes": found.clashes,
    }


async def _month(tx: Tx, viewer: Viewer, shown: Shown, calendar: Calendar) -> dict[str, Any]:
    tallies = await tallies_of(tx, viewer.user, calendar.days(shown), shown.agent_id)
    of_month = [each for each in tallies if each.day.date.month == shown.day.month]
    return {"weeks": draw_month(tallies, shown.day, tx.now), "sums": _all_sums(of_month)}


def _all_sums(tallies: Iterable[Tally]) -> list[Sum]:
    """What came of all the days together."""
    total: Counter[State] = Counter()
    for each in tallies:
        total.update(each.counts)
    return sums(total)


@post("/agenda/feed/rotate", status_code=200)
async def rotate(viewer: NamedDependency[Viewer]) -> Response[bytes]:
    """Another address of the calendar; the former one stops at once."""
    user = await viewer.nod.store.write(lambda tx: rotate_feed(tx, viewer.user))
    if viewer.part is None:
        return viewer.go("/agenda#subscribe")
    feed = feed_address(viewer.nod.vault, user, viewer.nod.settings.public_url)
    return viewer.fragment("agenda/feed.html", feed=feed, is_new=True)


routes = [overview, rotate]
