"""`nod backup`: the embedded database in one file, and the key its secrets are sealed with.

The key is a file of its own, so that it can be kept elsewhere: whoever has both can read the stored
signing keys. What is written appears under its name when it is whole.
"""

import os
import shlex
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from nod.cli.admin import on_database
from nod.cli.copying import copy_and_check, key_beside, refuse_server, size_words
from nod.cli.failure import Failure
from nod.cli.output import as_json, show_json
from nod.config import Settings, load
from nod.secrets import key_file, read_key, write_key
from nod.store.sqlite_backup import sync


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--force", is_flag=True, help="Replace FILE and FILE.key if they are there.")
@on_database
@as_json
def backup(file: Path, force: bool, json_: bool, **flags: Any) -> None:
    """Writes the database to FILE, and the key that its secrets are sealed with to FILE.key.

    A server may run meanwhile: FILE is the database as it was at one moment, read through and
    found whole.
    """
    refuse_server(flags, f"pg_dump --format=custom --file={shlex.quote(str(file))}")
    settings = load(os.environ, flags)
    key = _key_to_keep(settings)
    _check_places(settings.database_path, file, key, force)
    with TemporaryDirectory(prefix=f".{file.name}.", dir=file.parent) as folder:
        copy, key_copy = Path(folder) / "copy", Path(folder) / "key"
        copy_and_check(settings.database_path, copy)
        if key is not None:
            write_key(key_copy, key)
            key_copy.replace(key_beside(file))
        size = copy.stat().st_size
        copy.replace(file)
        sync(file.parent)
    _tell(settings, file, size, key, json_)


def _key_to_keep(settings: Settings) -> bytes | None:
    """The key in the data directory; None where the operator keeps it, or there is none."""
    path = key_file(settings.data_dir)
    return None if settings.secret_key or not path.exists() else read_key(path)


def _check_places(database: Path, file: Path, key: bytes | None, force: bool) -> None:
    """Fail unless there is something to copy and nothing in its way."""
    if not database.exists():
        raise Failure(
            f"there is no database {database}; name the server's with --data-dir or --database-url"
        )
    if not file.parent.is_dir():
        raise Failure(f"there is no directory {file.parent}")
    if file.exists() and file.samefile(database):
        raise Failure(f"{file} is the database itself; name another file")
    beside = key_beside(file)
    in_the_way = [file, beside] if key is not None else [file]
    for each in in_the_way:
        if each.exists() and not force and not _is_key(each, key):
            raise Failure(f"{each} is there already; name another file, or replace it with --force")


def _is_key(path: Path, key: bytes | None) -> bool:
    """Whether this file has the key in it already, from a backup whose file was taken away."""
    return key is not None and path.stat().st_size < 1024 and path.read_bytes().strip() == key


def _tell(settings: Settings, file: Path, size: int, key: bytes | None, json_: bool) -> None:
    beside = None if key is None else key_beside(file)
    if json_:
        show_json(
            {"file": str(file), "bytes": size, "key_file": None if beside is None else str(beside)}
        )
        return
    click.echo(f"{file}  {size_words(size)}, whole")
    if beside is not None:
        click.echo(f"{beside}  the key that its secrets are sealed with; best kept elsewhere")
    elif settings.secret_key:
        click.echo("NOD_SECRET_KEY, which its secrets are sealed with, is not in it: keep that too")
    else:
        click.echo(
            f"There is no {key_file(settings.data_dir)}: without the key that its secrets are"
            " sealed with, agents need new ones after a restore",
            err=True,
        )
