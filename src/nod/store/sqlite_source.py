"""The embedded database as what is copied from: one snapshot, table by table. It is only read.

Which tables there are, and in which order, the schema says: who refers comes after what is referred
to. What an index keeps for itself (the search's virtual table and those behind it) is left out.
"""

import contextlib
import sqlite3
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from graphlib import TopologicalSorter
from importlib.resources import files
from pathlib import Path

from nod.domain.errors import Unavailable
from nod.store.migrate import is_of, load_migrations, pending, progress
from nod.store.port import Row
from nod.store.sqlite_backup import begin_snapshot, cause
from nod.store.sqlite_connection import open_reader

_BUSY_TIMEOUT_S = 5.0
_TABLES = r"""
SELECT name FROM sqlite_master t
WHERE type = 'table' AND name NOT LIKE 'sqlite\_%' ESCAPE '\' AND name <> 'schema_versions'
  AND sql NOT LIKE 'CREATE VIRTUAL TABLE%'
  AND NOT EXISTS (
    SELECT 1 FROM sqlite_master v
    WHERE v.sql LIKE 'CREATE VIRTUAL TABLE%' AND instr(t.name, v.name || '_') = 1)
ORDER BY rowid
"""
_COLUMNS = "SELECT name, pk FROM pragma_table_info(?) ORDER BY cid"
_REFERRED = 'SELECT DISTINCT "table" FROM pragma_foreign_key_list(?)'
_COUNTED = "SELECT seq FROM sqlite_sequence WHERE name = ?"


@dataclass(frozen=True, slots=True)
class Table:
    """A table and what is in it."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]  # the columns of its primary key, if it has one
    rows: int
    counted: int | None  # the highest number that the database has given, if it counts the rows


class Snapshot:
    """The database as it is at one moment. Raises Unavailable where it cannot be read."""

    def __init__(self, path: Path, reader: sqlite3.Connection) -> None:
        self._path = path
        self._reader = reader
        with self._errors():
            self.tables = [self._table(name) for name in self._names()]

    def rows(self, table: Table) -> Generator[Row, None, None]:
        """All rows, each a tuple in the order of `table.columns`."""
        with self._errors():
            yield from self._reader.execute(_select(table))

    def row(self, table: Table, place: int) -> Row | None:
        """The row at this place of `rows`, counted from 0."""
        with self._errors():
            found = self._reader.execute(f"{_select(table)} LIMIT 1 OFFSET ?", (place,))
            row: Row | None = found.fetchone()
        return row

    def _names(self) -> Iterable[str]:
        """All tables, those that are referred to first."""
        refers: dict[str, list[str]] = {
            name: [other for (other,) in self._reader.execute(_REFERRED, (name,)) if other != name]
            for (name,) in self._reader.execute(_TABLES).fetchall()
        }
        return TopologicalSorter(refers).static_order()

    def _table(self, name: str) -> Table:
        columns = self._reader.execute(_COLUMNS, (name,)).fetchall()
        (rows,) = self._reader.execute(f'SELECT count(*) FROM "{name}"').fetchone()  # noqa: S608
        counted = self._reader.execute(_COUNTED, (name,)).fetchone()
        return Table(
            name,
            tuple(column for column, _ in columns),
            tuple(column for column, place in columns if place),
            rows,
            None if counted is None else int(counted[0]),
        )

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise Unavailable(f"cannot read {self._path}: {cause(error)}") from error


@contextmanager
def open_snapshot(path: Path) -> Iterator[Snapshot]:
    """The file as it is now, whatever is written to it meanwhile.

    Raises Unavailable unless it is a database of this very Nod.
    """
    migrations = load_migrations(files("nod.store") / "migrations")
    try:
        with contextlib.closing(open_reader(path, _BUSY_TIMEOUT_S)) as reader:
            begin_snapshot(reader)
            if not is_of(reader, migrations):
                raise Unavailable(f"{path} is not a database of Nod")
            lacking = len(pending(reader, migrations))
            if lacking:
                raise Unavailable(
                    f"{path} was made by an older Nod and lacks {lacking} steps of the schema;"
                    " start `nod serve` on it once, which brings it up to date, and stop it again"
                )
            if progress(reader).version > len(migrations):
                # Additive steps this program can serve on, but what stands in them it would lose.
                raise Unavailable(f"{path} was made by a newer Nod; copy it with that version")
            yield Snapshot(path, reader)
    except sqlite3.Error as error:
        raise Unavailable(f"cannot read {path}: {cause(error)}") from error


def _select(table: Table) -> str:
    columns = ", ".join(f'"{column}"' for column in table.columns)
    return f'SELECT {columns} FROM "{table.name}"'  # noqa: S608 - names of the schema
