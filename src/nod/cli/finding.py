"""What `nod doctor` finds: one line each, with a sign and a word for how it is."""

from dataclasses import dataclass
from typing import Literal

import click

from nod.cli.output import harmless

State = Literal["ok", "warning", "failed"]

_SIGNS: dict[State, str] = {"ok": "✓", "warning": "▲", "failed": "✗"}
_COLOURS: dict[State, str] = {"ok": "green", "warning": "yellow", "failed": "red"}
_NAME_WIDTH = 14


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: what was seen, and what to do about it."""

    check: str
    state: State
    seen: str
    do: str = ""


def show(finding: Finding) -> None:
    """Prints a finding, with what to do on a line of its own."""
    word = click.style(f"{_SIGNS[finding.state]} {finding.state:<7}", fg=_COLOURS[finding.state])
    click.echo(f"{word}  {finding.check:<{_NAME_WIDTH}}  {_line(finding.seen)}")
    if finding.do:
        click.echo(f"{'':{9 + 2 + _NAME_WIDTH}}  {_line(finding.do)}")


def _line(text: str) -> str:
    return " ".join(harmless(text).split())
