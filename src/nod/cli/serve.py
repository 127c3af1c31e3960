"""`nod serve`: the whole server in one process."""

import asyncio
import gc
import os
from pathlib import Path
from typing import Any

import click
import structlog

from nod.actions import setup
from nod.app import Nod
from nod.config import Settings, load, local_url
from nod.server import listen, make_server, port_of
from nod.telemetry import setup_logging

_log = structlog.get_logger("nod")


@click.command()
@click.option("--host", help="Address to listen on.  [default: 127.0.0.1]")
@click.option("--port", type=int, help="Port to listen on.  [default: 8000]")
@click.option(
    "--database-url", help="sqlite:////path/to/nod.db or postgresql://…  [default: a file]"
)
@click.option("--bus-url", help="nats://… between several servers.  [default: PostgreSQL itself]")
@click.option("--role", help="all, api or engine, of several servers.  [default: all]")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Where Nod keeps its files.")
@click.option("--public-url", help="How people and agents reach this server.")
@click.option("--log-json", is_flag=True, default=None, help="Log JSON, a line each.")
def serve(**flags: Any) -> None:
    """Run the server until it is told to stop.

    Each option can also be set in the environment: NOD_HOST, NOD_PORT and so on.
    """
    settings = load(os.environ, flags)
    setup_logging(log_json=settings.log_json)
    run(settings)


def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT. Raises NodError when it cannot start."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    with listen(settings) as listener:
        nod = Nod(settings)
        await nod.start()
        try:
            url = local_url(settings.host, port_of(listener))
            _log.info("listening", url=url, database=settings.database_shown)
            if settings.role != "engine":  # whose pages are served elsewhere
                await _invite_owner(nod, url)
            # What is loaded by now stays: the collector need not walk it over and over while
            # a herd of runs is made.
            gc.collect()
            gc.freeze()
            await make_server(nod).serve(sockets=[listener])
        finally:
            await nod.stop()


async def _invite_owner(nod: Nod, url: str) -> None:
    """Say how the first account is made, as long as there is none."""
    token = await nod.store.write(setup.make_setup_link)
    if token is None:
        return
    settings = nod.settings
    is_given = settings.public_url != local_url(settings.host, settings.port)
    base = settings.public_url if is_given else url
    _log.info(f"Create the owner: {base}{setup.PATH}{token}")


def _loop_factory() -> Any:
    try:
        import uvloop
    except ImportError:  # Windows has none
        return None
    return uvloop.new_event_loop
