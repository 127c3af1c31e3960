"""`GET /calendar/{token}.ics`: a person's agenda for the calendar of their phone.

The address is its own permission, as calendars send no other; a wrong one is answered as one that
does not exist.
"""

import asyncio
from typing import Any

from litestar import MediaType, Request, Response, get
from litestar.di import NamedDependency
from litestar.openapi import ResponseSpec
from litestar.params import FromPath

from nod.actions.feed import PATH, read_feed
from nod.app import Nod
from nod.domain.feed import feed_tag, write_feed

_TYPE = "text/calendar"


@get(
    PATH + "{file:str}",
    tags=["Agenda"],
    operation_id="GetCalendar",
    responses={
        200: ResponseSpec(
            str, media_type="text/calendar", generate_examples=False, description="The calendar"
        ),
        304: ResponseSpec(
            None, media_type=MediaType.TEXT, generate_examples=False, description="As it was"
        ),
    },
)
async def calendar(
    nod: NamedDependency[Nod], request: Request[Any, Any, Any], file: FromPath[str]
) -> Response[bytes]:
    """Fires and results as a calendar to subscribe to. `file` is the secret that ends with .ics."""
    url = nod.settings.public_url
    events = await nod.store.read(lambda tx: read_feed(tx, nod.vault, file, url))
    tag = f'"{feed_tag(events)}"'
    headers = {
        "Cache-Control": "private, no-cache",
        "ETag": tag,
        "X-Content-Type-Options": "nosniff",
        "X-Robots-Tag": "noindex",
    }
    if _matches(request.headers.get("if-none-match", ""), tag):
        return Response(b"", status_code=304, headers=headers)
    body = await asyncio.to_thread(write_feed, events)
    return Response(body, media_type=_TYPE, headers=headers)


def _matches(header: str, tag: str) -> bool:
    """Whether the caller has this version (RFC 9110, 13.1.2): compared weakly, or any by a star."""
    known = {each.strip().removeprefix("W/") for each in header.split(",")}
    return tag in known or header.strip() == "*"


routes = [calendar]
