"""`/live`: the stream of hints that keeps a page's parts up to date (server-sent events).

Plain ASGI, as the agents' socket is: hundreds of pages may stay open, and a framework's wrapper
costs each of them memory. The page says by `since` when it was made; what it missed it is told.
"""

import asyncio
from typing import Any

from nod.app import Nod
from nod.bus.live import Stream
from nod.domain.instant import Instant
from nod.web.session import signed_in

PATH = "/live"

# A ping keeps proxies from closing a quiet stream, and finds out that a page is gone. The page
# finds out by it that the line is dead, which a browser does not tell.
_PING_S = 20.0
_PING = b"event: ping\ndata: .\n\n"
# Changes come in bursts; a page looks once for all of them.
_GATHER_S = 0.1
_HEADERS = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]

Message = dict[str, Any]


class LiveStreams:
    """The ASGI app behind the path: one call is one open page."""

    def __init__(self, nod: Nod) -> None:
        self._nod = nod

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        user = await signed_in(self._nod, scope)
        if user is None:
            # 204 tells an EventSource not to come back: the page is to sign in first.
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body"})
            return
        agents = await self._nod.store.read(lambda tx: tx.people.agents_of(user.id))
        since = _since(scope)
        with self._nod.live.subscribe(user.id, [each.id for each in agents], since) as stream:
            await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
            gone = asyncio.create_task(_gone(receive))
            try:
                await self._serve(stream, gone, send)
            finally:
                gone.cancel()

    async def _serve(self, stream: Stream, gone: "asyncio.Task[None]", send: Any) -> None:
        await self._say(send, b"retry: 2000\n\n")
        while not stream.closed and not gone.done():
            news = asyncio.create_task(stream.wait())
            done, _ = await asyncio.wait(
                (news, gone), timeout=_PING_S, return_when=asyncio.FIRST_COMPLETED
            )
            news.cancel()
            if gone in done:
                return
            if news in done:
                await asyncio.sleep(_GATHER_S)
                await self._say(send, _event(stream.take(), self._nod.clock.now()))
            else:
                await self._say(send, _PING)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _say(self, send: Any, data: bytes) -> None:
        await send({"type": "http.response.body", "body": data, "more_body": True})


async def _gone(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _event(topics: frozenset[str], now: Instant) -> bytes:
    return f"id: {now}\ndata: {' '.join(sorted(topics))}\n\n".encode()


def _since(scope: Message) -> Instant:
    """When the page was made, or last heard of us. Without it, it asks for everything again."""
    for name, value in scope["headers"]:
        if name == b"last-event-id" and value.isdigit():
            return int(value)
    _, _, given = scope["query_string"].decode("latin-1").partition("since=")
    return int(given) if given.isascii() and given.isdigit() and len(given) < 19 else 0
