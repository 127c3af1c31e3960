"""Data of the very first schema comes to the newest by a start, on both databases."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from importlib.resources import files
from pathlib import Path

import pytest

from nod.domain.limits import Limits
from nod.store import postgres_schema
from nod.store.migrate import load_migrations, migrate
from nod.store.nodes import Asker
from nod.store.store import Tx
from support.clock import FakeClock
from support.databases import KINDS, Kind, execute
from support.postgres import connected, databases
from support.world import open_store

_MIGRATIONS = files("nod.store") / "migrations"
_DATA = Path(__file__).with_name("first_schema.sql")


@asynccontextmanager
async def first(folder: Path, kind: Kind) -> AsyncIterator[None]:
    """A database of the first schema in the folder."""
    if kind == "sqlite":
        with closing(sqlite3.connect(folder / "nod.db", isolation_level=None)) as raw:
            migrate(raw, load_migrations(_MIGRATIONS)[:1], 0)
        yield
        return
    async with databases().bare() as url:
        async with connected(url) as raw:
            await postgres_schema.migrate(raw, load_migrations(_MIGRATIONS, "postgres")[:1], 0)
        (folder / "postgres.url").write_text(url)
        yield


@pytest.mark.parametrize("kind", KINDS)
async def test_what_the_first_release_stored_is_there_after_the_start_of_the_newest(
    tmp_path: Path, kind: Kind
) -> None:
    async with first(tmp_path, kind):
        await execute(tmp_path, *postgres_schema.postgres_statements(_DATA.read_text()))
        store = open_store(tmp_path, FakeClock(), Limits(), lambda _: None)
        await store.start()
        try:
            assert await store.read(_seen) == {
                "task": ("Report", "always", 1_700_000_000_000),
                "runs": [("completed", "All is well.")],
                "waits": ["evt_2"],
                "messages": ["msg_2", "msg_1"],
                "picture of": ["img_1"],
                "found by its text": ["msg_1"],
                "found by its output": ["msg_2"],
                "questions": ["dec_1"],
            }
        finally:
            await store.close()


async def _seen(tx: Tx) -> dict[str, object]:
    task = await tx.tasks.get("tsk_1")
    waits = await tx.events.undelivered("agt_1", 0, 3, Asker("node_1", 0), 0, 10)
    assert task is not None
    return {
        "task": (task.name, task.notify, task.next_fire_at),
        "runs": [(run.status, run.summary) for run in await tx.runs.of_task("tsk_1", 10)],
        "waits": [each.event.id for each in waits],
        "messages": [each.id for each in await tx.chat.messages("cnv_1", 10)],
        "picture of": [each.id for each in await tx.chat.pictures("msg_1")],
        "found by its text": [
            each.id for each in await tx.search.messages(["light"], ["agt_1"], 9, 9)
        ],
        "found by its output": [
            each.id for each in await tx.search.messages(["harb"], ["agt_1"], 9, 9)
        ],
        "questions": [each.id for each in await tx.chat.waiting_decisions("agt_1")],
    }
