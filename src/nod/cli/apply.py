"""`nod tasks apply`: the agent's tasks become what a file beside the project says."""

import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import click

from nod.cli.declared import declared_file, read_declared
from nod.cli.failure import Failure
from nod.cli.output import as_json, harmless, show_json
from nod.cli.task_diff import Change, Kind, changes
from nod.client.client import Client
from nod.client.errors import NodError

_MARKS: dict[Kind, tuple[str, str]] = {
    "add": ("+", "green"),
    "change": ("~", "yellow"),
    "remove": ("-", "red"),
}


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--dry-run", is_flag=True, help="Only show what would change.")
@click.option("--prune", is_flag=True, help="Remove the agent's tasks that the file does not have.")
@click.option("--yes", is_flag=True, help="Do not ask, also in a terminal.")
@as_json
def apply(file: Path | None, dry_run: bool, prune: bool, yes: bool, json_: bool) -> None:
    """Makes this agent's tasks what FILE says: nod.toml or nod.yaml, if none is named.

    Shows in words what changes first. Tasks are told apart by their names; what the file does not
    say of a task stays as it is.
    """
    declared = read_declared(declared_file(file))
    with Client() as client:
        found = _planned(client, declared, prune=prune)
        todo = [change for change in found if change.kind != "same"]
        if not json_:
            _show(found, todo)
        if todo and not dry_run:
            _ask(len(todo), yes or json_)
            _carry_out(client, todo)
    if json_:
        show_json([_json(change) for change in found])
    elif todo:
        click.echo("Nothing was changed." if dry_run else "Done.")


def _planned(client: Client, declared: list[dict[str, Any]], *, prune: bool) -> list[Change]:
    for task in declared:
        _read_when(client, task)
    there = client.tasks()
    names = [task["name"] for task in there]
    for task in declared:
        if names.count(task["name"]) > 1:
            raise Failure(
                f"this agent has several tasks named {task['name']!r}; rename or remove all but one"
            )

    for task in declared:
        missing = [field for field in ("schedule", "prompt") if field not in task]
        if missing and task["name"] not in names:
            raise Failure(f"{task['name']}: a new task needs a {' and a '.join(missing)}")
    return changes(declared, there, partial(_when, client), prune=prune)


def _read_when(client: Client, task: dict[str, Any]) -> None:
    """Puts a schedule in the place of words for one."""
    if "when" not in task:
        return
    if "schedule" in task:
        raise Failure(f"{task['name']}: give `schedule` or `when`, not both")
    words = task.pop("when")
    task["schedule"] = _preview(client, {**task, "schedule": words})["schedule"]
    if task["schedule"] == "once":
        raise Failure(
            f"{task['name']}: {words!r} means another moment each time the file is applied;"
            ' write schedule = "once" and run_at = a date and time'
        )


def _when(client: Client, task: Mapping[str, Any]) -> str:
    if task.get("schedule") == "event":
        return "when it is called"
    found = _preview(client, task)
    return f"{found['description']}, {found['timezone']}"


def _preview(client: Client, task: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        return client.preview_schedule(
            str(task.get("schedule", "")),
            timezone=task.get("timezone"),
            run_at=task.get("run_at"),
            count=1,
        )
    except NodError as error:
        raise Failure(f"{task['name']}: {error.detail}") from error


def _show(found: list[Change], todo: list[Change]) -> None:
    for change in todo:
        mark, colour = _MARKS[change.kind]
        click.echo(click.style(f"{mark} {harmless(change.name)}", fg=colour))
        for line in change.words:
            click.echo(f"    {harmless(line)}")
    unchanged = len(found) - len(todo)
    if unchanged or not todo:
        click.echo(f"= {unchanged} unchanged" if found else "The file has no tasks.")


def _ask(number: int, yes: bool) -> None:
    if not yes and sys.stdin.isatty():
        click.confirm(
            f"Make {'this change' if number == 1 else f'these {number} changes'}?", abort=True
        )


def _carry_out(client: Client, todo: list[Change]) -> None:
    for done, change in enumerate(todo):
        try:
            _one(client, change)
        except NodError as error:
            raise Failure(
                f"{change.name}: {error.detail}. {done} of {len(todo)} changes were made;"
                " mend the file and apply it again"
            ) from error


def _one(client: Client, change: Change) -> None:
    if change.kind == "add":
        client.create_task(**change.fields)
    elif change.kind == "change":
        client.update_task(change.task_id or "", **change.fields)
    else:
        client.delete_task(change.task_id or "")


def _json(change: Change) -> dict[str, Any]:
    return {"change": change.kind, "name": change.name, "words": list(change.words)}
