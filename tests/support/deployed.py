"""The files of `deploy/` as their programs read them, as far as the tests have to."""

import json
import re
from collections.abc import Iterator
from typing import Any

import yaml

from docs.book import ROOT

DEPLOY = ROOT / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
_SIZE = re.compile(r"(\d+)\s*(k|m|g|KiB|MiB|GiB|KB|MB|GB)?", re.IGNORECASE)
_TIME = re.compile(r"(\d+)(ms|s|m|h)?")
_BYTES = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "kib": 2**10, "mib": 2**20, "gib": 2**30}
_BYTES |= {"kb": 10**3, "mb": 10**6, "gb": 10**9}
_SECONDS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def text(name: str) -> str:
    """A file of `deploy/`."""
    return (DEPLOY / name).read_text(encoding="utf-8")


def without_comments(name: str) -> str:
    """A file in which # begins a comment, without those that stand on a line of their own."""
    return "\n".join(line for line in text(name).splitlines() if not line.strip().startswith("#"))


def unit(name: str) -> dict[str, list[tuple[str, str]]]:
    """The sections of a systemd unit with their keys and values. Raises ValueError for the rest."""
    sections: dict[str, list[tuple[str, str]]] = {}
    current: list[tuple[str, str]] | None = None
    for line in text(name).splitlines():
        if not line.strip() or line.startswith(("#", ";")):
            continue
        if line.startswith("[") and line.endswith("]"):
            current = sections.setdefault(line[1:-1], [])
            continue
        key, equals, value = line.partition("=")
        if current is None or not equals or not re.fullmatch("[A-Za-z]+", key):
            raise ValueError(f"{name}: {line!r} is no line of a unit")
        current.append((key, value))
    return sections


def environment(name: str) -> dict[str, str]:
    """An env file. Raises ValueError for a line that is none of one."""
    found: dict[str, str] = {}
    for line in text(name).splitlines():
        if not line or line.startswith("#"):
            continue
        key, equals, value = line.partition("=")
        if not equals or not re.fullmatch("[A-Z_]+", key):
            raise ValueError(f"{name}: {line!r}")
        found[key] = value
    return found


def compose() -> dict[str, Any]:
    """compose.yaml."""
    read: dict[str, Any] = yaml.safe_load(text("compose.yaml"))
    return read


def manifests() -> dict[str, dict[str, Any]]:
    """All of Kubernetes' objects, by kind."""
    files = sorted([*KUBERNETES.glob("*.yaml"), *KUBERNETES.glob("*.yaml.example")])
    read = [each for file in files for each in yaml.safe_load_all(file.read_text(encoding="utf-8"))]
    return {each["kind"]: each for each in read}


def alerts() -> list[dict[str, Any]]:
    """The alert rules."""
    groups = yaml.safe_load(text("prometheus-alerts.yaml"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def dashboard() -> dict[str, Any]:
    """Grafana's dashboard."""
    read: dict[str, Any] = json.loads(text("grafana-dashboard.json"))
    return read


def queries() -> Iterator[str]:
    """Every query that an alert or a panel asks."""
    yield from (rule["expr"] for rule in alerts())
    yield from (each["expr"] for panel in dashboard()["panels"] for each in panel["targets"])


def size(written: str) -> int:
    """Bytes, as nginx (25m) and Caddy (25MiB) write them."""
    found = _SIZE.fullmatch(written)
    assert found, written
    return int(found[1]) * _BYTES[(found[2] or "").lower()]


def seconds(written: str | int) -> float:
    """Seconds, as systemd, Compose and nginx write them."""
    found = _TIME.fullmatch(str(written))
    assert found, written
    return int(found[1]) * _SECONDS[found[2] or ""]
