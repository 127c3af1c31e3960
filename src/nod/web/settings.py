"""A person's own settings: name, zone, dates, theme, password, and where they are signed in."""

import asyncio
from dataclasses import dataclass, field
from typing import get_args

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery

from nod.actions import accounts, profile, sessions
from nod.actions.profile import ProfileFields
from nod.actions.sessions import SignedIn
from nod.api.user.accounts import check_password, host_of
from nod.domain.errors import Conflict, Forbidden, InvalidInput, TooMany
from nod.domain.model import Theme, User
from nod.domain.zones import timezones
from nod.store.store import Tx
from nod.web.locales import locale_name, locales
from nod.web.session import make_cookie
from nod.web.start import said, typed
from nod.web.times import Times
from nod.web.view import Viewer

_PROFILE = ("name", "timezone", "locale")


@dataclass(frozen=True, slots=True)
class Given:
    """What was typed into a form, and for each field that could not be taken, why."""

    fields: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)


@get("/settings")
async def settings(viewer: NamedDependency[Viewer], done: FromQuery[str] = "") -> Response[bytes]:
    """All of them. `done` names the part in which something was just done."""
    return await _page(viewer, Given(), done=done)


async def _page(viewer: Viewer, given: Given, done: str = "", status: int = 400) -> Response[bytes]:
    me = viewer.user
    listed = await viewer.nod.store.read(lambda tx: sessions.list_sessions(tx, me))
    own = {"name": me.name, "timezone": me.timezone, "locale": me.locale}
    made = await viewer.page(
        "settings/page.html",
        typed={**own, **given.fields},
        errors=given.errors,
        done=done,
        sessions=listed,
        this=viewer.session.id,
        example=viewer.times,
        zones=timezones(),
        locales={me.locale: locale_name(me.locale), **locales()},
        themes=get_args(Theme),
        least=viewer.nod.limits.password_min_chars,
    )
    made.status_code = status if given.errors else 200
    return made


def _done(viewer: Viewer, part: str) -> Response[bytes]:
    return viewer.go(f"/settings?done={part}#{part}")


# name, zone, dates, theme


@post("/settings", status_code=200)
async def change(viewer: NamedDependency[Viewer]) -> Response[bytes]:
    """Change name, zone and language of dates; what cannot be taken is said at its field."""
    given = await typed(viewer.request, *_PROFILE)
    errors = {name: why for name in _PROFILE if (why := _refusal(viewer, {name: given[name]}))}
    if errors:
        return await _page(viewer, Given(given, errors))
    await _update(viewer, msgspec.convert(given, ProfileFields))
    return _done(viewer, "profile")


def _refusal(viewer: Viewer, given: dict[str, str]) -> str | None:
    """Why the account cannot be changed so."""
    try:
        profile.changed(viewer.user, msgspec.convert(given, ProfileFields), viewer.nod.limits)
    except InvalidInput as error:
        return said(error)
    return None


@post("/settings/theme", status_code=200)
async def change_theme(viewer: NamedDependency[Viewer]) -> Response[bytes]:
    """Change the theme. The page that asks by script shows it already."""
    wanted = await typed(viewer.request, "theme")
    try:
        given = msgspec.convert(wanted, ProfileFields)
    except msgspec.ValidationError:
        raise InvalidInput("theme must be system, light or dark") from None
    await _update(viewer, given)
    return _done(viewer, "theme") if viewer.part is None else Response(b"", status_code=204)


async def _update(viewer: Viewer, given: ProfileFields) -> User:
    return await viewer.nod.store.write(lambda tx: profile.update_profile(tx, viewer.user, given))


@get("/settings/example")
async def example(
    viewer: NamedDependency[Viewer], timezone: FromQuery[str] = "", locale: FromQuery[str] = ""
) -> Response[bytes]:
    """How times would read in that zone, in that language."""
    given = ProfileFields(timezone=timezone, locale=locale)
    wanted = profile.changed(viewer.user, given, viewer.nod.limits)
    times = Times(wanted.timezone, wanted.locale, viewer.now)
    return viewer.fragment("settings/example.html", example=times)


# the password


@post("/settings/password", status_code=200)
async def change_password(viewer: NamedDependency[Viewer]) -> Response[bytes]:
    """Another password: all other browsers are signed out, this one gets a new session."""
    given = await typed(viewer.request, "current", "new")
    nod, request = viewer.nod, viewer.request
    host, user_agent = host_of(request), request.headers.get("user-agent", "")

    async def turn(tx: Tx) -> SignedIn:
        changed = await profile.change_password(tx, viewer.user, hashed)
        return await sessions.open_session(tx, changed, user_agent)

    at = "current"
    try:
        if await check_password(nod, viewer.user.email, given["current"], host) is None:
            raise Forbidden("this is not your present password; nothing was changed")
        at = "new"
        hashed = await asyncio.to_thread(accounts.hash_password, given["new"], nod.limits)
        found = await nod.store.write(turn)
    except (Forbidden, TooMany, InvalidInput, Conflict) as error:
        status = 429 if isinstance(error, TooMany) else 400
        return await _page(viewer, Given(errors={at: said(error)}), status=status)
    made = _done(viewer, "password")
    made.set_cookie(make_cookie(nod, found.token))
    return made


# where one is signed in


@post("/settings/sessions/{session_id:str}/end", status_code=200)
async def end_session(
    viewer: NamedDependency[Viewer], session_id: FromPath[str]
) -> Response[bytes]:
    """Sign one browser out."""
    await viewer.nod.store.write(lambda tx: sessions.close_session(tx, viewer.user, session_id))
    return _done(viewer, "browsers")


@post("/settings/sessions/end-others", status_code=200)
async def end_other_sessions(viewer: NamedDependency[Viewer]) -> Response[bytes]:
    """Sign all other browsers out, and end the API tokens."""
    await viewer.nod.store.write(
        lambda tx: sessions.sign_out_everywhere(tx, viewer.user, but=viewer.session.id)
    )
    return _done(viewer, "browsers")


routes = [
    settings,
    change,
    change_theme,
    example,
    change_password,
    end_session,
    end_other_sessions,
]
