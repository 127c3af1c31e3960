"""What `nod doctor` looks at where the database is a PostgreSQL server."""

from nod.cli.doctor_here import Way, read_stored
from nod.cli.finding import Finding
from nod.clock import Clock
from nod.config import Settings
from nod.domain.errors import Unavailable
from nod.domain.instant import SECOND
from nod.store.postgres_check import ServerState, examine

_OPEN = "look at NOD_DATABASE_URL, at the server and at who may connect to it"


async def database(settings: Settings, clock: Clock) -> Way:
    """How the server is, what is stored, and how far its clock is from this one, in seconds."""
    shown = settings.database_shown
    asked = clock.now()
    try:
        state = await examine(settings.database_url)
        offset_s = (state.now - (asked + clock.now()) // 2) / SECOND
        found = [_schema(shown, state), _writing(state), _servers(state)]
        stored = await read_stored(settings) if _is_usable(state) else None
    except Unavailable as error:
        return Way([Finding("database", "failed", f"{shown}: {error.detail}", _OPEN)], None, False)
    return Way(found, stored, state.connections > 0, offset_s)


def _is_usable(state: ServerState) -> bool:
    return state.lacking == 0 and not state.read_only


def _schema(shown: str, state: ServerState) -> Finding:
    if state.lacking:
        seen = f"{shown} has schema {state.schema}, and {state.lacking} newer are known"
        do = "the next start of `nod serve` brings it up to date; back it up before"
        return Finding("database", "warning", seen, do)
    seen = f"{shown} (version {state.server}) answers, schema {state.schema}"
    return Finding("database", "ok", seen)


def _writing(state: ServerState) -> Finding:
    if state.read_only:
        do = "name the primary; several hosts in the URL, and the one that can be written is taken"
        return Finding("writing", "failed", "this server is a replica, or read-only", do)
    return Finding("writing", "ok", "the database can be written")


def _servers(state: ServerState) -> Finding:
    many = state.connections
    seen = f"Nod has {many} connections to the database" if many else "none is running"
    return Finding("server", "ok", seen)
