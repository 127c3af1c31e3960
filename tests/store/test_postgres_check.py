"""What `nod doctor` sees of a PostgreSQL server."""

from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest

from nod.cli import doctor_here, doctor_postgres
from nod.cli.doctor_here import Way
from nod.clock import SystemClock
from nod.config import Settings, load
from nod.domain.errors import Unavailable
from nod.opening import open_database
from nod.store.migrate import load_migrations
from nod.store.postgres_check import examine
from nod.store.postgres_schema import migrate
from support.clock import FakeClock
from support.postgres import connected, databases
from support.server import free_port


def settings_of(url: str, folder: Path) -> Settings:
    return load({"NOD_DATABASE_URL": url, "NOD_DATA_DIR": str(folder)}, {})


def states(way: Way) -> dict[str, str]:
    return {each.check: each.state for each in way.found}


async def test_a_server_that_is_well_says_its_schema_and_the_time(tmp_path: Path) -> None:
    async with databases().lent() as url:
        settings = settings_of(url, tmp_path)
        database = open_database(settings, exclusive=True)
        await database.start()
        way = await doctor_postgres.database(settings, SystemClock())
        await database.close()
    assert states(way) == {"database": "ok", "writing": "ok", "server": "ok"}
    assert way.stored is not None
    assert way.stored.agents == []
    assert way.offset_s is not None
    assert abs(way.offset_s) < 2
    assert doctor_here.clock(SystemClock(), way, None).state == "ok"


async def test_a_clock_that_is_not_the_servers_is_told(tmp_path: Path) -> None:
    async with databases().lent() as url:
        way = await doctor_postgres.database(settings_of(url, tmp_path), FakeClock())
    found = doctor_here.clock(FakeClock(), way, 0.0)
    assert found.state == "failed"
    assert found.seen.endswith("s from the time of the database server")


async def test_an_empty_database_is_left_as_it_is(tmp_path: Path) -> None:
    async with databases().bare() as url:
        way = await doctor_postgres.database(settings_of(url, tmp_path), SystemClock())
        async with connected(url) as connection:
            tables = await connection.fetchval(
                "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
            )
    assert states(way)["database"] == "warning"
    assert (way.stored, tables) == (None, 0)


async def test_a_server_that_is_read_only_has_failed(tmp_path: Path) -> None:
    async with databases().bare() as url:
        read_only = f"{url}{'&' if '?' in url else '?'}default_transaction_read_only=on"
        way = await doctor_postgres.database(settings_of(read_only, tmp_path), SystemClock())
    assert states(way)["writing"] == "failed"


async def test_a_newer_schema_has_failed(tmp_path: Path) -> None:
    async with databases().bare() as url:
        async with connected(url) as connection:
            await migrate(
                connection, load_migrations(files("nod.store") / "migrations", "postgres"), 0
            )
            await connection.execute("INSERT INTO schema_versions VALUES (99, 'later', 0, false)")
        way = await doctor_postgres.database(settings_of(url, tmp_path), SystemClock())
    assert states(way) == {"database": "failed"}
    assert "made by a newer Nod (schema 99" in way.found[0].seen


async def test_a_server_that_cannot_be_reached_has_failed_without_its_password(
    tmp_path: Path,
) -> None:
    url = f"postgresql://nod:sesame@127.0.0.1:{free_port()}/nod"
    way = await doctor_postgres.database(settings_of(url, tmp_path), SystemClock())
    assert states(way) == {"database": "failed"}
    assert "sesame" not in way.found[0].seen
    with pytest.raises(Unavailable):
        await examine(replace(settings_of(url, tmp_path)).database_url)
