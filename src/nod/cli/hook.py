"""`nod hook`: what programs call to ask the person before they do something.

Claude Code's PreToolUse hook is described in https://code.claude.com/docs/en/hooks#pretooluse: JSON
about the tool on standard input, JSON with the decision on standard output.
"""

import json
from typing import Any, Literal

import click

from nod.cli.failure import Misuse
from nod.cli.permissions import EDITS, patterns_of, title_of
from nod.cli.reading import in_run, stdin_or_file
from nod.client.asking import ask_and_wait
from nod.client.client import Client
from nod.client.errors import NodError
from nod.client.types import Decision

Verdict = Literal["allow", "deny", "ask"]

_DESCRIPTION_CHARS = 9_000


@click.group()
def hook() -> None:
    """What programs call to ask their person. Each reads the program's JSON on standard input."""


@hook.command()
@click.option(
    "--expires",
    "expires_in_s",
    type=click.IntRange(60),
    help="Seconds until the request expires.  [default: the server's, three days]",
)
@in_run
def pretooluse(expires_in_s: int | None, run_id: str | None) -> None:
    """Claude Code's PreToolUse hook: puts a permission before the person and waits.

    Approved is "allow"; rejected, dismissed or expired is "deny" with the reason. If Nod cannot be
    asked it is "ask": Claude Code asks in its terminal, or refuses where it has none.
    """
    asked = _input()
    if _is_allowed_by_mode(asked):
        return  # no decision: the program goes by its own rules
    try:
        verdict, reason = _answered(asked, expires_in_s, run_id)
    except NodError as error:
        verdict, reason = "ask", f"Nod could not be asked: {error}"
    click.echo(json.dumps(_output(verdict, reason)))


def _input() -> dict[str, Any]:
    try:
        asked = json.loads(stdin_or_file("-"))
    except ValueError as error:
        raise Misuse(f"standard input is no JSON: {error}") from error
    if not isinstance(asked, dict) or not isinstance(asked.get("tool_name"), str):
        raise Misuse("standard input names no tool; this is for a PreToolUse hook")
    return asked


def _is_allowed_by_mode(asked: dict[str, Any]) -> bool:
    """Whether whoever started the program has allowed this already."""
    mode = asked.get("permission_mode")
    edits = asked["tool_name"] in EDITS
    return mode == "bypassPermissions" or (mode == "acceptEdits" and edits)


def _answered(
    asked: dict[str, Any], expires_in_s: int | None, run_id: str | None
) -> tuple[Verdict, str]:
    fields: dict[str, Any] = {
        "kind": "permission",
        "description": _description(asked),
        "allows_always": True,
        "always_allow_label": "Always",
        "always_allow_options": patterns_of(asked),
        "task_run_id": run_id,
        "expires_in_s": expires_in_s,
    }
    given = {name: value for name, value in fields.items() if value is not None}
    with Client() as client:
        return verdict_of(ask_and_wait(client, title_of(asked), given))


def verdict_of(decision: Decision) -> tuple[Verdict, str]:
    """What Claude Code is told, and why."""
    note = f": {decision['note']}" if decision.get("note") else ""
    match decision["status"]:
        case "approved":
            always = " always" if decision.get("always_allow") else ""
            return "allow", f"Your person allows this{always}{note}"
        case "expired":
            return "deny", "Nobody answered in time. That is no refusal; go on without it"
        case "dismissed":
            return "deny", f"The request has lost its object{note}"
        case _:
            return "deny", f"Your person does not allow this{note}"


def _description(asked: dict[str, Any]) -> str:
    """The tool's input as it is, in a block that it cannot end."""
    tool_input = asked.get("tool_input")
    command = tool_input.get("command") if isinstance(tool_input, dict) else None
    text = command if isinstance(command, str) else json.dumps(tool_input, indent=2)
    if len(text) > _DESCRIPTION_CHARS:
        left = len(text) - _DESCRIPTION_CHARS
        text = f"{text[:_DESCRIPTION_CHARS]}\n… {left} more characters are not shown"
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}\n{text}\n{fence}\n\nIn `{asked.get('cwd') or '?'}`"


def _output(verdict: Verdict, reason: str) -> dict[str, Any]:
    return {
        "hookSpecificOutput": {
            "hookEventName": "PreToolUse",
            "permissionDecision": verdict,
            "permissionDecisionReason": reason,
        }
    }
