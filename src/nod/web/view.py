"""Who looks at a page, and how a page is made for them."""

import asyncio
import gzip
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from litestar import MediaType, Request, Response

from nod.app import Nod
from nod.domain.instant import DAY, Instant
from nod.domain.model import Session, User
from nod.domain.words import duration_words
from nod.web import assets, cards, icons, markdown
from nod.web.times import Times

# What a page may do: load from this server, talk to it, and nothing else. Neither scripts nor
# styles stand in the page itself.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:;"
    " connect-src 'self'; manifest-src 'self'; worker-src 'self'; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'"
)
SECURE_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
_ZIP_FROM_BYTES = 1_000

AnyRequest = Request[Any, Any, Any]


def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("nod.web"),
        autoescape=select_autoescape(["html"], default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["markdown"] = markdown.to_html
    made.filters["first_words"] = markdown.plain
    made.filters["headline"] = markdown.headline
    made.filters["below_headline"] = markdown.below_headline
    made.filters["duration"] = duration_words
    made.globals["asset"] = assets.address
    made.globals["icon"] = icons.icon
    made.globals["cards"] = cards.cards
    return made


_ENVIRONMENT = _environment()


def warm_up() -> None:
    """Load what pages are drawn with, so that the first takes no longer than the next."""
    for name in _ENVIRONMENT.list_templates():
        _ENVIRONMENT.get_template(name)
    # The tables behind links, code and dates are made at their first use.
    markdown.to_html("https://nod.example\n\n```python\npass\n```")
    Times("UTC", "en", now=0).when(DAY)


@dataclass(frozen=True)
class Viewer:
    """The person behind a request, at the moment of it."""

    nod: Nod
    user: User
    session: Session
    request: AnyRequest
    now: Instant

    @cached_property
    def times(self) -> Times:
        """Times as this person reads them."""
        return Times(self.user.timezone, self.user.locale, self.now)

    @property
    def part(self) -> str | None:
        """The id of the element that the page wants filled; None for a whole page."""
        return part_wanted(self.request)

    async def page(self, template: str, **values: Any) -> Response[bytes]:
        """The template as an answer: a whole page, with what stands in its frame."""
        waiting = await self.nod.store.read(lambda tx: tx.chat.count_waiting(self.user.id))
        return await self.drawn(template, waiting=waiting, **values)

    async def drawn(self, template: str, **values: Any) -> Response[bytes]:
        """As `fragment`, outside of the event loop: for what may hold a text of any length."""
        return await asyncio.to_thread(self.fragment, template, **values)

    def fragment(self, template: str, **values: Any) -> Response[bytes]:
        """The template as an answer. `me`, `t` (times) and `now` are there for every template."""
        known: dict[str, Any] = {"me": self.user, "t": self.times, "now": self.now}
        return respond(self.request, template, **known, **values)

    def go(self, path: str) -> Response[bytes]:
        """On to another page, after something was done."""
        if self.part is not None:
            return Response(b"", status_code=200, headers={"HX-Redirect": path})
        return Response(b"", status_code=303, headers={"Location": path})


def part_wanted(request: AnyRequest) -> str | None:
    """The target that htmx names; None when the browser itself asks."""
    if request.headers.get("HX-Request") != "true":
        return None
    return request.headers.get("HX-Target") or ""


def render(template: str, **values: Any) -> str:
    """The template as text."""
    return _ENVIRONMENT.get_template(template).render(values)


def respond(
    request: AnyRequest, template: str, *, status: int = 200, **values: Any
) -> Response[bytes]:
    """The template as an answer, compressed where the browser takes that."""
    body = render(template, **{"path": request.url.path, "part": part_wanted(request), **values})
    data = body.encode()
    headers = {**SECURE_HEADERS, "Cache-Control": "private, no-store", "Vary": "Accept-Encoding"}
    if len(data) > _ZIP_FROM_BYTES and "gzip" in request.headers.get("accept-encoding", ""):
        data = gzip.compress(data, 5)
        headers["Content-Encoding"] = "gzip"
    return Response(data, status_code=status, media_type=MediaType.HTML, headers=headers)
