"""What `nod doctor` looks at between servers: how they tell each other, and what this one does."""

from urllib.parse import urlsplit

from nod.cli.finding import Finding
from nod.config import Settings
from nod.domain.errors import Unavailable
from nod.opening import nats_lines

_DOES = {
    "all": "all: it serves and fires",
    "api": "api: it serves, and fires nothing; there has to be an engine",
    "engine": "engine: it fires, and serves nobody; there has to be an api",
}


async def bus(settings: Settings) -> Finding:
    """How processes wake each other, and whether the server for that can be reached."""
    if settings.bus_url is not None:
        return await _nats(settings.bus_url)
    if settings.is_postgres:
        return Finding("bus", "ok", "the database tells the nodes (NOTIFY)")
    return Finding("bus", "ok", "not needed: one process uses the file, and wakes itself")


async def _nats(url: str) -> Finding:
    where = ", ".join(_without_secret(each) for each in url.split(","))
    try:
        lines = nats_lines(url, "doctor")
    except Unavailable as error:
        return Finding("bus", "failed", error.detail, "install it, or leave NOD_BUS_URL out")
    try:
        async with lines.open(lambda _: None, lambda: None):
            return Finding("bus", "ok", f"NATS at {where} takes what nodes tell each other")
    except Exception as error:
        reason = lines.reason(error)
        if reason is None:
            raise
        do = "look at NOD_BUS_URL, and at NATS; until then nodes hear of each other seconds later"
        return Finding("bus", "failed", f"NATS at {where} cannot be used: {reason}", do)


def _without_secret(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def role(settings: Settings) -> list[Finding]:
    """What this server does among others, and for how long it goes on when it is told to end."""
    if not settings.is_postgres:
        return []
    seen = f"{_DOES[settings.role]}; told to end, it goes on for {settings.limits.drain_s} s"
    return [Finding("role", "ok", seen)]
