"""The index of the search says what the tables say, whatever happens to them."""

import contextlib
import sqlite3
from collections.abc import AsyncIterator, Sequence
from importlib.resources import files
from pathlib import Path

import pytest

from nod.domain.limits import Limits
from nod.domain.model import MessageKind
from nod.domain.search import typed_words
from nod.engine import settle
from nod.engine.sweep import SWEEPS
from nod.store.chat import NEWEST, Report, make_message
from nod.store.migrate import load_migrations, migrate
from nod.store.postgres_schema import migrate as migrate_postgres
from nod.store.store import Tx
from support.databases import KINDS, execute, prepared, url_of
from support.postgres import connected, databases
from support.steps import DAY_S, called, complete, now
from support.world import World, open_world

_MIGRATIONS = files("nod.store") / "migrations"
# What SQLite compares: every word of every text with the index, both ways.
_CHECK = "INSERT INTO message_search (message_search, rank) VALUES ('integrity-check', 1)"
_CHECK_POSTGRES = """
DO $$ BEGIN
  ASSERT NOT EXISTS (
    SELECT 1 FROM message_search s FULL JOIN searchable e USING (seq)
    WHERE s.words IS DISTINCT FROM e.words), 'the lists of words are not those of the texts';
END $$
"""


async def found(world: World, text: str, agent_ids: Sequence[str] = ()) -> list[str]:
    """What the messages say that have the words, newest first."""

    async def look(tx: Tx) -> list[str]:
        asked = agent_ids or [world.agent.id]
        messages = await tx.search.messages(typed_words(text, 99), asked, 50, NEWEST)
        return [each.title or each.text for each in messages]

    return await world.store.read(look)


async def say(world: World, text: str, report: Report = Report()) -> int:  # noqa: B008
    async def add(tx: Tx) -> int:
        where = await tx.chat.default_conversation(world.agent.id)
        kind: MessageKind = "report" if report.title else "text"
        message = make_message(tx.now, where, "agent", kind, text, report)
        return (await tx.chat.add_message(message)).seq

    return await world.store.write(add)


async def check(folder: Path) -> None:
    """Hold the index to the tables."""
    is_postgres = url_of(folder).startswith("postgresql:")
    await execute(folder, _CHECK_POSTGRES if is_postgres else _CHECK)


@pytest.fixture(params=KINDS)
async def tmp_path(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Path]:
    """A folder that stands for a database of one kind and then of the other."""
    async with prepared(tmp_path, request.param):
        yield tmp_path


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """At its end the index has exactly the words of the tables."""
    async with open_world(tmp_path, Limits(retention_runs=1)) as opened:
        yield opened
    await check(tmp_path)


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("The Café is open", "cafe"),
        ("The cafe is open", "CAFÉ"),
        ("Přílišně žluťoučký", "prilisne zlutoucky"),
        ("Οδυσσεύς", "οδυσσεύς"),
        ("Ёлка и йод", "ёлка ЙОД"),
        ("İstanbul", "istanbul"),
        ("retry_with_jitter", "jitter"),
        ("the importer uses memory", "memory import"),
        ("the importer uses memory", "the the mem"),
        ("Version 3.12 is here", "3.12"),
        ("say \"hello\" 'there'", "\"hello\" 'there'"),
        ("AND OR NOT NEAR", "and or not near"),
    ],
)
async def test_words_are_found_without_case_and_accents(
    world: World, text: str, query: str
) -> None:
    await say(world, text)
    assert await found(world, query) == [text]


async def test_all_words_must_be_there_and_only_the_last_may_go_on(world: World) -> None:
    await say(world, "the importer uses memory")
    assert await found(world, "importer disk") == []
    assert await found(world, "import memory") == []
    assert await found(world, "emory") == []


async def test_a_message_is_found_by_each_of_its_texts_newest_first(world: World) -> None:
    await say(world, "first disk")
    await say(world, "body words", Report("Disk report", "of the week"))
    assert await found(world, "disk") == ["Disk report", "first disk"]
    assert await found(world, "words week report") == ["Disk report"]


async def test_an_agents_name_tag_is_no_word_of_its_messages(world: World) -> None:
    await say(world, "hello")
    assert await found(world, world.agent.id) == []


async def test_only_the_agents_asked_for_are_looked_at(world: World) -> None:
    await say(world, "hello")
    assert await found(world, "hello", ["agt_0000000000000000"]) == []
    others = [f"agt_{number:016x}" for number in range(1_000)]
    assert await found(world, "hello", [*others, world.agent.id]) == ["hello"]


