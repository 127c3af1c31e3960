"""`nod db`: the database as a whole. `nod db copy` moves up from a file to a PostgreSQL server."""

import asyncio
import os
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import click

from nod.cli.copying import without_password
from nod.cli.failure import Failure
from nod.cli.output import as_json, show_json, show_table
from nod.cli.sealed import opens, present_key, sealed_secret
from nod.clock import SystemClock
from nod.config import Settings, load
from nod.opening import open_database
from nod.secrets import key_file
from nod.store.database_copy import Compared, DifferentCopy, copy_database
from nod.store.file_lock import lock_database
from nod.store.store import Store

_SQLITE = "sqlite:///"
_POSTGRES = ("postgresql://", "postgres://")
_HASH_SHOWN = 16


def _is_file(_: click.Context, __: click.Parameter, url: str) -> str:
    if url.startswith(_POSTGRES):
        raise click.BadParameter(
            "it copies from a SQLite file to a PostgreSQL server, not back; pg_dump and pg_restore"
            " copy from one server to another"
        )
    if not url.startswith(_SQLITE):
        raise click.BadParameter(f"must be {_SQLITE} and a path, such as {_SQLITE}/var/lib/nod.db")
    return url


def _is_server(_: click.Context, __: click.Parameter, url: str) -> str:
    if url.startswith(_SQLITE):
        raise click.BadParameter("it copies to a PostgreSQL server; `nod backup` copies to a file")
    if not url.startswith(_POSTGRES):
        raise click.BadParameter(f"must be like {_POSTGRES[0]}nod@db.example.org/nod")
    return url


@click.group()
def db() -> None:
    """The database as a whole."""


@db.command("copy")
@click.option(
    "--from", "source", required=True, callback=_is_file, help="sqlite:////path/to/nod.db"
)
@click.option(
    "--to",
    "target",
    required=True,
    callback=_is_server,
    help="An empty database: postgresql://user@host/name",
)
@click.option("--data-dir", help="Where the server keeps its files, the secret key among them.")
@as_json
def copy(source: str, target: str, data_dir: str | None, json_: bool) -> None:
    """Copies everything from a SQLite file to an empty PostgreSQL database, and compares the two.

    The server must be stopped. The file is only read. Unless everything has arrived the target
    stays empty.
    """
    settings = load(os.environ, {"database_url": source, "data_dir": data_dir})
    there = replace(settings, database_url=target)
    path = settings.database_path
    if not path.is_file():
        raise Failure(f"there is no database {path}; name the server's: sqlite:////path/to/nod.db")
    lock = lock_database(path)
    try:
        compared = _copied(path, target)
    except DifferentCopy as error:
        _show_table(error.compared)
        names = ", ".join(each.table for each in error.compared if not each.is_same)
        raise Failure(
            f"the copy of {names} differs, and nothing of it is kept; does something in the"
            " database, such as a trigger, change what is stored?"
        ) from error
    finally:
        lock.release()
    _tell(settings, there, compared, json_)


def _copied(path: Path, url: str) -> list[Compared]:
    return asyncio.run(copy_database(path, url, SystemClock().now(), _progress))


@contextmanager
def _progress(label: str, steps: int) -> Iterator[Callable[[int], None]]:
    """A bar on standard error; a line where nobody looks."""
    with click.progressbar(length=steps, label=label, file=sys.stderr) as bar:
        yield bar.update


def _show_table(compared: list[Compared]) -> None:
    """Both sides of each table, and whether they are the same."""
    rows = [
        [
            each.table,
            str(each.rows),
            str(each.copied_rows),
            each.hash[:_HASH_SHOWN],
            each.copied_hash[:_HASH_SHOWN],
            "same" if each.is_same else "differs",
        ]
        for each in compared
    ]
    show_table(["TABLE", "ROWS", "COPIED", "HASH", "OF THE COPY", ""], rows, "There are no tables.")


def _tell(settings: Settings, there: Settings, compared: list[Compared], json_: bool) -> None:
    key = present_key(settings)
    fits = key is not None and opens(key, _sealed(there))
    if json_:
        tables = [{"table": each.table, "rows": each.rows, "hash": each.hash} for each in compared]
        show_json({"tables": tables, "rows": _rows(compared), "key_fits": fits})
        return
    _show_table(compared)
    click.echo(f"\n{_rows(compared)} rows in {len(compared)} tables: the copy is the same")
    url = shlex.quote(without_password(there.database_url))
    click.echo(
        f"{settings.database_path} is as it was. Serve the copy from now on, and never both:"
    )
    click.echo(f"\n  NOD_DATABASE_URL={url} nod serve\n")
    if without_password(there.database_url) != there.database_url:
        click.echo("with the password in it, or better in PGPASSWORD or ~/.pgpass")
    _tell_key(settings, fits)


def _tell_key(settings: Settings, fits: bool) -> None:
    """What has to come along, so that logins, signatures and sealed secrets go on working."""
    path = key_file(settings.data_dir)
    if not fits:
        click.echo(
            "The secrets in it are sealed with a key that is not here: set NOD_SECRET_KEY or"
            f" NOD_DATA_DIR as the server had them ({path} is looked for), else all agents need new"
            " secrets",
            err=True,
        )
    elif settings.secret_key:
        click.echo("NOD_SECRET_KEY, which its secrets are sealed with, stays as it is")
    else:
        click.echo(
            f"Its secrets are sealed with the key in {path}: leave it there, and NOD_DATA_DIR as it"
            " is. On another machine, set NOD_SECRET_KEY to what is in that file"
        )


def _rows(compared: list[Compared]) -> int:
    return sum(each.rows for each in compared)


def _sealed(there: Settings) -> str | None:
    """Open the copy as the server will; a secret out of it."""

    async def read() -> str | None:
        store = Store(open_database(there, exclusive=False), SystemClock(), there.limits)
        await store.start()
        try:
            return await store.read(sealed_secret)
        finally:
            await store.close()

    return asyncio.run(read())
