"""The cookie by which a browser is signed in, and the check that a form comes from our own page.

Cookies: `__Host-nod` (Secure) where people reach Nod by https, `nod` where they do not; HttpOnly
and SameSite=Lax in both. A request that changes something must say that it comes from this very
site: `Sec-Fetch-Site`, which browsers set and pages cannot, else `Origin`. That is OWASP's check by
fetch metadata, and needs no token in the page.
"""

from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import urlsplit

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.datastructures import Cookie
from litestar.di import NamedDependency
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from nod.actions.sessions import SignedIn, find_session, is_due, renew_session
from nod.app import Nod
from nod.domain.errors import Forbidden, NotAuthenticated
from nod.domain.model import User
from nod.web.view import Viewer

_RENEWED = "nod.renewed_cookie"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})

Connection = ASGIConnection[Any, Any, Any, Any]


def cookie_name(nod: Nod) -> str:
    """`__Host-nod` where Nod is reached by https."""
    return "__Host-nod" if _is_secure(nod) else "nod"


def _is_secure(nod: Nod) -> bool:
    return nod.settings.public_url.startswith("https://")


def make_cookie(nod: Nod, token: str) -> Cookie:
    """The cookie that holds `token`; an empty one ends it."""
    return Cookie(
        key=cookie_name(nod),
        value=token,
        path="/",
        max_age=nod.limits.session_max_s if token else 0,
        secure=_is_secure(nod),
        httponly=True,
        samesite="lax",
    )


async def viewer(request: Request[Any, Any, Any], nod: NamedDependency[Nod]) -> Viewer:
    """Dependency `viewer`: the person who is signed in. Raises NotAuthenticated."""
    found = await _session(nod, request.cookies.get(cookie_name(nod), ""))
    now = nod.clock.now()
    if is_due(found, now, nod.limits):
        user_agent = request.headers.get("user-agent", "")
        held = found.token
        found = await nod.store.write(lambda tx: renew_session(tx, held, user_agent))
        request.scope["state"][_RENEWED] = make_cookie(nod, found.token)
    return Viewer(nod, found.user, found.session, request, now)


def cookies_renewed(app: ASGIApp) -> ASGIApp:
    """Middleware: a cookie that was renewed goes out with whatever the answer is, an error too.

    The browser would otherwise go on with the one before, which soon ends. An answer that sets the
    cookie itself, as signing out does, has its way.
    """

    async def answered(scope: Scope, receive: Receive, send: Send) -> None:
        async def sent(message: Message) -> None:
            cookie = scope["state"].get(_RENEWED)
            if message["type"] == "http.response.start" and cookie is not None:
                headers = list(message["headers"])
                if not any(name == b"set-cookie" for name, _ in headers):
                    message["headers"] = [*headers, cookie.to_encoded_header()]
            await send(message)

        await app(scope, receive, sent)

    return answered


async def signed_in(nod: Nod, scope: dict[str, Any]) -> User | None:
    """Who is signed in, for the stream; None: nobody. It renews nothing."""
    header = b"; ".join(value for name, value in scope["headers"] if name == b"cookie")
    jar: SimpleCookie = SimpleCookie()
    try:
        jar.load(header.decode("latin-1"))
        morsel = jar.get(cookie_name(nod))
        return (await _session(nod, "" if morsel is None else morsel.value)).user
    except (CookieError, NotAuthenticated):
        return None


async def _session(nod: Nod, token: str) -> SignedIn:
    if not token:
        raise NotAuthenticated("sign in first")
    return await nod.store.read(lambda tx: find_session(tx, token))


def check_origin(request: Request[Any, Any, Any]) -> None:
    """Before each request of a page. Raises Forbidden for a change that another site asks for."""
    if request.method in _SAFE:
        return
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        ours = site == "same-origin"
    else:
        ours = urlsplit(request.headers.get("origin", "")).netloc == request.headers.get("host")
    if not ours:
        raise Forbidden(
            "this change was asked for by another site; open Nod itself and do it there"
        )
