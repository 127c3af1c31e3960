"""What commands print: plain aligned columns for people, JSON for programs."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import click

# What a terminal would act on: C0 and C1 control characters, less tab and line feed.
_CONTROLS = {code: "\ufffd" for code in (*range(32), *range(127, 160)) if code not in (9, 10)}
_COLOURS = {
    "completed": "green",
    "approved": "green",
    "running": "cyan",
    "waiting": "yellow",
    "pending": "yellow",
    "failed": "red",
    "rejected": "red",
}
_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))

as_json = click.option("--json", "json_", is_flag=True, help="Print machine-readable output.")


def show_json(value: Any) -> None:
    """Prints a value as indented JSON."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))


def show_text(text: str) -> None:
    """Prints text from elsewhere."""
    click.echo(harmless(text))


def harmless(text: str) -> str:
    """Text from elsewhere with U+FFFD for each control character that a terminal would obey."""
    return text.translate(_CONTROLS)


def show_table(headings: Sequence[str], rows: Sequence[Sequence[str]], empty: str) -> None:
    """Prints rows under headings, in columns as wide as they need; `empty` if there are none."""
    if not rows:
        click.echo(empty, err=True)
        return
    lines = [[_line(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(headings, *lines, strict=True)]
    click.echo(_columns(list(headings), widths))
    for line in lines:
        click.echo(_columns(line, widths))


def show_fields(fields: Sequence[tuple[str, str]]) -> None:
    """Prints names and values, one a line; text of several lines stands below its name."""
    width = max(len(name) for name, _ in fields)
    for name, value in fields:
        clean = harmless(value)
        if "\n" in clean:
            click.echo(f"{name}:\n\n{clean}\n")
        else:
            click.echo(f"{name + ':':<{width + 1}}  {_coloured(clean, clean)}")


def words(status: str | None) -> str:
    """A status or any other optional text for a column."""
    return status or "-"


def moment(time: str | None, now: datetime | None = None) -> str:
    """An RFC 3339 time as `in 2 h 51 min (2025-09-01 09:00 UTC)`; `-` for none."""
    if not time:
        return "-"
    at = datetime.fromisoformat(time).astimezone(UTC)
    seconds = round((at - (now or datetime.now(UTC))).total_seconds())
    return f"{distance(seconds)} ({at:%Y-%m-%d %H:%M} UTC)"


def distance(seconds: int) -> str:
    """Seconds from now in words, in the two largest units."""
    left = abs(seconds)
    parts: list[str] = []
    for unit, length in _UNITS:
        if left >= length and len(parts) < 2:
            parts.append(f"{left // length} {unit}")
        elif parts:
            break
        left %= length
    if not parts:
        return "now"
    return f"in {' '.join(parts)}" if seconds > 0 else f"{' '.join(parts)} ago"


def _columns(cells: list[str], widths: list[int]) -> str:
    padded = [cell.ljust(width) for cell, width in zip(cells[:-1], widths, strict=False)]
    shown = [_coloured(text, cell) for text, cell in zip(padded, cells, strict=False)]
    return "  ".join([*shown, cells[-1]])


def _coloured(text: str, status: str) -> str:
    return click.style(text, fg=_COLOURS[status]) if status in _COLOURS else text


def _line(cell: str) -> str:
    return " ".join(harmless(cell).split()) or "-"
