"""Hints between nodes over NATS, for traffic that PostgreSQL should not have to carry as well."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error, NoServersError, SlowConsumerError

from nod.bus.line import ANYTHING

_CONNECT_S = 3
_ANSWER_S = 5
_PING_S = 10
_CLOSE_S = 1


class _Client(Client):
    """One that says nothing in the clear where the address wants an encrypted line."""

    async def _process_info(self, info: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        server = self._current_server
        if server is not None and server.uri.scheme == "tls" and not info.get("tls_required"):
            raise Error("the server takes no encrypted lines")
        await super()._process_info(info, *args, **kwargs)


class _Line:
    """See `bus.line.Line`."""

    def __init__(self, client: Client, subject: str) -> None:
        self._client = client
        self._subject = subject

    async def tell(self, texts: Sequence[str]) -> None:
        for text in texts:
            await self._client.publish(self._subject, text.encode())
        await self._client.flush(_ANSWER_S)


class NatsLines:
    """`bus.line.Lines` on one subject, which the nodes of one installation have in common."""

    name = "NATS"
    most_bytes = 64_000  # a server takes a megabyte, unless it was told to take less

    def __init__(self, url: str, subject: str) -> None:
        """`url` is one server or several with commas; user and password, or a token, stand in the
        first of them that has any. With `tls://` its certificate must be known to this machine."""
        parts = [urlsplit(each) for each in url.split(",")]
        self._servers = [_without_secret(each) for each in parts]
        self._secret = next((_secret(each) for each in parts if each.username), {})
        self._subject = subject
        self._trouble: Exception | None = None

    @asynccontextmanager
    async def open(
        self, heard: Callable[[str], None], lost: Callable[[], None]
    ) -> AsyncIterator[_Line]:
        """See `bus.line.Lines.open`."""

        async def listen(message: Msg) -> None:
            heard(message.data.decode(errors="replace"))

        async def is_lost() -> None:
            lost()

        async def trouble(error: Exception) -> None:
            self._trouble = error
            if isinstance(error, SlowConsumerError):
                heard(ANYTHING)

        self._trouble = None
        client = _Client()
        try:
            # Whoever uses the line makes a new one; the client's own way would retry in silence.
            async with asyncio.timeout(_ANSWER_S):
                await client.connect(
                    self._servers,
                    name="nod",
                    no_echo=True,
                    allow_reconnect=False,
                    max_reconnect_attempts=1,
                    reconnect_time_wait=0,
                    connect_timeout=_CONNECT_S,
                    ping_interval=_PING_S,
                    error_cb=trouble,
                    closed_cb=is_lost,
                    **self._secret,
                )
                await client.subscribe(self._subject, cb=listen)
                # The ping of a flush overtakes what waits to be sent; the next one does not.
                await client.flush(_ANSWER_S)
                await client.flush(_ANSWER_S)
            yield _Line(client, self._subject)
        finally:
            # It waits for ever for the end of a line that was refused while it was encrypted.
            with suppress(TimeoutError):
                async with asyncio.timeout(_CLOSE_S):
                    await client.close()

    def reason(self, error: Exception) -> str | None:
        """See `bus.line.Lines.reason`."""
        if not isinstance(error, Error | OSError | TimeoutError):
            return None
        # That no server is left is how the client sums up what it has run into.
        summed_up = isinstance(error, NoServersError | TimeoutError)
        cause = self._trouble if summed_up and self._trouble is not None else error
        return str(cause) or "it does not answer"


def _without_secret(parts: SplitResult) -> str:
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _secret(parts: SplitResult) -> dict[str, Any]:
    name = unquote(parts.username or "")
    if parts.password is None:
        return {"token": name}
    return {"user": name, "password": unquote(parts.password)}