@pytest.mark.parametrize("early", [True, False])
async def test_a_run_is_found_once_by_its_summary_and_its_output(world: World, early: bool) -> None:
    task = await world.task("event", overlap="allow")
    run = await called(world, task)

    async def put(text: str) -> None:
        await world.store.write(lambda tx: settle.put_output(tx, world.agent, run.id, text))

    async def finish(tx: Tx) -> None:
        await settle.complete(tx, world.agent, run.id, "completed", "All is sound")

    if early:
        await put("every gasket holds")
    await world.store.write(finish)
    if not early:
        await put("every gasket holds")
    assert await found(world, "gasket sound") == ["All is sound"]
    await put("every valve holds")
    assert await found(world, "gasket") == []
    assert await found(world, "valve sound") == ["All is sound"]


async def test_what_a_bubble_said_before_is_not_found_any_more(world: World) -> None:
    task = await world.task("event")
    run = await called(world, task)
    where = await world.store.read(lambda tx: tx.chat.default_conversation(world.agent.id))
    await world.store.write(lambda tx: tx.chat.put_bubble(where.id, run, "half way", tx.now))
    await world.store.write(lambda tx: tx.chat.put_bubble(where.id, run, "almost there", tx.now))
    assert await found(world, "half") == []
    assert await found(world, "almost") == ["almost there"]


async def test_a_swept_run_takes_its_output_out_of_the_index(world: World) -> None:
    task = await world.task("event", overlap="allow")
    run = await called(world, task)
    await world.store.write(
        lambda tx: settle.put_output(tx, world.agent, run.id, "every gasket holds")
    )
    await complete(world, run)
    assert len(await found(world, "gasket")) == 1
    world.clock.advance(91 * DAY_S)
    await complete(world, await now(world, task))
    await world.store.write(SWEEPS["runs"])
    assert await world.store.read(lambda tx: tx.runs.get(run.id)) is None
    assert await found(world, "gasket") == []
    assert len(await found(world, "done")) == 2  # the bubbles stay, and their words


async def test_a_message_that_is_removed_is_not_found(world: World, tmp_path: Path) -> None:
    await say(world, "hello you")
    await say(world, "hello there")
    await execute(tmp_path, "DELETE FROM messages WHERE text = 'hello you'", "VACUUM")
    assert await found(world, "hello") == ["hello there"]


async def test_a_long_text_is_found_by_its_last_word_and_an_endless_word_by_its_beginning(
    world: World,
) -> None:
    await say(world, " ".join(f"n{number}" for number in range(20_000)) + " " + "w" * 5_000)
    assert len(await found(world, "n19999")) == 1
    assert len(await found(world, "n1 wwwww")) == 1


_FORMER = """
INSERT INTO users VALUES ('u', 'a@example.org', '', '', 'UTC', 0);
INSERT INTO agents (id, owner_id, name, kind, secret_hash, old_secret_in_use, webhook_key,
  created_at) VALUES ('agt_1', 'u', '', '', '', FALSE, '', 0);
INSERT INTO conversations VALUES ('c', 'agt_1', '', 0);
INSERT INTO messages (id, conversation_id, agent_id, author, kind, text, created_at, updated_at)
  VALUES ('m', 'c', 'agt_1', 'agent', 'text', 'long ago', 0, 0);
"""
_AGO = {
    "sqlite": "SELECT rowid FROM message_search WHERE message_search MATCH 'ago'",
    "postgres": "SELECT seq FROM message_search WHERE words @@ search_query('1', 'ago')",
}


def test_what_was_said_before_there_was_a_search_is_found(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    path = tmp_path_factory.mktemp("former") / "nod.db"
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as file:
        migrate(file, load_migrations(_MIGRATIONS)[:1], 0)
        file.executescript(_FORMER)
        migrate(file, load_migrations(_MIGRATIONS), 0)
        assert file.execute(_AGO["sqlite"]).fetchall() == [(1,)]
        file.execute(_CHECK)


async def test_what_was_said_before_there_was_a_search_is_found_on_postgresql() -> None:
    async with databases().bare() as url, connected(url) as connection:
        await migrate_postgres(connection, load_migrations(_MIGRATIONS, "postgres")[:1], 0)
        await connection.execute(_FORMER)
        await migrate_postgres(connection, load_migrations(_MIGRATIONS, "postgres"), 0)
        assert await connection.fetchval(_AGO["postgres"]) == 1
        await connection.execute(_CHECK_POSTGRES)
