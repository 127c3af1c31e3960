"""What commands take from elsewhere: standard input, files, the run they belong to."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from nod.cli.failure import Failure, Misuse
from nod.client.client import Client
from nod.client.types import Task

in_run: Callable[..., Any] = click.option(
    "--run",
    "run_id",
    envvar="NOD_RUN_ID",
    metavar="RUN",
    help="The run this belongs to; NOD_RUN_ID if not given.",
)


def needed_run(run_id: str | None) -> str:
    """The run's id. Fails if neither `--run` nor NOD_RUN_ID gave one."""
    if not run_id:
        raise Misuse("which run? Give its id, or set NOD_RUN_ID")
    return run_id


def text_or_stdin(text: str) -> str:
    """The argument, or all of standard input if it is `-`."""
    return stdin_or_file("-") if text == "-" else text


def stdin_or_file(name: str) -> str:
    """The text of a file, or of standard input for `-`; what is not UTF-8 becomes U+FFFD."""
    try:
        with click.open_file(name, "rb") as file:
            return bytes(file.read()).decode(errors="replace")
    except OSError as error:
        raise Misuse(f"cannot read {name}: {error.strerror}") from error


def task_named(client: Client, name: str) -> str:
    """The id of a task given by id or by name. Fails if the name is no task's or several tasks'."""
    if name.startswith("tsk_"):
        return name
    found = [task for task in client.tasks() if task["name"] == name]
    if len(found) == 1:
        return found[0]["id"]
    raise Failure(_which(name, found))


def _which(name: str, found: list[Task]) -> str:
    if not found:
        return f"there is no task named {name!r}; `nod tasks list` shows them"
    return f"several tasks are named {name!r}; give an id: {', '.join(t['id'] for t in found)}"


def mark_output_set(run_id: str) -> None:
    """Tells `nod work` that the command has set the output of its own run."""
    marker = os.environ.get("NOD_OUTPUT_MARKER")
    if marker and run_id == os.environ.get("NOD_RUN_ID"):
        Path(marker).touch()
