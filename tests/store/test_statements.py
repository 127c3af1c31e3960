"""Named SQL statements, read from files."""

from pathlib import Path

import pytest

from nod.store.statements import load_statements

COLUMNS = {"tasks": "id, name, enabled"}


def write(directory: Path, **files: str) -> Path:
    for stem, text in files.items():
        (directory / f"{stem}.sql").write_text(text, encoding="utf-8")
    return directory


def test_a_statement_is_found_by_its_name_without_its_comments(tmp_path: Path) -> None:
    directory = write(
        tmp_path,
        tasks="-- Statements of tasks.\n\n-- name: all_tasks\n-- In any order.\nSELECT 1;\n\n"
        "-- name: one_task\nSELECT 2\n  -- the second half\n  + 3",
    )
    found = load_statements(directory, "sqlite", {})
    assert found["all_tasks"].text == "SELECT 1"
    assert found["one_task"].text == "SELECT 2\n  + 3"
    assert list(found) == ["all_tasks", "one_task"]


def test_values_stand_in_the_order_of_their_first_places(tmp_path: Path) -> None:
    directory = write(tmp_path, a="-- name: due\nSELECT :now WHERE :now > :since AND x = :agent_id")
    due = load_statements(directory, "sqlite", {})["due"]
    assert due.text == "SELECT ? WHERE ? > ? AND x = ?"
    assert due.parameters == ("now", "since", "agent_id")
    assert due.places == (0, 0, 1, 2)
    assert load_statements(directory, "postgres", {})["due"].text.startswith("SELECT $1 WHERE $1 >")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT ':now'",
        "SELECT 'it''s :now'",
        'SELECT ":now"',
        "SELECT 1 -- until :now",
        "SELECT 1 /* until\n:now */",
        "SELECT x::text",
        "SELECT '12:30'",
    ],
)
def test_a_colon_in_text_comment_or_cast_is_no_value(tmp_path: Path, sql: str) -> None:
    found = load_statements(write(tmp_path, a=f"-- name: a\n{sql}"), "sqlite", {})
    assert (found["a"].text, found["a"].parameters) == (sql, ())


def test_column_lists_are_put_in_with_and_without_alias(tmp_path: Path) -> None:
    directory = write(tmp_path, a="-- name: a\nSELECT {t.tasks} FROM (SELECT {tasks} FROM tasks) t")
    text = load_statements(directory, "sqlite", COLUMNS)["a"].text
    assert text == "SELECT t.id, t.name, t.enabled FROM (SELECT id, name, enabled FROM tasks) t"


def test_json_in_a_statement_is_left_alone(tmp_path: Path) -> None:
    directory = write(tmp_path, a="""-- name: a\nSELECT '{}', '{"a": 1}'""")
    assert load_statements(directory, "sqlite", {})["a"].text == """SELECT '{}', '{"a": 1}'"""


def test_a_dialect_replaces_the_portable_statement_and_others_are_not_read(tmp_path: Path) -> None:
    directory = write(
        tmp_path,
        zz="-- name: now\nSELECT 'portable'\n-- name: both\nSELECT 0",
        sqlite="-- name: now\nSELECT 'sqlite'",
        postgres="-- name: now\nSELECT 'postgres'\n-- name: claim\nSELECT 1",
    )
    (tmp_path / "notes.txt").write_text("no SQL")
    found = load_statements(directory, "sqlite", {})
    assert {name: statement.text for name, statement in found.items()} == {
        "now": "SELECT 'sqlite'",
        "both": "SELECT 0",
    }


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"a": "-- name: x\nSELECT 1", "b": "-- name: x\nSELECT 2"}, "b.sql: the name x is alread"),
        ({"a": "-- name: x\nSELECT 1\n-- name: x\nSELECT 2"}, "a.sql: the name x is already"),
        ({"a": "-- name: x\n-- nothing\n\n-- name: y\nSELECT 1"}, "a.sql: x has no SQL"),
        ({"a": "SELECT 1;\n-- name: x\nSELECT 1"}, "a.sql: SQL before the first"),
        ({"a": "-- name: x\nSELECT {runs}"}, r"a.sql: unknown fragment \{runs\}"),
    ],
)
def test_a_mistake_in_the_files_is_refused_with_its_place(
    tmp_path: Path, files: dict[str, str], reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        load_statements(write(tmp_path, **files), "sqlite", COLUMNS)
