"""The server's settings: flags over environment over defaults, checked once at the start.

`load` reads nothing by itself: environment and flags are given, so a test gives its own.
"""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from difflib import get_close_matches
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, Literal, TypeVar, cast, get_args
from urllib.parse import urlsplit

from nod.domain.errors import InvalidInput
from nod.domain.limits import Limits

T = TypeVar("T")
Network = IPv4Network | IPv6Network
Role = Literal["all", "api", "engine"]

_SQLITE = "sqlite:///"
_POSTGRES = ("postgresql://", "postgres://")
_LIMIT = "NOD_LIMIT_"
_MOST = 1 << 40
_MOST_S = 100 * 366 * 86_400  # a century: beyond it dates stop existing
_YES = ("1", "true", "yes", "on")
_NO = ("0", "false", "no", "off")
_EVERY_ADDRESS = ("0.0.0.0", "::", "")  # noqa: S104 - recognised here, not bound


@dataclass(frozen=True, slots=True)
class Settings:
    """What the operator decides. What is secret stays out of `repr`."""

    database_url: str = field(repr=False)  # that of a server may hold its password
    bus_url: str | None = field(repr=False)  # None: the database carries what nodes tell each other
    role: Role  # what this server does of what several on one database do together
    host: str
    port: int  # 0: a free one
    public_url: str  # how people and agents reach this server, without a slash at its end
    data_dir: Path
    secret_key: str | None = field(repr=False)  # None: the file in the data directory
    metrics_token: str | None = field(repr=False)  # None: this machine alone may read the metrics
    allow_webhook_nets: tuple[Network, ...]  # besides the open internet
    log_json: bool
    limits: Limits

    @property
    def database_path(self) -> Path:
        """The file of the embedded database."""
        return Path(self.database_url.removeprefix(_SQLITE)).expanduser()

    @property
    def is_postgres(self) -> bool:
        """Whether the database is a PostgreSQL server."""
        return self.database_url.startswith(_POSTGRES)

    @property
    def database_shown(self) -> str:
        """Where the data is, for people: the file, or the server and its database."""
        if not self.is_postgres:
            return str(self.database_path)
        parts = urlsplit(self.database_url)
        host = parts.netloc.rpartition("@")[2] or "the local server"
        return f"PostgreSQL, {parts.path.strip('/') or 'the default database'} on {host}"


@dataclass(frozen=True, slots=True)
class _Given:
    """What was given, and how the error calls it."""

    environ: Mapping[str, str]
    flags: Mapping[str, Any]

    def read(self, name: str, default: T, parse: Callable[[str, str], T]) -> T:
        """`parse` of the flag, else of the variable; empty counts as not given."""
        if self.flags.get(name) is not None:
            return parse(str(self.flags[name]), f"--{name.replace('_', '-')}")
        variable = f"NOD_{name.upper()}"
        text = self.environ.get(variable, "").strip()
        return parse(text, variable) if text else default


def load(
    environ: Mapping[str, str], flags: Mapping[str, Any], platform: str = sys.platform
) -> Settings:
    """The settings. `flags` maps field names to values, None where a flag was not given.

    Raises InvalidInput naming the flag or variable that cannot be used.
    """
    given = _Given(environ, flags)
    data_dir = given.read("data_dir", _data_dir(environ, platform), _directory)
    host = given.read("host", "127.0.0.1", _text)
    port = given.read("port", 8000, _port)
    settings = Settings(
        database_url=given.read("database_url", sqlite_url(data_dir / "nod.db"), _database_url),
        bus_url=given.read("bus_url", None, _bus_url),
        role=given.read("role", "all", _role),
        host=host,
        port=port,
        public_url=given.read("public_url", local_url(host, port), _public_url),
        data_dir=data_dir,
        secret_key=given.read("secret_key", None, _text),
        metrics_token=given.read("metrics_token", None, _text),
        allow_webhook_nets=given.read("allow_webhook_nets", (), _networks),
        log_json=given.read("log_json", False, _yes_no),
        limits=limits(environ),
    )
    if not settings.is_postgres:
        _refuse_several(settings)
    return settings


def _refuse_several(settings: Settings) -> None:
    for name, given in (("BUS_URL", settings.bus_url), ("ROLE", settings.role != "all")):
        if given:
            raise InvalidInput(
                f"NOD_{name} is for several servers on one PostgreSQL; a SQLite file has one"
                " server, which does everything and needs no bus. Leave it out, or set"
                " NOD_DATABASE_URL to postgresql://…"
            )


def limits(environ: Mapping[str, str]) -> Limits:
    """The limits, each changed by its `NOD_LIMIT_…` variable where there is one.

    Raises InvalidInput for a name that no limit has, and for what is no number.
    """
    known = [each.name for each in fields(Limits)]
    changed: dict[str, int] = {}
    for variable in sorted(name for name in environ if name.startswith(_LIMIT)):
        name = variable.removeprefix(_LIMIT).lower()
        if name not in known:
            raise InvalidInput(f"there is no limit {variable}{_did_you_mean(name, known)}")
        if environ[variable].strip():
            changed[name] = _limit(environ[variable], variable)
    return replace(Limits(), **changed)


