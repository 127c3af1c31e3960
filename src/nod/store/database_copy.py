"""Everything in the embedded database, copied to a PostgreSQL database, and compared.

One snapshot of the source becomes one transaction of the target, which is committed when all rows
are read back and are the same: whatever happens before, the target is as empty as it was. Nothing
is written to the source. What the search looks in is not copied but made anew.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from nod.domain.errors import Unavailable
from nod.domain.instant import Instant
from nod.store.digest import Digest
from nod.store.port import Row
from nod.store.postgres_target import RefusedRow, Target, open_target
from nod.store.sqlite_source import Snapshot, Table, open_snapshot

# A trigger of the target remembers each row until its statement ends.
_BATCH_ROWS = 10_000
_NUL = "\0"

Progress = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]
"""Gets what is done now, for people, and how many steps it has; then, again and again, how many
more of them are done."""


@dataclass(frozen=True, slots=True)
class Compared:
    """A table as it was read and as it is in the copy: rows, and their hash."""

    table: str
    rows: int
    hash: str
    copied_rows: int
    copied_hash: str

    @property
    def is_same(self) -> bool:
        """Whether nothing is lost and nothing changed."""
        return (self.rows, self.hash) == (self.copied_rows, self.copied_hash)


class DifferentCopy(Exception):
    """The target gave back something else than it was given, and nothing of it is kept."""

    def __init__(self, compared: list[Compared]) -> None:
        super().__init__("the copy differs")
        self.compared = compared


async def copy_database(source: Path, url: str, now: Instant, progress: Progress) -> list[Compared]:
    """Copy the file `source` to the empty database at `url`; each table as it was compared.

    Raises Unavailable with the reason, and DifferentCopy; the target is empty then.
    """
    with open_snapshot(source) as snapshot:
        async with open_target(url, now) as target:
            await target.take(snapshot.tables)
            read = [await _copy(snapshot, target, table, progress) for table in snapshot.tables]
            with progress("Indexing", 1) as advance:
                await target.index()
                advance(1)
            compared = [
                await _compare(target, table, given, progress)
                for table, given in zip(snapshot.tables, read, strict=True)
            ]
            if not all(each.is_same for each in compared):
                raise DifferentCopy(compared)
            for table in snapshot.tables:
                if table.counted is not None:
                    await target.go_on_counting(table)
    return compared


async def _copy(snapshot: Snapshot, target: Target, table: Table, progress: Progress) -> Digest:
    """Copy a table. What was read of it."""
    read = Digest()
    with (
        closing(snapshot.rows(table)) as rows,
        progress(_label("Copying", table), table.rows) as advance,
    ):
        while read.rows < table.rows:
            before = read.rows
            try:
                await target.add(table, _read(islice(rows, _BATCH_ROWS), read))
            except RefusedRow as refused:
                # Without a place it is the last one that was handed over.
                place = read.rows - 1 if refused.place is None else before + refused.place
                raise Unavailable(_which(snapshot, table, place, refused)) from refused
            if read.rows == before:
                break  # fewer than there were: the comparison says so
            advance(read.rows - before)
    return read


def _read(rows: Iterator[Row], read: Digest) -> Iterator[Row]:
    for row in rows:
        read.add(row)
        yield row


async def _compare(target: Target, table: Table, read: Digest, progress: Progress) -> Compared:
    found = Digest()
    told = 0
    with progress(_label("Checking", table), table.rows) as advance:
        async for row in target.rows(table, read.largest):
            found.add(row)
            if found.rows - told == _BATCH_ROWS:
                told = found.rows
                advance(_BATCH_ROWS)
        advance(found.rows - told)
    return Compared(table.name, table.rows, read.hash, found.rows, found.hash)


def _label(what: str, table: Table) -> str:
    return f"{what} {table.name} ({table.rows} rows)"


def _which(snapshot: Snapshot, table: Table, place: int, refused: RefusedRow) -> str:
    """Which row it is, and why it cannot be copied."""
    row = snapshot.row(table, place) or ()
    values = dict(zip(table.columns, row, strict=False))
    name = ", ".join(f"{column} {values.get(column)}" for column in table.key)
    with_nul = [column for column, value in values.items() if _has_nul(value)]
    reason = refused.reason
    if with_nul:
        reason = f"{' and '.join(with_nul)} holds a NUL character, which PostgreSQL stores nowhere"
    return (
        f"a row of {table.name} ({name or f'the {place + 1}th'}) cannot be copied: {reason}."
        " Nothing was copied; mend or delete that row in the source, and copy again"
    )


def _has_nul(value: object) -> bool:
    return isinstance(value, str) and _NUL in value
