"""Hints between the nodes on one PostgreSQL, by LISTEN and NOTIFY on a connection of their own.

They are told after the commit, not within it: PostgreSQL lets transactions that notify commit only
one after the other.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from nod.store.postgres_errors import translate
from nod.store.postgres_pool import connect

CHANNEL = "nod"

_TELL = f"SELECT pg_notify('{CHANNEL}', piece) FROM unnest(CAST($1 AS TEXT[])) AS piece"  # noqa: S608 - our own name
_ANSWER_S = 5.0


class _Line:
    """See `bus.line.Line`."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def tell(self, texts: Sequence[str]) -> None:
        await self._connection.execute(_TELL, texts, timeout=_ANSWER_S)


class PostgresLines:
    """`bus.line.Lines` on the database itself. A connection is one more than the pool's."""

    name = "PostgreSQL"
    most_bytes = 7_900  # PostgreSQL takes less than 8000

    def __init__(self, url: str) -> None:
        self._url = url

    @asynccontextmanager
    async def open(
        self, heard: Callable[[str], None], lost: Callable[[], None]
    ) -> AsyncIterator[_Line]:
        """See `bus.line.Lines.open`."""

        def listen(raw: Any, pid: int, _channel: str, payload: object) -> None:
            if pid != raw.get_server_pid():
                heard(str(payload))

        connection = await connect(self._url)
        try:
            await connection.add_listener(CHANNEL, listen)
            connection.add_termination_listener(lambda _: lost())
            yield _Line(connection)
        finally:
            connection.terminate()

    def reason(self, error: Exception) -> str | None:
        """See `bus.line.Lines.reason`."""
        known = translate(error)
        ours = known is error and not isinstance(
            error, asyncpg.PostgresError | OSError | TimeoutError
        )
        return None if ours else str(known)
