"""`nod runs` and `nod context`: the runs of the agent's tasks, and their scratchpads."""

from itertools import islice

import click

from nod.cli.output import as_json, moment, show_fields, show_json, show_table, show_text
from nod.cli.reading import (
    in_run,
    needed_run,
    task_named,
    text_or_stdin,
)
from nod.cli.task_output import put_output
from nod.client.client import Client
from nod.client.types import Run, RunResult

# How much of a result the list shows; `nod runs show` has all of it.
_RESULT_CHARS = 80


@click.group()
def runs() -> None:
    """Runs of this agent's tasks."""


@runs.command("list")
@click.argument("task", required=False)
@click.option(
    "--limit",
    default=20,
    show_default=True,
    type=click.IntRange(1),
    help="How many, newest first.",
)
@as_json
def list_(task: str | None, limit: int, json_: bool) -> None:
    """Lists the newest runs: of TASK (an id or a name), or of all tasks."""
    with Client() as client:
        names = {each["id"]: each["name"] for each in client.tasks()}
        chosen = list(names) if task is None else [task_named(client, task)]
        found = _newest(client, chosen, limit)
    if json_:
        show_json(found)
        return
    rows = [
        [
            run["id"],
            names.get(run["task_id"], run["task_id"]),
            run["status"],
            moment(run.get("scheduled_for")),
            _beginning(run.get("error") or run.get("reason") or run["summary"] or "-"),
        ]
        for run in found
    ]
    show_table(("ID", "TASK", "STATUS", "DUE", "RESULT"), rows, "no runs yet")


def _newest(client: Client, task_ids: list[str], limit: int) -> list[Run]:
    """The newest runs of several tasks; the wire has a list for each."""
    each = (islice(client.runs(task_id), limit) for task_id in task_ids)
    found = [run for runs_of_one in each for run in runs_of_one]
    return sorted(found, key=lambda run: run.get("scheduled_for", ""), reverse=True)[:limit]


def _beginning(text: str) -> str:
    return text if len(text) <= _RESULT_CHARS else text[: _RESULT_CHARS - 1] + "…"


@runs.command()
@click.argument("run_id", metavar="RUN", envvar="NOD_RUN_ID")
@as_json
def show(run_id: str, json_: bool) -> None:
    """Shows one run with its full deliverable. RUN defaults to NOD_RUN_ID."""
    with Client() as client:
        run = client.run(run_id)
    if json_:
        show_json(run)
        return
    show_fields(_about(run))
    if run["summary"]:
        click.echo()
        show_text(run["summary"])


@runs.command()
@click.argument("run_id", metavar="RUN", envvar="NOD_RUN_ID")
@click.option("--failed", is_flag=True, help="The run has failed.")
@click.option("--summary", help="The result in at most 1,000 characters; `-` reads standard input.")
@as_json
def complete(run_id: str, failed: bool, summary: str | None, json_: bool) -> None:
    """Reports a run as completed, or as failed. RUN defaults to NOD_RUN_ID."""
    result: RunResult = "failed" if failed else "completed"
    text = None if summary is None else text_or_stdin(summary)
    with Client() as client:
        done = client.complete_run(run_id, result, text)
    if json_:
        show_json(done)
    else:
        click.echo(f"{done['run_id']} {done['status']}")


@runs.command()
@click.argument("run_id", metavar="RUN")
@click.argument("file", default="-")
@as_json
def output(run_id: str, file: str, json_: bool) -> None:
    """Makes FILE, or standard input, the full deliverable of RUN."""
    put_output(run_id, file, json_=json_)


@click.group()
def context() -> None:
    """The scratchpad of a run, which lasts until the run ends."""


@context.command("add")
@in_run
@click.argument("text")
@as_json
def add_block(run_id: str | None, text: str, json_: bool) -> None:
    """Adds TEXT to the scratchpad; `-` reads standard input."""
    with Client() as client:
        added = client.add_context(needed_run(run_id), text_or_stdin(text))
    if json_:
        show_json(added)


@context.command("show")
@in_run
@as_json
def show_blocks(run_id: str | None, json_: bool) -> None:
    """Prints the scratchpad, oldest block first."""
    with Client() as client:
        found = client.context(needed_run(run_id))
    if json_:
        show_json(found)
        return
    for block in found["blocks"]:
        show_text(block["text"])


def _about(run: Run) -> list[tuple[str, str]]:
    times = {
        "due": run.get("scheduled_for"),
        "started": run["started_at"],
        "finished": run["finished_at"],
    }
    fields = [
        ("id", run["id"]),
        ("task", run["task_id"]),
        ("status", run["status"]),
        ("delivery", run.get("delivery")),
        ("error", run.get("error")),
        ("reason", run.get("reason")),
        *((name, moment(time)) for name, time in times.items() if time),
    ]
    return [(name, str(value)) for name, value in fields if value]
