"""`nod cron`: a schedule in words and its next fires, worked out on this machine."""

from typing import TYPE_CHECKING

import click

from nod.cli.failure import Misuse, needs_server
from nod.cli.output import as_json, distance, show_json, show_table

if TYPE_CHECKING:
    from nod.domain.schedule import Preview


@click.command()
@click.argument("schedule")
@click.option("--timezone", default="UTC", show_default=True, help="IANA name: Europe/Berlin.")
@click.option("--from", "start", metavar="TIME", help="Fires after this time. Default: now.")
@click.option("-n", "--count", default=5, show_default=True, type=click.IntRange(1, 1000))
@as_json
def cron(schedule: str, timezone: str, start: str | None, count: int, json_: bool) -> None:
    """Says what SCHEDULE means and when it fires: nod cron "every weekday at 9".

    SCHEDULE is a cron expression, or says when in words.
    """
    try:
        from nod.clock import SystemClock
        from nod.domain.errors import InvalidInput
        from nod.domain.instant import SECOND, parse_rfc3339, rfc3339
        from nod.domain.phrases import read_when
        from nod.domain.schedule import preview
    except ModuleNotFoundError as error:
        raise needs_server(error) from error
    now = SystemClock().now()
    try:
        since = parse_rfc3339(start, "--from") if start else now
        when = read_when(schedule, timezone, since)
        found = preview(when.schedule, timezone, since, count, when.run_at)
    except InvalidInput as error:
        raise Misuse(error.detail) from error
    utc = [rfc3339(at) for at in found.next]
    if json_:
        show_json(_json(found, utc))
        return
    click.echo(found.description)
    for note in found.notes:
        click.echo(f"Note: {note}")
    click.echo()
    away = [distance((at - now) // SECOND) for at in found.next]
    columns = {found.timezone: found.local, "UTC": utc, "FROM NOW": away}
    rows = list(zip(*columns.values(), strict=True))
    show_table(list(columns), rows, "It does not fire by itself.")


def _json(found: "Preview", utc: list[str]) -> dict[str, object]:
    """The same object as the server's preview of a schedule."""
    return {
        "schedule": found.schedule,
        "timezone": found.timezone,
        "description": found.description,
        "next": utc,
        "local": list(found.local),
        "notes": list(found.notes),
    }
