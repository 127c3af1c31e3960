"""What a step of the schema may do that calls itself additive: nothing that is noticed by a program
which does not know it. Old and new nodes serve beside each other on such a schema."""

import re
from collections.abc import Iterator
from importlib.resources import files

import pytest

from nod.store.migrate import load_migrations, split_statements
from nod.store.rows import fragments
from nod.store.statements import Dialect, load_statements

_STORE = files("nod.store")
_DIALECTS: tuple[Dialect, ...] = ("sqlite", "postgres")
_TABLE = re.compile(r"CREATE TABLE (\w+) \(.*\)")
_INDEX = re.compile(r"CREATE (UNIQUE )?INDEX \w+ ON (\w+) .+")
_COLUMN = re.compile(
    r"ALTER TABLE \w+ ADD COLUMN \w+ (?:TEXT|INTEGER|REAL|BLOB|BOOLEAN)"
    r"(?: NOT NULL(?= DEFAULT))?(?: DEFAULT (?:-?\d+|'[^']*'|TRUE|FALSE))?"
    r"(?: REFERENCES \w+ \(\w+\) ON DELETE (?:CASCADE|SET NULL))?"
)
# What is removed by a program that knows nothing of the reference must not be held by it.
_HOLDING = re.compile(r"REFERENCES \w+ \(\w+\)(?! ON DELETE (?:CASCADE|SET NULL))")


def noticed(sql: str) -> Iterator[str]:
    """The statements that a program would notice which does not know them."""
    made: set[str] = set()
    for statement in split_statements(sql):
        words = " ".join(re.sub(r"--.*", "", statement).split()).removesuffix(";").strip()
        if table := _TABLE.fullmatch(words):
            made.add(table[1])
        if words and (_HOLDING.search(words) or not _is_unseen(words, made)):
            yield words


def _is_unseen(words: str, made: set[str]) -> bool:
    """`made` are the tables of the same step, in which an older program writes nothing."""
    if index := _INDEX.fullmatch(words):
        return index[1] is None or index[2] in made
    return bool(_TABLE.fullmatch(words) or _COLUMN.fullmatch(words))


@pytest.mark.parametrize("dialect", _DIALECTS)
def test_an_additive_step_changes_nothing_for_who_does_not_know_it(dialect: Dialect) -> None:
    steps = load_migrations(_STORE / "migrations", dialect)
    assert [list(noticed(step.sql)) for step in steps if step.additive] == [
        [] for step in steps if step.additive
    ]


@pytest.mark.parametrize(
    "sql",
    [
        "-- additive\n\n-- A word; or two.\nALTER TABLE tasks ADD COLUMN colour TEXT;",
        "ALTER TABLE tasks ADD COLUMN weight INTEGER NOT NULL DEFAULT 0;",
        "ALTER TABLE tasks ADD COLUMN rule_id TEXT REFERENCES allow_rules (id) ON DELETE SET NULL;",
        "CREATE INDEX tasks_by_name ON tasks (name)\n  WHERE deleted_at IS NULL;",
        "CREATE TABLE tags (\n  id TEXT, name TEXT\n); CREATE UNIQUE INDEX tags_one ON tags (id);",
        "CREATE TABLE tags (run_id TEXT REFERENCES runs (id) ON DELETE CASCADE);",
    ],
)
def test_what_nobody_notices_may_stand_in_an_additive_step(sql: str) -> None:
    assert list(noticed(sql)) == []


@pytest.mark.parametrize(
    "sql",
    [
        "ALTER TABLE tasks ADD COLUMN weight INTEGER NOT NULL;",  # an old INSERT does not give it
        "ALTER TABLE tasks ADD COLUMN slug TEXT UNIQUE;",
        "ALTER TABLE tasks ADD COLUMN key TEXT DEFAULT (random());",  # writes the table anew
        "ALTER TABLE tasks ADD COLUMN rule_id TEXT REFERENCES allow_rules (id);",
        "ALTER TABLE tasks DROP COLUMN name;",
        "ALTER TABLE tasks RENAME COLUMN name TO title;",
        "CREATE UNIQUE INDEX tasks_one ON tasks (name);",  # an old node still makes two
        "CREATE TABLE tags (run_id TEXT REFERENCES runs (id));",  # an old node cannot sweep the run
        "DROP INDEX tasks_by_agent;",
        "UPDATE tasks SET name = '';",
        "CREATE TABLE tags (id TEXT PRIMARY KEY); DROP TABLE images;",
        "CREATE TRIGGER t AFTER INSERT ON tasks BEGIN DELETE FROM runs; END;",
    ],
)
def test_what_an_older_program_would_notice_may_not(sql: str) -> None:
    assert len(list(noticed(sql))) == 1


@pytest.mark.parametrize("dialect", _DIALECTS)
def test_statements_name_the_columns_they_read_and_write(dialect: Dialect) -> None:
    """So that a column which is added changes none of them."""
    every = re.compile(r"(?:SELECT|RETURNING|,|DISTINCT)\s+(?:\w+\.)?\*")
    nameless = re.compile(r"INSERT INTO \w+\s+(?!\()")
    statements = load_statements(_STORE / "sql", dialect, fragments())
    assert [
        name
        for name, statement in statements.items()
        if every.search(statement.text) or nameless.search(statement.text)
    ] == []
