"""What `nod backup` and `nod restore` share: the copy with its progress, and the key beside it."""

import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from nod.cli.failure import Failure
from nod.store.sqlite_backup import check_copy, copy_database

_POSTGRES = ("postgresql://", "postgres://")
_FROM_ENVIRONMENT = '--dbname="$NOD_DATABASE_URL"'


def refuse_server(flags: Mapping[str, Any], tool: str) -> None:
    """Fail with the line to type instead if the database is a PostgreSQL server's."""
    given = flags.get("database_url") or ""
    if not (given or os.environ.get("NOD_DATABASE_URL", "")).startswith(_POSTGRES):
        return
    # A password that stands in the environment already is not shown.
    database = f"--dbname={shlex.quote(without_password(given))}" if given else _FROM_ENVIRONMENT
    raise Failure(
        f"the database is a PostgreSQL server's, whose own tool does this:\n\n  {tool} {database}"
        "\n\nThe secret key is not in it: NOD_SECRET_KEY, or secret.key in the data directory"
    )


def without_password(url: str) -> str:
    """The address as it can be shown."""
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    options = (each for each in parts.query.split("&") if not each.startswith("password="))
    return parts._replace(
        netloc=f"{user.partition(':')[0]}{at}{host}", query="&".join(options)
    ).geturl()


def key_beside(file: Path) -> Path:
    """Where the key of a backup is kept."""
    return file.with_name(f"{file.name}.key")


def copy_and_check(source: Path, target: Path) -> None:
    """Copy a database and read the copy through, saying on standard error how far it is.

    Raises Unavailable with the reason.
    """
    with click.progressbar(length=100, label=f"Copying {source}", file=sys.stderr) as bar:
        copy_database(
            source, target, lambda done, pages: bar.update(done * 100 // max(pages, 1) - bar.pos)
        )
    click.echo("Checking the copy", err=True)
    check_copy(target, source)


def size_words(size: int) -> str:
    """Bytes as a person reads them."""
    amount, unit = float(size), "bytes"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if amount < 1024:
            break
        amount, unit = amount / 1024, larger
    return f"{amount:.0f} {unit}" if unit == "bytes" else f"{amount:.1f} {unit}"
