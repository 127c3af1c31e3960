"""Named SQL statements, read from files once.

    -- name: due_tasks
    -- Tasks whose next fire has come, the oldest first.
    SELECT {t.tasks} FROM tasks t WHERE t.next_run_at <= :now ORDER BY t.next_run_at LIMIT :most;

A name stands for one statement. The files named after a dialect (`sqlite.sql`, `postgres.sql`)
belong to that database alone, and their statements go before the portable ones of the same name.
`{tasks}` is replaced by a column list that the caller gives, `{t.tasks}` by the same list with the
alias before each column. `:name` stands for a value. Where a name with an exclamation mark stands
beside the plain one (`run!`), it is what a unit that writes runs: see `postgres.sql`.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from typing import Any, Literal, TypeAlias

Dialect: TypeAlias = Literal["sqlite", "postgres"]

# How each database writes a value: the next one, or the one with its number.
_MARKERS: dict[str, str] = {"sqlite": "?", "postgres": "${}"}
_HEADER = re.compile(r"^--[ \t]*name:[ \t]*(\S+)[ \t]*$", re.MULTILINE)
_COMMENT_LINE = re.compile(r"^[ \t]*--.*$", re.MULTILINE)
_FRAGMENT = re.compile(r"\{(?:(\w+)\.)?(\w+)\}")
# Texts, quoted names, comments and casts are passed over; only what is left can be a value.
_VALUE = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"|--.*|/\*[\s\S]*?\*/|::|:([A-Za-z_]\w*)")


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement as its database takes it.

    `parameters` are the names of its values, each once, in the order in which they first stand in
    the SQL. `places` says which of them each marker of the text takes, where it takes the next.
    """

    name: str
    text: str
    parameters: tuple[str, ...]
    places: tuple[int, ...]

    def values(self, params: Mapping[str, Any]) -> list[Any]:
        """The values in the order of `parameters`. Raises TypeError for others than these."""
        if len(params) == len(self.parameters):
            try:
                return [params[name] for name in self.parameters]
            except KeyError:
                pass  # said below
        raise TypeError(f"{self.name} takes {self.parameters}, got {tuple(params)}")


Statements: TypeAlias = Mapping[str, Statement]


def load_statements(
    directory: Traversable, dialect: Dialect, fragments: Mapping[str, str]
) -> Statements:
    """Read all `.sql` files of `directory`, without the other dialects' files.

    `fragments` maps a name to a list of columns such as "id, name". Raises ValueError, naming the
    file, for a name that stands twice, a statement without SQL, SQL without a name, or an unknown
    fragment.
    """
    portable: dict[str, Statement] = {}
    special: dict[str, Statement] = {}
    for file in sorted(directory.iterdir(), key=lambda entry: entry.name):
        stem, _, suffix = file.name.rpartition(".")
        if suffix != "sql" or (stem in _MARKERS and stem != dialect):
            continue
        found = special if stem == dialect else portable
        for name, sql in _split(file.read_text(encoding="utf-8"), file.name):
            if name in found:
                raise ValueError(f"{file.name}: the name {name} is already taken")
            found[name] = _statement(name, _expand(sql, fragments, file.name), dialect)
    return portable | special


def _split(text: str, file: str) -> Iterator[tuple[str, str]]:
    head, *parts = _HEADER.split(text)
    if _bare(head):
        raise ValueError(f"{file}: SQL before the first `-- name:` line")
    for name, sql in zip(parts[::2], parts[1::2], strict=True):
        if not _bare(sql):
            raise ValueError(f"{file}: {name} has no SQL")
        yield name, _bare(sql)


def _bare(sql: str) -> str:
    """The SQL without whole-line comments, surrounding space and its final semicolon."""
    lines = _COMMENT_LINE.sub("", sql).splitlines()
    return "\n".join(line for line in lines if line.strip()).strip().removesuffix(";")


def _expand(sql: str, fragments: Mapping[str, str], file: str) -> str:
    def columns(match: re.Match[str]) -> str:
        alias, name = match.groups()
        if name not in fragments:
            raise ValueError(f"{file}: unknown fragment {match.group()}")
        if alias is None:
            return fragments[name]
        return ", ".join(f"{alias}.{column.strip()}" for column in fragments[name].split(","))

    return _FRAGMENT.sub(columns, sql)


def _statement(name: str, sql: str, dialect: Dialect) -> Statement:
    numbers: dict[str, int] = {}
    places: list[int] = []

    def marked(match: re.Match[str]) -> str:
        value = match.group(1)
        if value is None:
            return match.group()
        places.append(numbers.setdefault(value, len(numbers)))
        return _MARKERS[dialect].format(places[-1] + 1)

    text = _VALUE.sub(marked, sql)
    return Statement(name, text, tuple(numbers), tuple(places))