def sqlite_url(path: Path) -> str:
    """The database URL of a SQLite file."""
    return f"{_SQLITE}{path.as_posix()}"


def local_url(host: str, port: int) -> str:
    """How this machine reaches a server that listens on `host` and `port`."""
    name = "localhost" if host in _EVERY_ADDRESS else host
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"


def _data_dir(environ: Mapping[str, str], platform: str) -> Path:
    """Where programs of a user keep their data.

    XDG Base Directory Specification on Linux and the BSDs, where a relative path counts as unset.
    """
    home = Path(environ["HOME"]) if environ.get("HOME") else Path.home()
    if platform == "win32":
        base = environ.get("LOCALAPPDATA")
        return Path(base) / "Nod" if base else home / "AppData" / "Local" / "Nod"
    if platform == "darwin":
        return home / "Library" / "Application Support" / "Nod"
    base = environ.get("XDG_DATA_HOME", "")
    return Path(base) / "nod" if base.startswith("/") else home / ".local" / "share" / "nod"


def _text(text: str, _: str) -> str:
    return text.strip()


def _directory(text: str, _: str) -> Path:
    # Made absolute, so that the database stays where it is whoever changes the working directory.
    return Path(os.path.abspath(Path(text).expanduser()))  # noqa: PTH100 - no disk is looked at


def _networks(text: str, name: str) -> tuple[Network, ...]:
    entries = [part.strip() for part in text.split(",")]
    try:
        return tuple(ip_network(entry) for entry in entries if entry)
    except ValueError as error:
        raise InvalidInput(
            f"{name} must be a comma-separated list of networks"
            f" such as 127.0.0.0/8,192.168.1.0/24; {error}"
        ) from None


def _port(text: str, name: str) -> int:
    if text.startswith("tcp://"):
        raise InvalidInput(
            f"{name} must be a number; {text[:64]!r} is what Kubernetes sets for a service named"
            " nod. Set enableServiceLinks: false, or give the port as --port"
        )
    return _number(text, name, 0, 65_535)


def _limit(text: str, name: str) -> int:
    """A count may be 0, which means none; a size or a time may not."""
    unit = name.lower().rpartition("_")[2]
    least = 1 if unit in ("bytes", "chars", "s") else 0
    return _number(text, name, least, _MOST_S if unit == "s" else _MOST)


def _number(text: str, name: str, least: int, most: int) -> int:
    try:
        number = int(text)
    except ValueError:
        raise InvalidInput(f"{name} must be a whole number; got {text[:64]!r}") from None
    if not least <= number <= most:
        raise InvalidInput(f"{name} must be between {least} and {most}; got {text[:64]}")
    return number


def _yes_no(text: str, name: str) -> bool:
    if text.lower() not in (*_YES, *_NO):
        raise InvalidInput(f"{name} must be 1 or 0 (or true, false, yes, no); got {text[:64]!r}")
    return text.lower() in _YES


def _database_url(text: str, name: str) -> str:
    # The URL is not repeated: that of a server would carry its password into the log.
    if text.startswith(_POSTGRES):
        return text
    if not text.startswith(_SQLITE):
        raise InvalidInput(
            f"{name} must be {_SQLITE} and a path, such as {_SQLITE}/var/lib/nod/nod.db, or the"
            f" address of a PostgreSQL server, such as {_POSTGRES[0]}nod@db.example.org/nod"
        )
    path = text.removeprefix(_SQLITE)
    if not path or path.startswith(":memory:") or path.endswith("/"):
        raise InvalidInput(f"{name} must name a file: what Nod accepts has to outlive it")
    return text


def _bus_url(text: str, name: str) -> str:
    # Not repeated either: it may hold a password or a token.
    for each in text.split(","):
        try:
            parts = urlsplit(each)
            usable = parts.scheme in ("nats", "tls") and parts.hostname and parts.port != 0
        except ValueError:
            usable = False
        if not usable:
            raise InvalidInput(
                f"{name} must be the address of a NATS server, such as nats://nats.example.org:4222"
                " or tls://…; several with commas"
            )
    return text


def _role(text: str, name: str) -> Role:
    if text not in get_args(Role):
        raise InvalidInput(f"{name} must be one of {', '.join(get_args(Role))}; got {text[:64]!r}")
    return cast("Role", text)


def _public_url(text: str, name: str) -> str:
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable or parts.query or parts.fragment or parts.username is not None:
        raise InvalidInput(f"{name} must be like https://nod.example.org; got {text[:200]!r}")
    return text.rstrip("/")


def _did_you_mean(name: str, known: list[str]) -> str:
    close = [_LIMIT + each.upper() for each in get_close_matches(name, known, n=3, cutoff=0.6)]
    return f"; did you mean {' or '.join(close)}?" if close else "; docs/limits.md lists them all"
