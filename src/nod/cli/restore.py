"""`nod restore`: a backup in the place of the embedded database, which is kept beside it."""

import asyncio
import contextlib
import os
import shlex
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from nod.cli.admin import on_database
from nod.cli.copying import copy_and_check, key_beside, refuse_server
from nod.cli.failure import Failure
from nod.cli.output import as_json, show_json
from nod.cli.sealed import opens, present_key, sealed_secret
from nod.clock import SystemClock
from nod.config import Settings, load, sqlite_url
from nod.domain.instant import rfc3339
from nod.opening import open_database
from nod.secrets import key_file, read_key, write_key
from nod.store.file_lock import lock_database
from nod.store.sqlite_backup import put_in_place
from nod.store.store import Store


@click.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--without-key", is_flag=True, help="Restore although the key of FILE is lost.")
@on_database
@as_json
def restore(file: Path, without_key: bool, json_: bool, **flags: Any) -> None:
    """Puts the backup FILE in the place of the database, which is kept under another name.

    The server must be stopped. If the secrets in FILE are sealed with another key than the present
    one, that key comes from FILE.key.
    """
    tool = f"pg_restore --clean --if-exists --no-owner {shlex.quote(str(file))}"
    refuse_server(flags, tool)
    settings = load(os.environ, flags)
    path = settings.database_path
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    end = f".before-{rfc3339(SystemClock().now())}".replace(":", "")
    kept: list[Path] = []
    with contextlib.ExitStack() as held:
        held.callback(lock_database(path).release)
        folder = Path(held.enter_context(TemporaryDirectory(prefix=".restore.", dir=path.parent)))
        copy = folder / path.name
        copy_and_check(file, copy)
        key = _new_key(settings, file, _read_as_server(settings, copy), without_key)
        if key is not None:
            kept += _put_key(key_file(settings.data_dir), key, end)
        aside = path.with_name(path.name + end)
        if put_in_place(copy, path, aside):
            kept.append(aside)
    _tell(path, kept, json_)


def _read_as_server(settings: Settings, copy: Path) -> str | None:
    """Open a copy as the server will, which brings its schema up to date; a secret out of it.

    Raises Unavailable, for a copy of a newer Nod among others.
    """

    async def read() -> str | None:
        there = replace(settings, database_url=sqlite_url(copy))
        store = Store(open_database(there, exclusive=True), SystemClock(), settings.limits)
        await store.start()
        try:
            return await store.read(sealed_secret)
        finally:
            await store.close()

    return asyncio.run(read())


def _new_key(settings: Settings, file: Path, sealed: str | None, without_key: bool) -> bytes | None:
    """The key to put into the data directory, if the present one does not open the copy's secrets.

    Fails if none does.
    """
    present, beside = present_key(settings), key_beside(file)
    if present is not None and opens(present, sealed):
        return None
    if beside.exists() and opens(read_key(beside), sealed):
        if settings.secret_key:
            raise Failure(f"set NOD_SECRET_KEY to what is in {beside}, the key of this backup")
        return read_key(beside)
    if sealed is None or without_key:
        return None
    wanted = "NOD_SECRET_KEY does not open" if settings.secret_key else "no key here opens"
    raise Failure(
        f"{wanted} the secrets in {file}; put the key of that time beside it as {beside.name}, or"
        " restore --without-key: all agents need new secrets then"
    )


def _put_key(path: Path, key: bytes, end: str) -> list[Path]:
    """Make `key` the key file. The name under which the former one is kept, if there was one."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft, aside = path.with_name(f".{path.name}.new"), path.with_name(path.name + end)
    draft.unlink(missing_ok=True)
    write_key(draft, key)
    kept = [aside] if path.exists() else []
    if kept:
        aside.hardlink_to(path)
    draft.replace(path)
    return kept


def _tell(path: Path, kept: list[Path], json_: bool) -> None:
    if json_:
        show_json({"database": str(path), "kept": [str(each) for each in kept]})
        return
    click.echo(f"{path} is restored; start Nod")
    for each in kept:
        click.echo(f"what was there before is {each}")
