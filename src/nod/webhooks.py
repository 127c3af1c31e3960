"""An agent inside a web application: its events come as webhooks instead of over a socket.

    Route("/nod", asgi(agent), methods=["POST"])      # Starlette; FastAPI: app.router.routes

    hook = wsgi(agent)                                # Flask
    app.post("/nod", endpoint="nod")(lambda: hook)

Both verify that the call is Nod's, answer at once, and give the event to the agent's handlers. One
process for each agent: the answer to a question has to come to the process that waits for it.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from http import HTTPStatus
from typing import Any

from nod.client.agent import Agent
from nod.client.errors import WebhookVerificationError
from nod.client.inbox import Seen, identity
from nod.client.serving import Serving
from nod.client.types import Event
from nod.client.webhooks import verify_webhook

# Above what Nod sends; a larger body is refused unread.
BODY_BYTES = 16 * 1024 * 1024
_SEEN_EVENTS = 10_000
_TEXT = b"text/plain; charset=utf-8"

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
StartResponse = Callable[[str, list[tuple[str, str]]], Any]


class _Refused(Exception):
    """The call is answered with `status` and the sentence it carries."""

    def __init__(self, status: HTTPStatus, detail: str) -> None:
        super().__init__(detail)
        self.status = status


class _Door:
    """Tells Nod's calls from others, and new events from those that came before."""

    def __init__(self, agent: Agent, concurrency: int) -> None:
        self._secret = agent.client.settings.secret
        self._seen = Seen(_SEEN_EVENTS)
        self.serving = Serving(agent, agent.handlers, concurrency)

    def check(self, method: str) -> None:
        """Raises _Refused for a call that no webhook makes."""
        if method != "POST":
            raise _Refused(HTTPStatus.METHOD_NOT_ALLOWED, "webhooks are POSTed")

    def read(self, headers: Mapping[str, str], body: bytes) -> Event | None:
        """The event; None for one that came before. Raises _Refused when it is not Nod's."""
        try:
            event = verify_webhook(body, headers, self._secret)
        except WebhookVerificationError as error:
            raise _Refused(HTTPStatus.UNAUTHORIZED, error.detail) from None
        key = identity(event)
        return event if key is None or self._seen.add(key) else None


class Asgi:
    """An ASGI application that is one endpoint. Handlers run on the loop it is called on."""

    def __init__(self, agent: Agent, concurrency: int) -> None:
        self._agent = agent
        self._door = _Door(agent, concurrency)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"a webhook is a POST, not {scope['type']}; give it a route")
        try:
            self._door.check(scope["method"])
            headers = {name.decode("latin-1"): _latin(value) for name, value in scope["headers"]}
            event = self._door.read(headers, await _body(receive))
        except _Refused as refused:
            await _answer(send, refused.status, str(refused))
            return
        if event is not None:
            self._door.serving.take(event)
        await _answer(send, HTTPStatus.ACCEPTED, "")

    async def close(self, grace_s: float = 10.0) -> None:
        """For the end of the application: handlers have `grace_s` seconds to end."""
        await self._door.serving.finish(grace_s)
        await self._agent.close()


def asgi(agent: Agent, *, concurrency: int = 4) -> Asgi:
    """An endpoint for Starlette, FastAPI and other ASGI frameworks.

    At most `concurrency` runs are worked on at the same time. Raises ConfigError when the agent has
    no credentials.
    """
    return Asgi(agent, concurrency)


def _latin(value: bytes) -> str:
    return value.decode("latin-1")


async def _body(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise _Refused(HTTPStatus.BAD_REQUEST, "the call was broken off")
        body += message.get("body", b"")
        if len(body) > BODY_BYTES:
            raise _Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "no event is as large as this")
        if not message.get("more_body", False):
            return bytes(body)


async def _answer(send: Send, status: HTTPStatus, text: str) -> None:
    body = text.encode()
    headers = [(b"content-type", _TEXT), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": int(status), "headers": headers})
    await send({"type": "http.response.body", "body": body})


class Wsgi:
    """A WSGI application that is one endpoint. Handlers run in threads beside it, which begin with
    the first call, and so in the process that has it.
    """

    def __init__(self, agent: Agent, concurrency: int) -> None:
        self._agent = agent
        self._door = _Door(agent, concurrency)
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    def __call__(
        self, environ: Mapping[str, Any], start_response: StartResponse
    ) -> Iterable[bytes]:
        try:
            self._door.check(environ["REQUEST_METHOD"])
            body = _wsgi_body(environ)
            with self._lock:
                event = self._door.read(_headers(environ), body)
        except _Refused as refused:
            return _wsgi_answer(start_response, refused.status, str(refused))
        if event is not None:
            self._running().call_soon_threadsafe(self._door.serving.take, event)
        return _wsgi_answer(start_response, HTTPStatus.ACCEPTED, "")

    def close(self, grace_s: float = 10.0) -> None:
        """For the end of the application: handlers have `grace_s` seconds to end."""
        if self._loop is not None:
            asyncio.run_coroutine_threadsafe(self._close(grace_s), self._loop).result()
            self._loop.call_soon_threadsafe(self._loop.stop)

    async def _close(self, grace_s: float) -> None:
        await self._door.serving.finish(grace_s)
        await self._agent.close()

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=_run, args=[self._loop], name="nod", daemon=True).start()
            return self._loop


def wsgi(agent: Agent, *, concurrency: int = 4) -> Wsgi:
    """An endpoint for Flask and other WSGI frameworks; the same as `asgi`."""
    return Wsgi(agent, concurrency)


def _run(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
    finally:
        loop.close()


def _headers(environ: Mapping[str, Any]) -> dict[str, str]:
    sent = (name for name in environ if name.startswith("HTTP_"))
    return {name[5:].replace("_", "-"): str(environ[name]) for name in sent}


def _wsgi_body(environ: Mapping[str, Any]) -> bytes:
    length = int(environ.get("CONTENT_LENGTH") or 0)
    if length > BODY_BYTES:
        raise _Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "no event is as large as this")
    body: bytes = environ["wsgi.input"].read(length)
    return body


def _wsgi_answer(start_response: StartResponse, status: HTTPStatus, text: str) -> Iterable[bytes]:
    body = text.encode()
    headers = [("Content-Type", _TEXT.decode()), ("Content-Length", str(len(body)))]
    start_response(f"{int(status)} {status.phrase}", headers)
    return [body]
