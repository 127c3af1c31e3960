"""`nod doctor`: looks at everything Nod rests on, and says what to mend. It changes nothing."""

import asyncio
import os
from typing import Any

import click

from nod.cli import doctor_bus, doctor_here, doctor_reach
from nod.cli.admin import on_database
from nod.cli.failure import REFUSED
from nod.cli.finding import Finding, show
from nod.cli.output import as_json, show_json
from nod.clock import Clock, SystemClock
from nod.config import Settings, load
from nod.domain.errors import InvalidInput


@click.command()
@click.option("--public-url", help="How people and agents reach the server.  [default: as set]")
@on_database
@as_json
def doctor(json_: bool, **flags: Any) -> None:
    """Checks what Nod rests on and says what to mend, whether a server runs or not.

    It changes nothing and sends nothing. Exit status 0 if nothing has failed, else 1.
    """
    found = _examine(flags)
    failed = sum(each.state == "failed" for each in found)
    if json_:
        show_json({"ok": not failed, "checks": [_about(each) for each in found]})
    else:
        for each in found:
            show(each)
        warned = sum(each.state == "warning" for each in found)
        click.echo(f"\n{len(found)} checks: {failed} failed, {warned} with a warning")
    if failed:
        click.get_current_context().exit(REFUSED)


def _examine(flags: dict[str, Any]) -> list[Finding]:
    try:
        settings = load(os.environ, flags)
    except InvalidInput as error:
        return [Finding("settings", "failed", error.detail, "see docs/configuration.md")]
    return asyncio.run(_look(settings, SystemClock()))


async def _look(settings: Settings, clock: Clock) -> list[Finding]:
    """Everything, in the order in which one thing rests on another."""
    found = [Finding("settings", "ok", f"{settings.public_url}, {settings.data_dir}")]
    found += doctor_here.data_directory(settings)
    way = await _database(settings, clock)
    found += [*way.found, await doctor_bus.bus(settings), *doctor_bus.role(settings)]
    found.append(doctor_here.secret_key(settings, way.stored))
    reached, url_offset_s = await doctor_reach.public_url(settings, clock, way.in_use)
    found += [*reached, doctor_here.clock(clock, way, url_offset_s)]
    if way.stored is not None:
        found += await doctor_reach.webhooks(settings, way.stored.agents)
        found += await doctor_reach.notifications(settings, way.stored)
    return found


async def _database(settings: Settings, clock: Clock) -> doctor_here.Way:
    if settings.is_postgres:
        from nod.cli import doctor_postgres

        return await doctor_postgres.database(settings, clock)
    return await doctor_here.database(settings)


def _about(finding: Finding) -> dict[str, str]:
    return {
        "check": finding.check,
        "state": finding.state,
        "seen": finding.seen,
        "do": finding.do,
    }
