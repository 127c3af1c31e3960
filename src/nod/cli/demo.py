"""`nod demo`: a server with an agent that works, in two processes, and what to try with them."""

import asyncio
import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import click

from nod.app import Nod
from nod.cli.demo_world import EMAIL, World, prepare
from nod.cli.output import harmless
from nod.config import Settings, load, local_url, sqlite_url
from nod.domain.instant import Instant, to_datetime
from nod.domain.model import Run, Task
from nod.server import listen, make_server, port_of
from nod.store.store import Tx
from nod.telemetry import setup_logging

# What would point the demo at a database or a key that is not its own.
_NOT_OURS = ("NOD_DATABASE_URL", "NOD_SECRET_KEY", "NOD_PUBLIC_URL")
_LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
_WORKER_GRACE_S = 3
_NEWEST = 20


@click.command()
@click.option("--host", help="Address to listen on.  [default: 127.0.0.1]")
@click.option("--port", type=int, help="Port to listen on.  [default: 8000]")
@click.option("--data-dir", help="Where Nod keeps its files; the demo has its own among them.")
def demo(**flags: Any) -> None:
    """A server, an agent that reports on this machine each minute, and a trigger to call.

    Everything is kept in the folder `demo` of the data directory, so a real Nod is not touched.
    """
    settings = demo_settings(os.environ, flags)
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (settings.data_dir / "nod.log").open("w", encoding="utf-8", buffering=1) as log:
        setup_logging(log_json=False, stream=log)
        asyncio.run(_demo(settings))


def demo_settings(environ: Mapping[str, str], flags: Mapping[str, Any]) -> Settings:
    """The server's settings, with a database of its own and webhooks to this machine allowed."""
    ours = {name: value for name, value in environ.items() if name not in _NOT_OURS}
    wanted = load(ours, flags)
    folder = wanted.data_dir / "demo"
    return replace(
        wanted,
        data_dir=folder,
        database_url=sqlite_url(folder / "nod.db"),
        allow_webhook_nets=(*wanted.allow_webhook_nets, *_LOOPBACK),
    )


async def _demo(settings: Settings) -> None:
    with listen(settings) as listener:
        url = local_url(settings.host, port_of(listener))
        nod = Nod(replace(settings, public_url=url))
        await nod.start()
        try:
            world = await prepare(nod)
            # Whoever tries at once what is printed waits a moment, and is not refused.
            listener.listen()
            _introduce(nod, world, url)
            await _serve(nod, world, url, listener)
        finally:
            await nod.stop()
            click.echo("\nStopped. Everything is kept; `nod demo` goes on where it was.")


async def _serve(nod: Nod, world: World, url: str, listener: Any) -> None:
    """Serve until a signal comes; the worker and the printing end with it."""
    worker = asyncio.create_task(_work(nod, world, url))
    printing = asyncio.create_task(_print_results(nod, world))
    try:
        await make_server(nod).serve(sockets=[listener])
    finally:
        printing.cancel()
        await asyncio.gather(worker, printing, return_exceptions=True)


async def _work(nod: Nod, world: World, url: str) -> None:
    """`nod work` in a process of its own, as any agent would be, until the server stops.

    It has its own session, so that Ctrl-C reaches the server only, which ends the worker in turn.
    """
    report = (sys.executable, "-m", "nod.cli.demo_report")
    command = ("-c", "from nod.cli.main import main; main()", "work", "--", *report)
    with (nod.settings.data_dir / "worker.log").open("w") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *command,
            env={**os.environ, **_credentials(world, url)},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    ended = asyncio.create_task(process.wait())
    await asyncio.wait(
        [ended, asyncio.create_task(nod.draining.wait())], return_when=asyncio.FIRST_COMPLETED
    )
    if ended.done():
        click.echo(f"The agent has ended by itself; see {log.name}", err=True)
        return
    process.terminate()
    try:
        await asyncio.wait_for(ended, _WORKER_GRACE_S)
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _credentials(world: World, url: str) -> dict[str, str]:
    return {
        "NOD_API_URL": url,
        "NOD_AGENT_ID": world.access.agent_id,
        "NOD_SECRET": world.access.secret,
    }


# what is shown


async def _print_results(nod: Nod, world: World) -> None:
    """Print each run that ends from now on, as soon as it is stored."""
    shown: set[str] = set()
    since = world.first.created_at
    with nod.changes.watch(world.access.agent_id) as changed:
        while True:
            changed.clear()
            for task in (world.each_minute, world.on_call):
                for run, output in await _ended(nod, task, since, shown):
                    shown.add(run.id)
                    _print_result(task, run, output)
            await changed.wait()


async def _ended(
    nod: Nod, task: Task, since: Instant, shown: set[str]
) -> list[tuple[Run, str | None]]:
    """The task's runs that have ended and are not shown yet, the oldest first."""

    async def look(tx: Tx) -> list[tuple[Run, str | None]]:
        newest = await tx.runs.of_task(task.id, _NEWEST)
        ended = [run for run in reversed(newest) if run.status in ("completed", "failed")]
        news = [run for run in ended if run.created_at >= since and run.id not in shown]
        return [(run, await tx.runs.output(run.id)) for run in news]

    return await nod.store.read(look)


def _print_result(task: Task, run: Run, output: str | None) -> None:
    at = run.finished_at or run.created_at
    took = f" in {(at - run.created_at) / 1000:.1f} s" if run.status == "completed" else ""
    colour = "green" if run.status == "completed" else "red"
    head = f"{to_datetime(at):%H:%M:%S}Z  {task.name}: {run.status}{took}  {run.id}"
    text = output or run.summary or run.error or ""
    lines = "\n".join(f"    {line}" for line in harmless(text).splitlines())
    click.echo(f"\n{click.style(head, fg=colour)}\n{lines}")


def _introduce(nod: Nod, world: World, url: str) -> None:
    command = shlex.quote(_nod_command())
    exports = " ".join(
        f"{name}={shlex.quote(value)}" for name, value in _credentials(world, url).items()
    )
    login = f'{{"email":"{EMAIL}","password":"{world.access.password}"}}'
    click.echo(
        f"""
Nod runs at {url}   (Ctrl-C stops it; everything is kept in {nod.settings.data_dir})

Open {url}/ and sign in with {EMAIL} / {world.access.password}

An agent on this machine reports how it is, now and at each full minute.
Every result is printed here as it comes in, and stored. To try meanwhile, in another terminal:

  Fire a task from anywhere:
    curl {url}/api/webhooks/{world.on_call.trigger_id} \\
      -H 'Content-Type: application/json' -d '{{"hello":"world"}}'

  Be the agent:
    export {exports}
    {command} tasks list
    {command} runs list {world.each_minute.id}
    {command} tasks add "Stand up" --prompt "Say so." --schedule "*/2 * * * *"
    {command} cron "0 9 * * 1-5" --timezone Europe/Berlin

  Be the person:
    curl {url}/api/auth/login -H 'Content-Type: application/json' \\
      -d '{login}'

  Read the API:
    {url}/api/docs   and   {url}/api/docs/events

The first result comes in a second or two."""
    )


def _nod_command() -> str:
    """How the reader's shell finds `nod`."""
    beside = Path(sys.executable).with_name("nod")
    return "nod" if shutil.which("nod") or not beside.exists() else str(beside)
