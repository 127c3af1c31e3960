"""What another process changes in the database is noticed within a second."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from nod.actions import accounts, tasks
from nod.bus.live import RESYNC
from nod.clock import Clock
from nod.config import load
from nod.domain.instant import SECOND, rfc3339
from nod.domain.limits import Limits
from nod.domain.task_fields import TaskFields
from nod.engine.outbox import make_event, put
from nod.engine.outside import Outside
from nod.opening import open_database
from nod.store.sqlite import SqliteDatabase
from nod.store.store import Store, Tx
from support.clock import FakeClock
from support.databases import url_of
from support.inprocess import running, until


@asynccontextmanager
async def beside(folder: Path, clock: Clock) -> AsyncIterator[Store]:
    """The database in `folder` as a command opens it that runs beside the server."""
    settings = load({"NOD_DATA_DIR": str(folder), "NOD_DATABASE_URL": url_of(folder)}, {})
    store = Store(open_database(settings, exclusive=False), clock, Limits())
    await store.start()
    try:
        yield store
    finally:
        await store.close()


async def add_person(tx: Tx) -> None:
    await accounts.create_user(tx, "bob@example.org", "no password", "Bob")


@asynccontextmanager
async def serving(folder: Path, clock: Clock) -> AsyncIterator[tuple[SqliteDatabase, Store]]:
    """The file in `folder` as the server has it."""
    database = open_database(load({"NOD_DATA_DIR": str(folder)}, {}), exclusive=True)
    assert isinstance(database, SqliteDatabase)
    store = Store(database, clock, Limits())
    await store.start()
    try:
        yield database, store
    finally:
        await store.close()


async def test_only_what_others_commit_to_a_file_is_a_change(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder, clock, changes = tmp_path_factory.mktemp("file"), FakeClock(), list[int]()
    async with serving(folder, clock) as (database, own):
        outside = Outside(database, clock, lambda: changes.append(1))
        assert await outside.look() == clock.now() + SECOND
        await own.write(add_person)
        await outside.look()
        async with beside(folder, clock) as store:
            await outside.look()
            assert changes == []
            await store.write(lambda tx: tx.people.sweep_login_attempts(tx.now))
            await outside.look()
            assert changes == []
            await store.write(lambda tx: tx.people.add_login_attempt("a", None, tx.now))
            await outside.look()
            assert changes == [1]
            await outside.look()
            assert changes == [1]


async def test_a_task_made_beside_the_server_fires_in_time(tmp_path: Path) -> None:
    clock = FakeClock()
    async with running(tmp_path, clock) as nod:
        ada = await nod.add_agent()
        at = rfc3339(clock.now() + 30 * SECOND)
        given = {"name": "Report", "prompt": "Say it.", "schedule": "once", "run_at": at}
        fields = msgspec.convert(given, TaskFields)
        async with beside(tmp_path, clock) as store:
            task = await store.write(
                lambda tx: tasks.create(tx, nod.nod.vault, ada.agent, fields, "user")
            )
        # Less than the minute after which the fire stage looks of its own accord.
        clock.advance(30)
        (run,) = await until(lambda: nod.nod.store.read(lambda tx: tx.runs.of_task(task.id, 10)))
        assert (run.scheduled_for, run.created_at) == (clock.now(), clock.now())


async def test_whoever_waits_for_something_looks_again(tmp_path: Path) -> None:
    clock = FakeClock()
    async with running(tmp_path, clock) as nod:
        ada = await nod.add_agent()
        async with nod.http(ada) as http, beside(tmp_path, clock) as store:
            waiting = asyncio.create_task(http.get("/events", params={"wait_s": 60}))
            await until(lambda: ada.agent.id in nod.nod.changes._waiting)
            event = make_event(clock.now(), ada.agent.id, "user_message", {"text": "Hello"})
            await store.write(lambda tx: put(tx, event))
            clock.advance(1)
            assert [each["event_id"] for each in (await waiting).json()] == [event.id]


async def test_an_open_page_looks_at_everything_again(tmp_path: Path) -> None:
    clock = FakeClock()
    async with running(tmp_path, clock) as nod, beside(tmp_path, clock) as store:
        await nod.add_agent()
        with nod.nod.live.subscribe("usr_ann", [], clock.now()) as stream:
            await store.write(add_person)
            clock.advance(1)
            await asyncio.wait_for(stream.wait(), 20)
            assert stream.take() == RESYNC
