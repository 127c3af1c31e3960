"""The connections to PostgreSQL: how they are made, lent, and given up."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from nod.clock import Clock
from nod.domain.errors import Unavailable
from nod.store.migrate import Migration
from nod.store.postgres_errors import translate
from nod.store.postgres_schema import migrate

# Longer than any statement takes, shorter than anybody waits.
_ANSWER_S = 30.0
_CONNECT_S = 5.0
_LEND_S = 10.0
_STATEMENT_CACHE = 512
# What closing or giving back runs into where the connection, or its place in the pool, is lost.
_GONE = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
_SESSION = {
    "application_name": "nod",
    # Compiling a statement takes longer than any of ours runs.
    "jit": "off",
    # A node that hangs or is cut off keeps its rows from the others for no longer than this.
    "idle_in_transaction_session_timeout": "30s",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}


class _Connection(asyncpg.Connection):  # type: ignore[misc]
    """One that is closed without complaint, also when nobody is left to say good-bye to: the pool
    closes those of before behind everybody's back, where an error would be nobody's."""

    async def close(self, *, timeout: float | None = None) -> None:
        with contextlib.suppress(*_GONE):
            await super().close(timeout=timeout)


class Pool:
    """At most so many connections, each lent to one unit at a time."""

    def __init__(
        self, url: str, connections: int, migrations: Sequence[Migration], clock: Clock
    ) -> None:
        self._url = url
        self._connections = connections
        self._migrations = migrations
        self._clock = clock
        self._pool: Any = None

    async def start(self) -> None:
        """Bring the schema up to date; connections are made as they are needed.

        Raises Unavailable or Away with the reason.
        """
        try:
            await self._migrate()
            self._pool = await asyncpg.create_pool(
                self._url,
                min_size=0,
                max_size=self._connections,
                command_timeout=_ANSWER_S,
                statement_cache_size=_STATEMENT_CACHE,
                max_cached_statement_lifetime=0,
                reset=_as_it_is,
                connection_class=_Connection,
                **_settings(),
            )
        except Exception as error:
            raise start_error(error) from error

    async def close(self) -> None:
        """Close the connections, none of which is lent any more."""
        await self._pool.close()

    async def expire(self) -> None:
        """Use none of the present connections again: their server is not what it was."""
        await self._pool.expire_connections()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Any]:
        """Lend a connection. Raises Away when there is none to be had."""
        raw = await self._lend()
        try:
            yield raw
        finally:
            # That a connection cannot be given back as it should is nothing to the unit, which may
            # have been stored.
            with contextlib.suppress(*_GONE):
                await self._pool.release(raw)

    async def _lend(self) -> Any:
        try:
            return await self._pool.acquire(timeout=_LEND_S)
        except TimeoutError as error:
            raise Unavailable(
                "the database is busy or does not answer: nothing was stored; try again"
            ) from error
        except Exception as error:
            raise translate(error) from error

    async def _migrate(self) -> None:
        connection = await connect(self._url)
        try:
            await migrate(connection, self._migrations, self._clock.now())
        finally:
            await connection.close(timeout=_CONNECT_S)


async def connect(url: str) -> Any:
    """A connection outside of any pool, set up like those in it."""
    return await asyncpg.connect(url, **_settings())


def _settings() -> dict[str, Any]:
    return {
        "timeout": _CONNECT_S,
        "server_settings": _SESSION,
        # Of several hosts in the URL the one that can be written to; it may change.
        "target_session_attrs": "read-write",
    }


def start_error(error: Exception) -> Exception:
    """What asyncpg raises while it connects, as `translate` has it or as Unavailable."""
    if isinstance(error, TimeoutError):
        return Unavailable(f"the database does not answer within {_CONNECT_S:.0f} seconds")
    if isinstance(error, asyncpg.ClientConfigurationError):
        return Unavailable(f"the database URL cannot be used: {error}")
    return translate(error)


async def _as_it_is(_: Any) -> None:
    """A unit leaves nothing behind on its connection, so nothing is to be reset."""
