"""One PostgreSQL transaction as a unit of work sees it."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from nod.store.port import Row
from nod.store.postgres_errors import translate
from nod.store.statements import Statement, Statements

# Nothing but the row itself: then many rows can be copied in.
_PLAIN_INSERT = re.compile(
    r"INSERT INTO (?P<table>\w+) \((?P<columns>[\w\s,]+)\)\s+VALUES \((?P<markers>[$\d\s,]+)\)\s*"
)
_WRITING = "!"


def writing(statements: Statements) -> Statements:
    """The statements as a unit that writes runs them: in another form where they have one."""
    forms = {name: each for name, each in statements.items() if name.endswith(_WRITING)}
    return {**statements, **{name.removesuffix(_WRITING): each for name, each in forms.items()}}


class PostgresConnection:
    """What a unit of work speaks to (`port.Connection`)."""

    def __init__(self, raw: Any, statements: Statements) -> None:
        """`raw` is asyncpg's connection, in a transaction."""
        self.failure: Exception | None = None
        """The first error of a statement in this unit; after it every verb raises it again."""
        self._raw = raw
        self._statements = statements

    async def all(self, statement: str, /, **params: Any) -> list[Row]:
        found = self._find(statement)
        try:
            rows = await self._raw.fetch(found.text, *found.values(params))
        except Exception as error:
            raise self._failed(error) from error
        return [tuple(row) for row in rows]

    async def one(self, statement: str, /, **params: Any) -> Row | None:
        found = self._find(statement)
        try:
            row = await self._raw.fetchrow(found.text, *found.values(params))
        except Exception as error:
            raise self._failed(error) from error
        return None if row is None else tuple(row)

    async def run(self, statement: str, /, **params: Any) -> int:
        found = self._find(statement)
        try:
            # "UPDATE 3", "INSERT 0 1"
            done: str = await self._raw.execute(found.text, *found.values(params))
        except Exception as error:
            raise self._failed(error) from error
        return int(done.rpartition(" ")[2])

    async def many(
        self, statement: str, rows: Sequence[Sequence[Any]] | Sequence[Mapping[str, Any]], /
    ) -> None:
        found = self._find(statement)
        if not rows:
            return
        try:
            await self._many(found, _by_place(found, rows))
        except Exception as error:
            raise self._failed(error) from error

    async def _many(self, statement: Statement, rows: Sequence[Sequence[Any]]) -> None:
        plain = _PLAIN_INSERT.fullmatch(statement.text) if len(rows) > 1 else None
        if "unnest(" in statement.text:
            arrays = [list(column) for column in zip(*rows, strict=True)]
            await self._raw.execute(statement.text, *arrays)
        elif plain is not None and _in_order(plain["markers"]):
            columns = [column.strip() for column in plain["columns"].split(",")]
            await self._raw.copy_records_to_table(plain["table"], records=rows, columns=columns)
        elif len(rows) == 1:
            await self._raw.execute(statement.text, *rows[0])
        else:
            await self._raw.executemany(statement.text, rows)

    def _find(self, name: str) -> Statement:
        if self.failure is not None:
            raise self.failure
        return self._statements[name]

    def _failed(self, error: Exception) -> Exception:
        self.failure = translate(error)
        return self.failure


def _by_place(
    statement: Statement, rows: Sequence[Sequence[Any]] | Sequence[Mapping[str, Any]]
) -> Sequence[Sequence[Any]]:
    return [statement.values(row) if isinstance(row, Mapping) else row for row in rows]


def _in_order(markers: str) -> bool:
    """Whether the values of an INSERT stand in the order of a row: $1, $2, $3."""
    numbers = re.findall(r"\d+", markers)
    return numbers == [str(number) for number in range(1, len(numbers) + 1)]
