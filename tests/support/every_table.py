"""Rows in every table that the schema has, with values at the edges of every type."""

import sqlite3
from contextlib import closing
from itertools import cycle
from pathlib import Path
from typing import Any

from nod.store.sqlite_source import Table, open_snapshot

ROWS = 8
_VALUES: dict[str, tuple[Any, ...]] = {
    "TEXT": (
        "",
        "plain",
        "Grüße, 東京 😀",
        "a\ttab\r\nline\\N \\. \"'",
        "\ufeff\ufffd\U0010ffff",
        "x" * 9000,
    ),
    "INTEGER": (0, 1, -1, 2**63 - 1, -(2**63), 2**53 + 1, 1_700_000_000_000),
    "BOOLEAN": (True, False, True),
    "REAL": (0.0, 0.1, -1.5, 1e308, 5e-324, float("inf"), 2.0**60),
    "BLOB": (b"", bytes(range(256)), b"\0", b"\xff" * 100_000),
}
# An index of runs has their difference, which has to be a number that fits.
_SUBTRACTED = ("scheduled_for", "finished_at")


def fill_every_table(path: Path) -> None:
    """Add rows to each table of Nod's database in `path`; the last one is all NULL where it may."""
    with open_snapshot(path) as snapshot:
        tables = snapshot.tables
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("PRAGMA foreign_keys = ON")
        for table in tables:
            _fill(file, table)


def _fill(file: sqlite3.Connection, table: Table) -> None:
    about = file.execute("SELECT * FROM pragma_table_info(?)", (table.name,)).fetchall()
    referred = {
        name: (other, column)
        for other, name, column in file.execute(
            'SELECT "table", "from", "to" FROM pragma_foreign_key_list(?)', (table.name,)
        )
    }
    kinds = {kind: cycle(values) for kind, values in _VALUES.items()}
    unique = _in_a_unique_index(file, table)
    marks = ", ".join("?" * len(about))
    for number in range(ROWS):
        row = []
        for _, name, kind, needed, _, place in about:
            if name in referred:
                row.append(_nth(file, *referred[name], number))
            elif name in _SUBTRACTED:
                row.append(number)
            elif kind == "TEXT" and (place or name in unique):
                row.append(f"{table.name} {name} {number}")
            elif place:
                row.append(number + 1)
            elif number == ROWS - 1 and not needed:
                row.append(None)
            else:
                row.append(next(kinds[kind]))
        file.execute(f"INSERT INTO {table.name} VALUES ({marks})", row)  # noqa: S608


def _in_a_unique_index(file: sqlite3.Connection, table: Table) -> set[str]:
    """The columns of which no two rows may have the same."""
    return {
        name
        for (index,) in file.execute(
            'SELECT name FROM pragma_index_list(?) WHERE "unique"', (table.name,)
        ).fetchall()
        for (name,) in file.execute("SELECT name FROM pragma_index_info(?)", (index,)).fetchall()
    }


def _nth(file: sqlite3.Connection, table: str, column: str, number: int) -> Any:
    found = file.execute(
        f"SELECT {column} FROM {table} WHERE {column} LIKE '{table} %' ORDER BY 1 LIMIT 1 OFFSET ?",  # noqa: S608
        (number,),
    ).fetchone()
    return found[0]
