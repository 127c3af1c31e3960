"""What `nod doctor` looks at on this machine: files, the database, the key, the clock."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from nod.cli.copying import size_words
from nod.cli.finding import Finding
from nod.cli.sealed import opens, sealed_secret
from nod.clock import Clock, SystemClock
from nod.config import Settings
from nod.domain.errors import InvalidInput, Unavailable
from nod.domain.instant import SECOND, Instant
from nod.domain.model import Agent, NotifyTarget
from nod.domain.words import duration_words
from nod.notify.vapid import KEY_NAME
from nod.opening import open_database
from nod.secrets import key_file, read_key
from nod.store.sqlite_check import check_writable, examine, in_use
from nod.store.store import Store, Tx

_LEAST_FREE = 64 * 1024 * 1024  # what the write-ahead log may grow to
_LITTLE_FREE = 1024 * 1024 * 1024
# Alarms are a little off, and beyond it signatures with a time in them begin to be refused.
_OFF_S, _WRONG_S = 2, 60


@dataclass(frozen=True, slots=True)
class Stored:
    """What the database says to the other checks."""

    sealed: str | None
    vapid: str | None  # sealed
    agents: list[Agent]
    targets: list[NotifyTarget]
    newest_event_at: Instant | None


@dataclass(frozen=True, slots=True)
class Way:
    """What was found of a database, and what the other checks need of it."""

    found: list[Finding]
    stored: Stored | None
    in_use: bool  # by a server
    offset_s: float | None = None  # of the database server's clock from this one


def data_directory(settings: Settings) -> list[Finding]:
    """Whose it is, who may read it, and how much room there is."""
    path = settings.data_dir
    if not path.is_dir() and settings.is_postgres and settings.secret_key:
        return [Finding("data directory", "ok", f"there is no {path}, and nothing to keep there")]
    if not path.is_dir():
        return [Finding("data directory", "warning", f"there is no {path}", _FIRST_START)]
    return [_permissions(path), room(path, shutil.disk_usage(path).free)]


_FIRST_START = "`nod serve` makes it; if there should be one, name it with --data-dir"


def _permissions(path: Path) -> Finding:
    about = path.stat()
    if hasattr(os, "geteuid") and about.st_uid != os.geteuid():
        seen = f"{path} belongs to user {about.st_uid}, and you are {os.geteuid()}"
        return Finding("data directory", "warning", seen, "run this as the server's user")
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        return Finding("data directory", "failed", f"{path} cannot be written", f"chmod 700 {path}")
    if os.name == "posix" and about.st_mode & 0o077:
        seen = f"others on this machine may look into {path}"
        return Finding("data directory", "warning", seen, f"chmod 700 {path}")
    return Finding("data directory", "ok", f"{path} is yours alone")


def room(path: Path, free: int) -> Finding:
    """Whether so many free bytes are enough."""
    seen = f"{size_words(free)} free on the disk of {path}"
    if free < _LEAST_FREE:
        return Finding("disk", "failed", seen, "make room: what cannot be stored is answered 503")
    if free < _LITTLE_FREE:
        return Finding("disk", "warning", seen, "make room before it is needed")
    return Finding("disk", "ok", seen)


async def database(settings: Settings) -> Way:
    """How the database file is, what is in it if it can be read, and whether a server uses it."""
    path = settings.database_path
    if not path.exists():
        seen = f"there is no {path} yet"
        return Way([Finding("database", "warning", seen, _FIRST_START)], None, False)
    try:
        found = _file(path)
        busy = in_use(path)
        stored = await read_stored(settings) if found[0].state == "ok" else None
    except (Unavailable, OSError) as error:
        return Way([Finding("database", "failed", f"{path}: {error}", _OPEN)], None, False)
    return Way([*found, _server(busy)], stored, busy)


_OPEN = "check the permissions of the file and its directory, and who runs this"


def _file(path: Path) -> list[Finding]:
    state = examine(path)
    if state.problem is not None:
        do = "stop Nod and restore a backup: nod restore FILE"
        return [Finding("database", "failed", f"{path} is damaged: {state.problem}", do)]
    if not state.is_ours:
        do = "name Nod's own with --database-url"
        return [Finding("database", "failed", f"{path} is not a database of Nod", do)]
    if state.lacking:
        seen = f"{path} has schema {state.schema}, and {state.lacking} newer are known"
        do = "the next start of `nod serve` brings it up to date; back it up before"
        return [Finding("database", "warning", seen, do)]
    return [Finding("database", "ok", f"{path} is whole, schema {state.schema}"), _writing(path)]


def _writing(path: Path) -> Finding:
    try:
        check_writable(path)
    except Unavailable as error:
        return Finding("writing", "failed", f"{path}: {error.detail}", _OPEN)
    return Finding("writing", "ok", "the database can be written")


def _server(busy: bool) -> Finding:
    return Finding("server", "ok", "one is running" if busy else "none is running")


async def read_stored(settings: Settings) -> Stored:
    """What the other checks need of a database whose schema is this program's."""
    store = Store(open_database(settings, exclusive=False), SystemClock(), settings.limits)
    await store.start()
    try:
        return await store.read(_read)
    finally:
        await store.close()


