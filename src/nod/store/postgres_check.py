"""A look at a PostgreSQL server from beside whoever uses it. Nothing is changed."""

from dataclasses import dataclass
from importlib.resources import files

import asyncpg

from nod.domain.errors import Unavailable
from nod.domain.instant import Instant
from nod.store.migrate import PROGRESS, Progress, lacking, load_migrations

_TIMEOUT_S = 10.0
_LOOK = """
SELECT current_setting('server_version'),
  (extract(epoch FROM clock_timestamp()) * 1000)::bigint,
  pg_is_in_recovery() OR current_setting('default_transaction_read_only') = 'on',
  to_regclass('schema_versions') IS NOT NULL,
  (SELECT count(*) FROM pg_stat_activity
   WHERE datname = current_database() AND application_name = 'nod'),
  (SELECT count(*) FROM pg_tables WHERE schemaname = current_schema())
"""


@dataclass(frozen=True, slots=True)
class ServerState:
    """What the server and its database are like."""

    server: str  # its version
    now: Instant
    read_only: bool
    schema: int
    lacking: int  # steps of the schema that the next start takes
    connections: int  # of Nod, to this database
    tables: int  # Nod's and others'


async def examine(url: str) -> ServerState:
    """Ask the server. Raises Unavailable when it cannot be, or its schema is of a Nod too new."""
    migrations = load_migrations(files("nod.store") / "migrations", "postgres")
    try:
        connection = await asyncpg.connect(
            url, timeout=_TIMEOUT_S, server_settings={"application_name": "nod doctor"}
        )
        try:
            server, now, read_only, has_schema, used, tables = await connection.fetchrow(_LOOK)
            schema = (
                Progress(*await connection.fetchrow(PROGRESS)) if has_schema else Progress(0, 0)
            )
        finally:
            await connection.close(timeout=_TIMEOUT_S)
    except (
        OSError,
        TimeoutError,
        ValueError,
        asyncpg.PostgresError,
        asyncpg.InterfaceError,
    ) as error:
        raise Unavailable(str(error) or type(error).__name__) from error
    missing = len(lacking(schema, migrations))
    return ServerState(server, now, read_only, schema.version, missing, used, tables)
