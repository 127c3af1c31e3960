"""Coming in and going out: the first account, signing in, signing out."""

import asyncio
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from nod.actions import accounts, sessions, setup
from nod.actions.sessions import SignedIn
from nod.api.problems import problem
from nod.api.user.accounts import check_password, host_of
from nod.app import Nod
from nod.domain.errors import InvalidInput, NodError, NotAuthenticated, OutOfRange, TooMany
from nod.domain.words import duration_words
from nod.domain.zones import timezones
from nod.store.store import Tx
from nod.web.session import make_cookie
from nod.web.view import AnyRequest, Viewer, respond

_WRONG = "there is no account with this e-mail address and password"
# The browser lets go of what it has kept of the pages; the cookie is ended by itself.
_CLEAR = '"cache", "storage"'
_LABELS = {
    "name": "Your name",
    "email": "E-mail address",
    "password": "Password",
    "timezone": "Time zone",
}
_NO_LABELS: Mapping[str, str] = MappingProxyType({})


def said(error: NodError, labels: Mapping[str, str] = _NO_LABELS) -> str:
    """The error's sentence as it stands at a form, with the label of a field for its name."""
    text, label = error.detail, labels.get(at_fault(error))
    if label and isinstance(error, InvalidInput) and error.problem != text:
        text = f"“{label}” {_problem(error)}"
    return text[:1].upper() + text[1:].removesuffix(".") + "."


def _problem(error: InvalidInput) -> str:
    """What is wrong with a field; lengths of time as people say them."""
    if isinstance(error, OutOfRange) and at_fault(error).endswith("_s"):
        return f"can be from {duration_words(error.least)} to {duration_words(error.most)}"
    return error.problem


def at_fault(error: NodError | None) -> str:
    """The name of the field that an error is about; empty where it is about none."""
    return error.field or "" if isinstance(error, InvalidInput) else ""


async def typed(request: AnyRequest, *names: str) -> dict[str, str]:
    """What stands in the form's fields; a file in place of a text counts as nothing.

    Browsers send the end of a line as two characters; it is one here.
    """
    form = await request.form()
    found = {name: form.get(name) for name in names}
    return {
        name: value.replace("\r\n", "\n") if isinstance(value, str) else ""
        for name, value in found.items()
    }


def local_path(path: str) -> str:
    """The path, if it leads to a page of ours; else home. Browsers read `\\` as `/`."""
    parts = urlsplit(path)
    is_ours = path.isprintable() and path.startswith("/") and not path.startswith("//")
    return path if is_ours and "\\" not in path and not parts.scheme and not parts.netloc else "/"


def _welcome(nod: Nod, found: SignedIn, path: str) -> Response[bytes]:
    made: Response[bytes] = Response(
        b"", status_code=303, headers={"Location": path, "Cache-Control": "no-store"}
    )
    made.set_cookie(make_cookie(nod, found.token))
    return made


def _user_agent(request: AnyRequest) -> str:
    return str(request.headers.get("user-agent", ""))


# the first account


@get(setup.PATH + "{token:str}")
async def setup_page(
    nod: NamedDependency[Nod], request: Request[Any, Any, Any], token: FromPath[str]
) -> Response[bytes]:
    """The form for the first account, if the link works."""
    await nod.store.read(lambda tx: setup.check_setup_link(tx, token))
    return _setup_form(nod, request, {})


@post(setup.PATH + "{token:str}")
async def set_up(
    nod: NamedDependency[Nod], request: Request[Any, Any, Any], token: FromPath[str]
) -> Response[bytes]:
    """Make the first account with it, sign its owner in, and go on to the first agent."""
    # Hashing a password is slow on purpose; only who has the link can ask for it.
    await nod.store.read(lambda tx: setup.check_setup_link(tx, token))
    given = await typed(request, "name", "email", "password", "timezone")

    async def begin(tx: Tx) -> SignedIn:
        user = await setup.use_setup_link(
            tx, token, given["email"], given["name"], hashed, given["timezone"]
        )
        return await sessions.open_session(tx, user, _user_agent(request))

    try:
        hashed = await asyncio.to_thread(accounts.hash_password, given["password"], nod.limits)
        found = await nod.store.write(begin)
    except InvalidInput as error:
        return _setup_form(nod, request, given, error)
    return _welcome(nod, found, "/agents/new")


def _setup_form(
    nod: Nod, request: AnyRequest, given: dict[str, str], error: InvalidInput | None = None
) -> Response[bytes]:
    return respond(
        request,
        "start/setup.html",
        status=400 if error else 200,
        now=nod.clock.now(),
        given=given,
        error=said(error, _LABELS) if error else "",
        wrong=at_fault(error),
        zones=timezones(),
        least=nod.limits.password_min_chars,
    )


# signing in and out


@get("/login")
async def login_page(nod: NamedDependency[Nod], request: Request[Any, Any, Any]) -> Response[bytes]:
    """The form to sign in with, on to the page that `next` names."""
    given = {"next": str(request.query_params.get("next", "/"))}
    first = await nod.store.read(lambda tx: tx.people.first_user())
    return _login_form(nod, request, given, has_account=first is not None)


@post("/login")
async def log_in(nod: NamedDependency[Nod], request: Request[Any, Any, Any]) -> Response[bytes]:
    """Sign in. Failed tries are counted, as for the API."""
    given = await typed(request, "email", "password", "next")
    try:
        user = await check_password(nod, given["email"], given["password"], host_of(request))
        if user is None:
            raise NotAuthenticated(_WRONG)
        found = await nod.store.write(
            lambda tx: sessions.open_session(tx, user, _user_agent(request))
        )
    except (InvalidInput, NotAuthenticated, TooMany) as error:
        return _login_form(nod, request, given, error)
    return _welcome(nod, found, local_path(given["next"]))


def _login_form(
    nod: Nod,
    request: AnyRequest,
    given: dict[str, str],
    error: NodError | None = None,
    *,
    has_account: bool = True,
) -> Response[bytes]:
    status = 200 if error is None else 429 if isinstance(error, TooMany) else 400
    made = respond(
        request,
        "start/login.html",
        status=status,
        now=nod.clock.now(),
        email=given.get("email", ""),
        next=local_path(given["next"]),
        error="" if error is None else said(error),
        has_account=has_account,
    )
    if error is not None:
        made.headers.update(problem(error).headers)
    return made


@post("/logout")
async def log_out(viewer: NamedDependency[Viewer]) -> Response[bytes]:
    """Sign this browser out."""
    await viewer.nod.store.write(
        lambda tx: sessions.close_session(tx, viewer.user, viewer.session.id)
    )
    made = viewer.go("/login")
    made.set_cookie(make_cookie(viewer.nod, ""))
    made.headers["Clear-Site-Data"] = _CLEAR
    return made


routes = [setup_page, set_up, login_page, log_in, log_out]
