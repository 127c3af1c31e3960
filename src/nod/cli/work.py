"""`nod work`: run a command for each task that is due."""

import asyncio
import importlib
import logging
import os
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nod.cli.failure import UNREACHABLE
from nod.cli.work_options import options_of, work_options

if TYPE_CHECKING:
    from nod.worker.options import Options


_logger = logging.getLogger("nod.work")
_SERVICE = ("install", "status", "logs", "uninstall")


class _Service(click.Group):
    """`nod work install` and so on, imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """All names."""
        return list(_SERVICE)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Imports the command."""
        if cmd_name not in _SERVICE:
            return None
        command: click.Command = getattr(importlib.import_module("nod.cli.work_service"), cmd_name)
        return command


class _Work(_Service):
    """The worker, or by its first word the service. `nod work -- status` runs status."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """The context of the one or of the other."""
        of_service = args[:1] and args[0] in _SERVICE
        command = _Service("work") if of_service else _run
        return command.make_context(info_name, args, parent, **extra)

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Those of the worker."""
        return click.Command.collect_usage_pieces(self, ctx)


@click.command("work", epilog="As a service: nod work install, status, logs, uninstall.")
@work_options
@click.option("--once", is_flag=True, help="End when the runs that have come are done.")
@click.pass_context
def _run(ctx: click.Context, /, once: bool, **given: Any) -> None:
    """Runs COMMAND for each due task of this agent: nod work -- ./my-agent --flag

    \b
    standard input    the task's prompt
    NOD_RUN_ID, NOD_TASK_ID, NOD_TASK_NAME
    NOD_PAYLOAD_FILE  JSON of the call that started the run, NOD_TRIGGER_FILE its headers
    NOD_CONTEXT_FILE  JSON of the run's scratchpad so far
    standard output   the deliverable, unless COMMAND calls nod-task-output
    exit status       0 is completed, all else failed, with the end of standard error

    COMMAND runs in its own process group, and is ended when the run is cancelled.

    With --recipe a program that is known is run instead, and answers your messages as well.
    """
    options = options_of(given)
    _log_to_stderr()
    ctx.exit(asyncio.run(_work(options, once)))


work = _Work("work", help=_run.help, params=_run.params)


async def _work(options: "Options", once: bool) -> int:
    """Works until SIGTERM or SIGINT; a second one stops at once."""
    from nod.client.agent import Agent
    from nod.worker.worker import Worker

    agent = Agent()
    home = state_folder(agent.client.settings.agent_id)
    try:
        worker = Worker(agent, options, home)
    except OSError as error:
        # As in a container whose files cannot be changed.
        _logger.warning("what is in hand will be lost if this worker is killed: %s", error)
        worker = Worker(agent, options, Path(tempfile.mkdtemp(prefix="nod-work-")))
    running = asyncio.create_task(worker.run(once=once))
    stops = iter([worker.stop])

    def stop() -> None:
        next(stops, running.cancel)()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    try:
        await running
    except asyncio.CancelledError:
        return 1
    if worker.unreported:
        return UNREACHABLE
    return 1 if once and worker.failed else 0


def state_folder(agent_id: str) -> Path:
    """Where a worker keeps what it has in hand (XDG Base Directory, `$XDG_STATE_HOME`)."""
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    name = "".join(c for c in agent_id if c.isalnum() or c in "_-")
    return Path(base) / "nod" / "work" / name


def _log_to_stderr() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Utc("%(asctime)s %(message)s", "%Y-%m-%dT%H:%M:%SZ"))
    logger = logging.getLogger("nod")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)


class _Utc(logging.Formatter):
    @staticmethod
    def converter(seconds: float | None) -> time.struct_time:
        return time.gmtime(seconds)
