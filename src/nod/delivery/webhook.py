"""Sending one webhook attempt, and saying plainly what came of it.

Nothing an endpoint does may hold Nod up: the whole attempt, from the look-up of the name to the
first bytes of the answer, has one time limit; of the answer only the beginning is read; redirects
are not followed and proxies of the environment are not used.
"""

import asyncio
import os
import socket
import ssl
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import httpcore
import httpx

from nod.clock import Clock
from nod.delivery.address_guard import AddressGuard
from nod.delivery.connect import GuardedBackend
from nod.domain.errors import InvalidInput
from nod.domain.limits import Limits

Reason = Literal["ok", "http_error", "timeout", "connection_error", "refused"]

# Shorter than the keep-alive of common servers (Node and uvicorn close after 5 s), so that it is
# us who close and no attempt goes into a connection that its server is just closing.
_KEEP_ALIVE_S = 4.0
# The status decides; this is how much longer an attempt waits for the text beside it.
_GRACE_S = 1.0
_SHOWN_CHARS = 200

_FAILURES = (
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.TimeoutException,
    OSError,  # the look-up of the name
    UnicodeError,  # a name that no look-up takes, such as one with a part over 63 characters
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one attempt.

    `status` is the HTTP status, if there was one; `head` the beginning of the answer's body;
    `retry_after` that header as it came; `error` a plain sentence, None after a 2xx.
    """

    status: int | None
    reason: Reason
    latency_ms: int = 0
    head: str = ""
    retry_after: str | None = None
    error: str | None = None


@dataclass(slots=True)
class _Line:
    """The connections to one host, and when they were last taken or given back (monotonic)."""

    pool: httpcore.AsyncConnectionPool
    in_use: int = 0
    used_at: float = 0.0


@lru_cache(maxsize=1)
def _trusted() -> ssl.SSLContext:
    """Trust in the certificates of the system and of certifi, which takes a while to read."""
    return httpcore.default_ssl_context()


class WebhookSender:
    """Sends webhooks. One for the process; used and closed in one event loop."""

    def __init__(
        self, guard: AddressGuard, limits: Limits, clock: Clock, tls: ssl.SSLContext | None = None
    ) -> None:
        """`tls` says which certificates are trusted; None: those of the system and of certifi."""
        self._guard = guard
        self._limits = limits
        self._clock = clock
        self._tls = tls or _trusted()
        self._backend = GuardedBackend(guard, limits.webhook_timeout_s)
        self._slots = asyncio.Semaphore(limits.webhook_connections)
        # One small pool for each host, the least recently used first. httpcore looks at every
        # connection of a pool for every request, so one pool for all hosts would be slow.
        self._lines: OrderedDict[tuple[bytes, bytes, int], _Line] = OrderedDict()

    async def send(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """POST `body` to `url` once. Never raises for what the endpoint or the network does.

        Waiting for one of the `webhook_connections` is not part of the attempt and its time.
        """
        async with self._slots:
            started = self._clock.monotonic()
            answer = await self._answer(url, headers, body)
            return replace(answer, latency_ms=round((self._clock.monotonic() - started) * 1000))

    async def close(self) -> None:
        """Close all connections. Attempts still under way end with a connection error."""
        lines, self._lines = self._lines, OrderedDict()
        for line in lines.values():
            await line.pool.aclose()
        self._backend.close()

    async def _answer(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        try:
            target = _target(self._guard.check_url(url, self._limits))
            return await self._attempt(target, headers, body)
        except InvalidInput as error:
            return Answer(None, "refused", error=error.detail)
        except TimeoutError:
            limit_s = self._limits.webhook_timeout_s
            return Answer(None, "timeout", error=f"no answer within {limit_s} s")
        except httpcore.TimeoutException:
            return Answer(None, "timeout", error="the host does not respond to connections")
        except _FAILURES as error:
            return Answer(None, "connection_error", error=_sentence(error))

    async def _attempt(
        self, target: httpcore.URL, headers: Mapping[str, str], body: bytes
    ) -> Answer:
        now = asyncio.get_running_loop().time
        ends = now() + self._limits.webhook_timeout_s
        async with (
            asyncio.timeout_at(ends) as limit,
            self._line(target.origin) as pool,
            pool.stream("POST", target, headers=list(headers.items()), content=body) as response,
        ):
            limit.reschedule(None)  # the status is here, so it can no longer be a timeout
            head = await self._head(response, min(ends, now() + _GRACE_S))
            return _read(response, head)

    async def _head(self, response: httpcore.Response, ends: float) -> str:
        """The beginning of the body, as far as it comes before `ends` (the loop's time)."""
        kept = bytearray()
        try:
            async with asyncio.timeout_at(ends):
                async for chunk in response.aiter_stream():
                    kept += chunk
                    if len(kept) > self._limits.webhook_answer_bytes:
                        break
        except (TimeoutError, *_FAILURES):
            pass  # a body that hangs or breaks off does not change the status
        text = kept[: self._limits.webhook_answer_bytes].decode("utf-8", "replace")
        return text.replace("\0", "\ufffd")  # which PostgreSQL stores in no text

    @asynccontextmanager
    async def _line(self, origin: httpcore.Origin) -> AsyncIterator[httpcore.AsyncConnectionPool]:
        """The connections to the origin, kept open for a while after their last use."""
        key = (origin.scheme, origin.host, origin.port)
        line = self._lines.setdefault(key, _Line(self._new_pool()))
        line.in_use += 1
        self._touch(key, line)
        try:
            yield line.pool
        finally:
            line.in_use -= 1
            self._touch(key, line)
            for idle in self._take_idle(line.used_at - _KEEP_ALIVE_S):
                await idle.pool.aclose()

    def _new_pool(self) -> httpcore.AsyncConnectionPool:
        return httpcore.AsyncConnectionPool(
            ssl_context=self._tls,
            max_connections=None,
            keepalive_expiry=_KEEP_ALIVE_S,
            network_backend=self._backend,
        )

    def _touch(self, key: tuple[bytes, bytes, int], line: _Line) -> None:
        line.used_at = self._clock.monotonic()
        if key in self._lines:
            self._lines.move_to_end(key)

    def _take_idle(self, before: float) -> list[_Line]:
        """Take out the lines not used since `before`, and more if there are too many hosts."""
        surplus = len(self._lines) - self._limits.webhook_connections
        idle: list[tuple[bytes, bytes, int]] = []
        for key, line in self._lines.items():
            if line.used_at >= before and len(idle) >= surplus:
                break
            if line.in_use == 0:
                idle.append(key)
        return [self._lines.pop(key) for key in idle]


def _target(url: str) -> httpcore.URL:
    parsed = httpx.URL(url)
    return httpcore.URL(
        scheme=parsed.raw_scheme, host=parsed.raw_host, port=parsed.port, target=parsed.raw_path
    )


def _read(response: httpcore.Response, head: str) -> Answer:
    headers = {name.lower(): value.decode("latin-1") for name, value in response.headers}
    status = response.status
    ok = 200 <= status < 300
    error = None if ok else f"HTTP status {status}"
    if 300 <= status < 400 and b"location" in headers:
        error = f"redirect to {headers[b'location'][:_SHOWN_CHARS]} not followed"
    reason: Reason = "ok" if ok else "http_error"
    return Answer(status, reason, 0, head, headers.get(b"retry-after"), error)


def _sentence(error: BaseException) -> str:
    """Why there was no answer, from the error that lies at the bottom of httpcore's."""
    for cause in _causes(error):
        match cause:
            case ssl.SSLCertVerificationError():
                return f"TLS certificate not accepted: {cause.verify_message}"
            case ssl.SSLError():
                return f"TLS failed: {cause.reason}"
            case socket.gaierror():
                return f"the host name has no address: {cause.strerror}".lower()
            case OSError(errno=int(number)):
                return os.strerror(number).lower()
            case UnicodeError():
                return "the host name is malformed"
            case httpcore.ProtocolError():
                return f"no valid HTTP answer: {cause}"[:_SHOWN_CHARS]
    return "the connection was closed before an answer came"


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__
