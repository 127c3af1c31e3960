"""`nod`: which commands there are.

A command's module is imported when the command is called, so that `nod --help` is quick and a
client's install, which lacks the server's packages, still shows every command.
"""

import importlib
import os

import click

from nod.cli.failure import needs_server, translated
from nod.version import __version__

# Name -> where it lives, and what it does.
COMMANDS = {
    "serve": ("nod.cli.serve:serve", "The whole server in one process."),
    "demo": ("nod.cli.demo:demo", "A server with an agent that works, and a page to open."),
    "users": ("nod.cli.admin:users", "Accounts of people."),
    "agents": ("nod.cli.admin:agents", "Agents: add, list, remove, rotate their secrets."),
    "backup": ("nod.cli.backup:backup", "A copy of the database, whole, while it is in use."),
    "restore": ("nod.cli.restore:restore", "A backup in the place of the database."),
    "db": ("nod.cli.db:db", "Moving up from the file to a PostgreSQL server."),
    "doctor": ("nod.cli.doctor:doctor", "Looks at what Nod rests on, and says what to mend."),
    "tasks": ("nod.cli.agent_tasks:tasks", "This agent's tasks: add, list, show, pause, run."),
    "runs": ("nod.cli.agent_runs:runs", "This agent's runs: list, show, complete, output."),
    "usage": ("nod.cli.usage:usage", "What this agent's tasks have used up by day."),
    "context": ("nod.cli.agent_runs:context", "The scratchpad of a run: add, show."),
    "ask": ("nod.cli.agent_chat:ask", "Ask the person for a decision."),
    "message": ("nod.cli.agent_chat:message", "Send the person a message."),
    "work": ("nod.cli.work:work", "Run a command for each task that is due."),
    "hook": ("nod.cli.hook:hook", "Ask the person before a program uses a tool."),
    "mcp": ("nod.cli.mcp:mcp", "Serve an agent that speaks the Model Context Protocol."),
    "cron": ("nod.cli.cron:cron", "What a schedule means, and when it fires."),
}


class Commands(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """All names, without importing anything."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Imports the command. Fails with a hint where the server's packages are missing."""
        return _load(COMMANDS[cmd_name][0]) if cmd_name in COMMANDS else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """The list in `--help`, without importing anything."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> object:
        """Carries out the command; failures become a line on standard error and an exit status."""
        with translated():
            return super().invoke(ctx)


def _load(place: str) -> click.Command:
    module, _, name = place.partition(":")
    try:
        command: click.Command = getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        raise needs_server(error) from error
    return command


@click.group(
    "nod",
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Agents' commands read NOD_API_URL, NOD_AGENT_ID and NOD_SECRET. Exit status: 0 done,"
    " 1 the server said no, 2 usage, 3 could not reach the server.",
)
@click.version_option(__version__, prog_name="nod")
@click.pass_context
def main(ctx: click.Context) -> None:
    """Alarms for AI agents, and a way for them to reach their people."""
    if os.environ.get("NO_COLOR"):  # no-color.org
        ctx.color = False
