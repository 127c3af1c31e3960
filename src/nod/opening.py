"""What the settings name outside of this process: the database, and the bus between nodes."""

from importlib.resources import files

from nod.bus.both import Both
from nod.bus.hints import Bus
from nod.bus.line import LineBus, Lines
from nod.config import Settings
from nod.domain.errors import Unavailable
from nod.engine.notifier import installation
from nod.store.migrate import load_migrations
from nod.store.port import Database
from nod.store.rows import fragments
from nod.store.sqlite import SqliteDatabase
from nod.store.statements import load_statements
from nod.store.store import Store


def open_database(settings: Settings, *, exclusive: bool) -> Database:
    """The settings' database; `exclusive` for the server, which keeps other servers off a file.

    A PostgreSQL server has room for several. Without `exclusive` they are told of changes.
    """
    here = files("nod.store")
    if settings.is_postgres:
        from nod.store.postgres import PostgresDatabase

        return PostgresDatabase(
            settings.database_url,
            load_statements(here / "sql", "postgres", fragments()),
            load_migrations(here / "migrations", "postgres"),
            connections=settings.limits.database_connections,
            beside=not exclusive,
        )
    return SqliteDatabase(
        settings.database_path,
        load_statements(here / "sql", "sqlite", fragments()),
        load_migrations(here / "migrations"),
        exclusive=exclusive,
    )


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
