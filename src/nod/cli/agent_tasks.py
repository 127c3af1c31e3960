"""`nod tasks`: the agent's own tasks."""

from typing import Any

import click

from nod.cli.apply import apply
from nod.cli.budget_words import budget_words
from nod.cli.output import as_json, moment, show_fields, show_json, show_table, words
from nod.cli.reading import task_named, text_or_stdin
from nod.client.client import Client
from nod.client.types import Task

# Options of `add` that are fields of a task, and what each means.
_FIELDS = {
    "timezone": "IANA name, such as Europe/Berlin. Default: the agent's, else its owner's, or UTC.",
    "overlap": "While a run is going on: skip, queue, allow or cancel_previous.",
    "catch_up": "After downtime: latest, all or skip.",
    "useful_until": "When a run is no longer wanted: a duration or a time of day.",
    "starts_at": "No fire before this time.",
    "ends_at": "No fire after this time.",
    "description": "What the task is for.",
    "verify": "How callers of an event task prove themselves, such as github or hmac-sha256.",
    "verify_secret": "The secret for --verify.",
}
_NUMBERS = {
    "catch_up_window_s": "How old a missed fire may be, in seconds.",
    "timeout_s": "Without a sign of life for so many seconds a run has failed.",
    "max_attempts": "How often a run is tried.",
    "pause_after_failures": "Consecutive failures after which the task pauses itself.",
    "spread_s": "Fixed offset of up to so many seconds, for fleets.",
}


@click.group()
def tasks() -> None:
    """This agent's tasks."""


tasks.add_command(apply)


def _fields(command: Any) -> Any:
    for name, meaning in reversed(_FIELDS.items()):
        command = click.option(_flag(name), name, help=meaning)(command)
    for name, meaning in reversed(_NUMBERS.items()):
        command = click.option(_flag(name), name, type=int, help=meaning)(command)
    return command


def _flag(name: str) -> str:
    return "--" + name.removesuffix("_s").replace("_", "-")


def _budget(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> Any:
    """`runs=20`, `cost_usd=2.5` as the server takes them; None for none."""
    budget: dict[str, float] = {}
    for text in given:
        measure, _equals, number = text.partition("=")
        try:
            value = float(number)
        except ValueError:
            raise click.BadParameter(f"{text!r} is not like runs=20") from None
        budget[measure] = int(value) if value.is_integer() else value
    return budget or None


@tasks.command()
@click.argument("name")
@click.option("--prompt", required=True, help="What the agent is to do; `-` reads standard input.")
@click.option("--schedule", required=True, help='Cron ("0 9 * * 1-5"), "once" or "event".')
@click.option("--at", "run_at", help='When, for "once": 2025-09-01T09:00:00Z.')
@click.option(
    "--budget",
    multiple=True,
    callback=_budget,
    metavar="MEASURE=NUMBER",
    help="What a day may use up: runs, tokens, cost_usd or minutes. More than once: each of them.",
)
@click.option("--idempotent", is_flag=True, default=None, help="Running it twice does no harm.")
@click.option(
    "--quarantine",
    is_flag=True,
    default=None,
    help="Calls of an event task that are new wait until the person has looked at them.",
)
@click.option("--disabled", "enabled", flag_value=False, default=None, help="Add it paused.")
@_fields
@as_json
def add(name: str, prompt: str, schedule: str, json_: bool, **fields: Any) -> None:
    """Adds a task."""
    given = {field: value for field, value in fields.items() if value is not None}
    with Client() as client:
        task = client.create_task(name, text_or_stdin(prompt), schedule, **given)
    if json_:
        show_json(task)
        return
    show_fields(_about(task))


@tasks.command("list")
@as_json
def list_(json_: bool) -> None:
    """Lists all tasks."""
    with Client() as client:
        found = client.tasks()
    if json_:
        show_json(found)
        return
    rows = [
        [
            task["id"],
            task["name"],
            task["schedule"],
            moment(task.get("next_run_at")) if task["enabled"] else "paused",
            words(task.get("last_run_status")),
        ]
        for task in found
    ]
    show_table(("ID", "NAME", "SCHEDULE", "NEXT", "LAST"), rows, "no tasks yet: nod tasks add")


@tasks.command()
@click.argument("task")
@as_json
def show(task: str, json_: bool) -> None:
    """Shows one task. TASK is an id or a name."""
    with Client() as client:
        found = client.task(task_named(client, task))
    if json_:
        show_json(found)
        return
    show_fields([*_about(found), ("prompt", found.get("prompt", ""))])


@tasks.command()
@click.argument("task")
@click.option("--reason", help="Why; the person sees it.")
@as_json
def pause(task: str, reason: str | None, json_: bool) -> None:
    """Pauses a task."""
    with Client() as client:
        found = client.pause_task(task_named(client, task), reason)
    _say(found, json_, "is paused")


@tasks.command()
@click.argument("task")
@as_json
def resume(task: str, json_: bool) -> None:
    """Lets a paused task fire again."""
    with Client() as client:
        found = client.resume_task(task_named(client, task))
    _say(found, json_, f"fires again {moment(found.get('next_run_at'))}")


@tasks.command()
@click.argument("task")
@as_json
def remove(task: str, json_: bool) -> None:
    """Removes a task."""
    with Client() as client:
        task_id = task_named(client, task)
        client.delete_task(task_id)
    if json_:
        show_json({"id": task_id, "removed": True})
    else:
        click.echo(f"{task_id} is removed")


@tasks.command()
@click.argument("task")
@as_json
def run(task: str, json_: bool) -> None:
    """Takes up the run that waits on a task, or starts one; prints the run's id."""
    with Client() as client:
        started = client.start_run(task_named(client, task))
    if json_:
        show_json(started)
    else:
        click.echo(started["run_id"])


def _say(task: Task, json_: bool, what: str) -> None:
    if json_:
        show_json(task)
    else:
        click.echo(f"{task['name']} {what}")


def _about(task: Task) -> list[tuple[str, str]]:
    fields = [
        ("id", task["id"]),
        ("name", task["name"]),
        ("schedule", task["schedule"]),
        ("timezone", task.get("timezone")),
        ("next run", moment(task["next_run_at"]) if task.get("next_run_at") else None),
        ("last run", task.get("last_run_status")),
        ("trigger id", task.get("trigger_id")),
        ("budget", budget_words(task.get("budget"))),
        ("paused", None if task["enabled"] else task.get("pause_reason") or "yes"),
    ]
    return [(name, str(value)) for name, value in fields if value]
