"""Where a person is notified, as the page shows it: each target and how it fares."""

from typing import NamedTuple

from nod.actions.notifications import address_shown, endpoint_digest
from nod.domain.model import NotifyTarget
from nod.secrets import Vault
from nod.web.times import Times


class Health(NamedTuple):
    """How a target fares: the look, sign and word of its chip, and a sentence."""

    look: str
    sign: str
    word: str
    text: str


class Place(NamedTuple):
    """One target. By `digest` a browser finds out that it is itself."""

    target: NotifyTarget
    address: str
    digest: str
    health: Health


def place(vault: Vault, target: NotifyTarget, times: Times) -> Place:
    """The target as a row."""
    digest = endpoint_digest(vault, target) or ""
    return Place(target, address_shown(vault, target), digest, health(target, times))


def health(target: NotifyTarget, times: Times) -> Health:
    """What is known of it, in words."""
    why = _sentence(target.error)
    if not target.enabled and target.failing_since is None:
        return Health("", "close", "switched off", "")
    if not target.enabled:
        return Health("bad", "cross", "given up", why)
    if target.failing_since is not None:
        since = f"Since {times.at(target.failing_since)}: {why}"
        again = f" The next try is {times.when(target.next_at)}." if target.next_at else ""
        return Health("warn", "warn", "failing", since + again)
    if target.error:
        return Health("warn", "warn", "the test failed", why)
    if target.used_at is not None:
        return Health("ok", "check", "works", f"Last reached {times.at(target.used_at)}.")
    return Health("", "clock", "not used yet", "")


def _sentence(text: str | None) -> str:
    """The error as a sentence."""
    said = (text or "").strip()
    return said if not said or said.endswith((".", "…")) else f"{said[:1].upper()}{said[1:]}."
