"""`nod work`: run a command for each task that is due."""

import asyncio
import logging
import shutil
import signal
import sys
import time

import click

from nod.cli.failure import UNREACHABLE, Misuse


@click.command()
@click.option(
    "--concurrency",
    default=1,
    show_default=True,
    type=click.IntRange(1, 100),
    help="Commands at the same time.",
)
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(0, min_open=True),
    help="End a command after so many seconds.",
)
@click.option(
    "--grace",
    "grace_s",
    default=10.0,
    show_default=True,
    type=click.FloatRange(0),
    help="Seconds for commands when stopped.",
)
@click.option("--once", is_flag=True, help="End when the runs that have come are done.")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_context
def work(
    ctx: click.Context,
    concurrency: int,
    timeout_s: float | None,
    grace_s: float,
    once: bool,
    command: tuple[str, ...],
) -> None:
    """Runs COMMAND for each due task of this agent: nod work -- ./my-agent --flag

    \b
    standard input    the task's prompt
    NOD_RUN_ID, NOD_TASK_ID, NOD_TASK_NAME
    NOD_PAYLOAD_FILE  JSON of the call that started the run, NOD_TRIGGER_FILE its headers
    NOD_CONTEXT_FILE  JSON of the run's scratchpad so far
    standard output   the deliverable, unless COMMAND calls nod-task-output
    exit status       0 is completed, all else failed, with the end of standard error

    COMMAND runs in its own process group, and is ended when the run is cancelled.
    """
    if shutil.which(command[0]) is None:
        raise Misuse(f"there is no command {command[0]!r}")
    _log_to_stderr()
    status = asyncio.run(_work(command, concurrency, timeout_s, grace_s, once))
    ctx.exit(status)


async def _work(
    command: tuple[str, ...],
    concurrency: int,
    timeout_s: float | None,
    grace_s: float,
    once: bool,
) -> int:
    """Works until SIGTERM or SIGINT; a second one stops at once."""
    from nod.client.agent import Agent
    from nod.worker.place import Options
    from nod.worker.worker import Worker

    worker = Worker(Agent(), Options(command, concurrency, timeout_s, grace_s))
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