async def _read(tx: Tx) -> Stored:
    return Stored(
        sealed=await sealed_secret(tx),
        vapid=await tx.notify.server_key(KEY_NAME),
        agents=await tx.people.all_agents(),
        targets=await tx.notify.all_targets(),
        newest_event_at=await tx.events.newest_at(),
    )


def secret_key(settings: Settings, stored: Stored | None) -> Finding:
    """Whether there is one, others cannot read it, and it opens what is stored."""
    path = key_file(settings.data_dir)
    origin = "NOD_SECRET_KEY" if settings.secret_key else str(path)
    sealed = None if stored is None else stored.sealed
    try:
        if settings.secret_key is None and not path.exists():
            return _no_key(path, sealed)
        key = settings.secret_key.encode() if settings.secret_key else read_key(path)
    except (InvalidInput, OSError) as error:
        return Finding("secret key", "failed", str(error), "restore the key from your backup")
    if not opens(key, sealed):
        seen = f"{origin} does not open what is stored"
        return Finding("secret key", "failed", seen, "put the former key back")
    if settings.secret_key is None and os.name == "posix" and path.stat().st_mode & 0o077:
        return Finding("secret key", "failed", f"others may read {path}", f"chmod 600 {path}")
    told = "opens what is stored" if sealed is not None else "can be used; nothing is stored yet"
    return Finding("secret key", "ok", f"{origin} {told}")


def _no_key(path: Path, sealed: str | None) -> Finding:
    if sealed is None:
        return Finding("secret key", "ok", f"{path} will be made at the first start")
    do = "restore it from your backup; without it agents need new secrets"
    return Finding("secret key", "failed", f"{path} is missing, and secrets are stored", do)


def clock(here: Clock, way: Way, url_offset_s: float | None) -> Finding:
    """The clock against the newest event, and that of the database server or the public URL.

    The database server's goes before: what the public URL says may be this machine's own.
    """
    newest = None if way.stored is None else way.stored.newest_event_at
    if newest is not None and newest > here.now() + _OFF_S * SECOND:
        ahead = duration_words((newest - here.now()) // SECOND)
        seen = f"the newest event is {ahead} in the future"
        return Finding("clock", "failed", seen, "the clock was set back; let NTP set it")
    held = "" if newest is None else "not before the newest event; "
    offset_s = url_offset_s if way.offset_s is None else way.offset_s
    if offset_s is None:
        return Finding("clock", "ok", f"{held}there is no other clock to compare it with")
    whose = "that the public URL answers with" if way.offset_s is None else "of the database server"
    seen = f"{held}{abs(offset_s):.0f} s from the time {whose}"
    if abs(offset_s) > _WRONG_S:
        return Finding("clock", "failed", seen, _NTP)
    if abs(offset_s) > _OFF_S:
        return Finding("clock", "warning", seen, _NTP)
    return Finding("clock", "ok", f"{seen}; no time server was asked")


_NTP = "let NTP set the clock, here and there"
