"""`nod ask` and `nod message`: from an agent's script to its person."""

from typing import Any

import click

from nod.cli.failure import REFUSED
from nod.cli.output import as_json, show_json, show_text
from nod.cli.reading import in_run, text_or_stdin
from nod.client.asking import ask_and_wait
from nod.client.client import Client
from nod.client.types import Decision

_KINDS = click.Choice(["approval", "choice", "question", "permission"])
_NO = {
    "rejected": "rejected",
    "dismissed": "dismissed: the question has lost its object",
    "expired": "expired: nobody answered in time, which is no denial",
    "pending": "no answer yet; the question stays open",
}


@click.command()
@click.argument("title")
@click.option("--kind", type=_KINDS, help="Default: approval; with --option, choice.")
@click.option("--option", "options", multiple=True, help="One answer to choose; give several.")
@click.option(
    "--description", default="", help="More about it, in Markdown; `-` reads standard input."
)
@click.option("--wait", is_flag=True, help="Wait for the answer.")
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(0),
    help="With --wait: at most so many seconds.",
)
@in_run
@as_json
@click.pass_context
def ask(
    ctx: click.Context,
    title: str,
    kind: str | None,
    options: tuple[str, ...],
    description: str,
    wait: bool,
    timeout_s: float | None,
    run_id: str | None,
    json_: bool,
) -> None:
    """Puts a decision before the person.

    With --wait prints the answer and exits with 0 if it was approved or answered, with 1 if it was
    rejected, dismissed, expired or not answered in time. Without, prints the decision's id.
    """
    fields: dict[str, Any] = {
        "kind": kind or ("choice" if options else "approval"),
        "description": text_or_stdin(description),
        "options": list(options) or None,
        "task_run_id": run_id,
    }
    given = {name: value for name, value in fields.items() if value is not None}
    with Client() as client:
        if not wait:
            asked = client.ask(title, **given)
            show_json(asked) if json_ else click.echo(asked["decision_id"])
            return
        decision = ask_and_wait(client, title, given, timeout_s)
    show_json(decision) if json_ else _show(decision)
    ctx.exit(REFUSED if decision["status"] in _NO else 0)


def _show(decision: Decision) -> None:
    """The answer on standard output; a no with its reason on standard error."""
    status, note = decision["status"], decision.get("note") or ""
    if status in _NO:
        click.echo(": ".join(filter(None, [_NO[status], note])), err=True)
    else:
        show_text(note or status)


@click.command()
@click.argument("text")
@in_run
@click.option("--report-title", help="Send it as a report card with this title.")
@click.option("--report-description", help="The line below the report's title.")
@as_json
def message(
    text: str,
    run_id: str | None,
    report_title: str | None,
    report_description: str | None,
    json_: bool,
) -> None:
    """Sends the person a message in Markdown; `-` reads standard input."""
    fields: dict[str, Any] = {
        "task_run_id": run_id,
        "report_title": report_title,
        "report_description": report_description,
    }
    given = {name: value for name, value in fields.items() if value is not None}
    with Client() as client:
        sent = client.message(text_or_stdin(text), **given)
    if json_:
        show_json(sent)
