"""What the settings name outside of this process: the database, the bus between nodes, and where
spans go."""

from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING

import structlog

from nod.bus.both import Both
from nod.bus.hints import Bus
from nod.bus.line import LineBus, Lines
from nod.config import Settings
from nod.domain.errors import Unavailable
from nod.engine.notifier import installation
from nod.store.migrate import Migration, load_migrations
from nod.store.port import Database
from nod.store.rows import fragments
from nod.store.sqlite import SqliteDatabase
from nod.store.statements import Dialect, Statements, load_statements
from nod.store.store import Store

if TYPE_CHECKING:
    from nod.telemetry.spans import Spans


def open_database(settings: Settings, *, exclusive: bool) -> Database:
    """The settings' database; `exclusive` for the server, which keeps other servers off a file.

    A PostgreSQL server has room for several. Without `exclusive` they are told of changes.
    """
    if settings.is_postgres:
        from nod.store.postgres import PostgresDatabase

        return PostgresDatabase(
            settings.database_url,
            *_sql("postgres"),
            connections=settings.limits.database_connections,
            beside=not exclusive,
        )
    return SqliteDatabase(settings.database_path, *_sql("sqlite"), exclusive=exclusive)


@lru_cache
def _sql(dialect: Dialect) -> tuple[Statements, tuple[Migration, ...]]:
    """What is said to the database. Whoever opens many, as tests do, reads the files once."""
    here = files("nod.store")
    statements = load_statements(here / "sql", dialect, fragments())
    return statements, load_migrations(here / "migrations", dialect)


async def open_bus(settings: Settings, store: Store) -> Bus | None:
    """What carries hints between the nodes. A file has one server, and needs none.

    Commands beside the servers tell by the database, whatever the nodes have between them.
    Raises Unavailable where the driver of the bus is not installed.
    """
    if not settings.is_postgres:
        return None
    from nod.store.postgres_bus import PostgresLines

    bus = LineBus(PostgresLines(settings.database_url))
    if settings.bus_url is None:
        return bus
    lines = nats_lines(settings.bus_url, await store.read(installation))
    return Both(LineBus(lines), bus)


def open_spans(environ: Mapping[str, str]) -> "Spans | None":
    """The runs as spans of OpenTelemetry, where its standard variables say that they go anywhere.

    Without the packages of the extra `otel` none are made, and the log says so.
    """
    named = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    disabled = environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    if disabled or environ.get("OTEL_TRACES_EXPORTER") == "none":
        return None
    if not any(environ.get(name, "").strip() for name in named):
        return None
    try:
        from nod.telemetry.spans import Spans
    except ImportError:
        why = "they need OpenTelemetry: pip install 'nod-tasks[server,otel]'"
        structlog.get_logger("nod.spans").warning("no spans are made", reason=why)
        return None
    return Spans()


def nats_lines(url: str, installation: str) -> Lines:
    """Lines to a NATS server, for the nodes of one installation.

    Raises Unavailable where its driver is not installed.
    """
    try:
        from nod.bus.nats import NatsLines
    except ImportError:
        raise Unavailable(
            "the bus needs the driver of NATS: pip install 'nod-tasks[server,nats]'"
        ) from None
    return NatsLines(url, f"nod.{installation}")
