"""The options of `nod work`, which `nod work install` takes as well."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nod.cli.failure import Misuse

if TYPE_CHECKING:
    from nod.worker.options import Options

# Named here and not read from the recipes, so that `nod work --help` is quick.
RECIPES = ("claude-code", "codex", "gemini-cli", "opencode", "goose", "shell")
_ASKING = ("claude-code",)
_SMALLEST_OUTPUT_BYTES = 4 * 1024
_LARGEST_OUTPUT_BYTES = 1024 * 1024

_OPTIONS = (
    click.option(
        "--recipe",
        type=click.Choice(RECIPES),
        help="Work with this program; COMMAND is added to its command line.",
    ),
    click.option(
        "--permissions",
        type=click.Choice(["ask", "program"]),
        help="Who permits what claude-code does: you, by cards (the default), or its settings.",
    ),
    click.option(
        "--workspace",
        type=click.Choice(["shared", "per-task"]),
        default="shared",
        show_default=True,
        help="Run in one folder, or in one of its own for each task.",
    ),
    click.option(
        "--dir",
        "folder",
        type=click.Path(file_okay=False),
        default=".",
        help="That folder, or where those are.  [default: the current one]",
    ),
    click.option(
        "--env",
        "environment",
        multiple=True,
        metavar="NAME",
        help="Pass this variable on; with a recipe no others but PATH, HOME and the like are.",
    ),
    click.option(
        "--max-output",
        "output_bytes",
        type=click.IntRange(_SMALLEST_OUTPUT_BYTES, _LARGEST_OUTPUT_BYTES),
        default=_LARGEST_OUTPUT_BYTES,
        show_default=True,
        metavar="BYTES",
        help="Keep so much of what is printed.",
    ),
    click.option(
        "--concurrency",
        default=1,
        show_default=True,
        type=click.IntRange(1, 100),
        help="Commands at the same time.",
    ),
    click.option(
        "--timeout",
        "timeout_s",
        type=click.FloatRange(0, min_open=True),
        help="End a command after so many seconds.",
    ),
    click.option(
        "--grace",
        "grace_s",
        default=10.0,
        show_default=True,
        type=click.FloatRange(0),
        help="Seconds for commands when stopped.",
    ),
)


def work_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a command the options, and COMMAND as its arguments."""
    function = click.argument("command", nargs=-1, type=click.UNPROCESSED)(function)
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def options_of(given: dict[str, Any]) -> "Options":
    """What the options say. Fails if there is nothing to run, or if it is not there."""
    from nod.worker.options import Options
    from nod.worker.recipes import RECIPES as KNOWN
    from nod.worker.recipes.shell import COMMAND, SHELL

    name, command = given["recipe"], tuple(given["command"])
    if name is None and not command:
        raise Misuse("what is to be run? Give --recipe, or a command after --")
    if name == SHELL:
        command = (*COMMAND, *command)
    recipe = KNOWN.get(name)
    _check_program(recipe.program if recipe else command[0])
    folder = Path(given["folder"])
    if not folder.is_dir():
        raise Misuse(f"there is no folder {given['folder']}")
    return Options(
        command,
        recipe,
        script=name == SHELL,
        concurrency=given["concurrency"],
        timeout_s=given["timeout_s"],
        grace_s=given["grace_s"],
        folder=folder,
        per_task=given["workspace"] == "per-task",
        environment=_allowed(given),
        output_bytes=given["output_bytes"],
        ask=_asks(name, given["permissions"]),
    )


def _check_program(program: str) -> None:
    if shutil.which(program) is None:
        raise Misuse(f"there is no command {program!r}")


def _allowed(given: dict[str, Any]) -> tuple[str, ...] | None:
    """A command of one's own gets all variables, as from a shell, unless some are named."""
    names = tuple(given["environment"])
    missing = [name for name in names if name not in os.environ]
    if missing:
        raise Misuse(f"--env {missing[0]}: there is no such variable")
    return names if names or given["recipe"] is not None else None


def _asks(recipe: str | None, permissions: str | None) -> bool:
    if permissions == "ask" and recipe not in _ASKING:
        raise Misuse(f"--permissions ask is for --recipe {' or '.join(_ASKING)}")
    return recipe in _ASKING and permissions != "program"
