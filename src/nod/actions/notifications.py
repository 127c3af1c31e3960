"""Where a person is notified, and when not."""

import hashlib
import hmac
import re
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec import UNSET, UnsetType

from nod.actions.checks import limited, required
from nod.domain.errors import InvalidInput, NotFound, TooMany
from nod.domain.instant import DAY, SECOND
from nod.domain.model import Notice, NotifyTarget, TargetKind, User, new_id
from nod.engine.notifier import record_health
from nod.notify.apprise_sender import masked
from nod.notify.outcome import Outcome
from nod.notify.push import Subscription
from nod.secrets import Vault, WrongSecretKey
from nod.store.store import Tx

_PURPOSE = "notification addresses"
_BY_HAND = "it was switched off by hand"
_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)", re.ASCII)


class TargetChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What to change of a target: how the person calls it, and whether it is used."""

    label: str | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET


class SettingsFields(msgspec.Struct, frozen=True, kw_only=True):
    """When a person wants to hear nothing, and when the night is summed up, as `HH:MM`."""

    quiet_from: str | UnsetType | None = UNSET
    quiet_until: str | UnsetType | None = UNSET
    quiet_requests: bool | UnsetType = UNSET
    morning_at: str | UnsetType | None = UNSET


# targets


async def list_targets(tx: Tx, user: User) -> list[NotifyTarget]:
    """The person's targets, the oldest first."""
    return await tx.notify.targets_of(user.id)


async def get_target(tx: Tx, user: User, target_id: str) -> NotifyTarget:
    """The person's target. Raises NotFound, also for somebody else's."""
    target = await tx.notify.target(target_id)
    if target is None or target.user_id != user.id:
        raise NotFound(f"you have no notification target {target_id[:64]}")
    return target


async def add_apprise(tx: Tx, vault: Vault, user: User, url: str, label: str) -> NotifyTarget:
    """Notify the person by an Apprise URL, which `check_apprise` has let through."""
    return await _add(tx, vault, user, "apprise", url, url, (label, masked(url)))


async def add_subscription(
    tx: Tx, vault: Vault, user: User, given: Subscription, label: str, browser: str = ""
) -> NotifyTarget:
    """Notify the person in a browser, and nobody else there.

    Without a `label` one that is known keeps its own, and a new one is called as the `browser`.
    """
    await tx.notify.remove_elsewhere(user.id, _hash(vault, given.endpoint))
    address = msgspec.json.encode(given).decode()
    called = browser or urlsplit(given.endpoint).hostname or "a browser"
    return await _add(tx, vault, user, "push", given.endpoint, address, (label, called))


async def _add(
    tx: Tx,
    vault: Vault,
    user: User,
    kind: TargetKind,
    where: str,
    address: str,
    labels: tuple[str, str],  # as the person wants it, and what stands for none
) -> NotifyTarget:
    label = limited(labels[0].strip(), "label", tx.limits.name_chars)
    known = await tx.notify.target_at(user.id, _hash(vault, where))
    if known is not None:
        again = replace(_afresh(known), address=vault.seal(address), label=label or known.label)
        await tx.notify.update_target(again)
        tx.effects.fact("target_changed", user_id=user.id, target_id=again.id)
        return again
    await tx.people.user(user.id)  # nobody else adds one for them meanwhile
    count = len(await tx.notify.targets_of(user.id))
    if count >= tx.limits.notify_targets:
        raise TooMany(
            f"you have {count} notification targets; remove one to add another",
            retry_after=DAY // SECOND,
        )
    target = NotifyTarget(
        id=new_id("tgt", tx.now),
        user_id=user.id,
        kind=kind,
        label=label or labels[1],
        address_hash=_hash(vault, where),
        address=vault.seal(address),
        enabled=True,
        failing_since=None,
        error=None,
        created_at=tx.now,
        used_at=None,
    )
    await tx.notify.insert_target(target)
    tx.effects.fact("target_added", user_id=user.id, target_id=target.id, kind=kind)
    return target


def _afresh(target: NotifyTarget) -> NotifyTarget:
    """The target in use, and nothing against it."""
    return replace(target, enabled=True, failing_since=None, error=None, failures=0, next_at=0)


def _hash(vault: Vault, where: str) -> str:
    # Keyed, because an address may be short enough to be guessed from its hash.
    return hmac.digest(vault.derive(_PURPOSE), where.encode(), hashlib.sha256).hex()


async def change_target(tx: Tx, target: NotifyTarget, given: TargetChanges) -> NotifyTarget:
    """Give it another name, switch it on or off. What was to go to one that is switched off goes
    to the others alone. Raises InvalidInput.
    """
    changed = target
    if given.label is not UNSET:
        changed = replace(changed, label=required(given.label, "label", tx.limits.name_chars))
    if given.enabled is True and not target.enabled:
        changed = _afresh(changed)
    if given.enabled is False and target.enabled:
        changed = replace(_afresh(changed), enabled=False, error=_BY_HAND)
        await tx.notify.disable_target(changed, tx.now)
    else:
        await tx.notify.update_target(changed)
    tx.effects.fact("target_changed", user_id=target.user_id, target_id=target.id)
    return changed


async def remove_target(tx: Tx, target: NotifyTarget) -> None:
    """Notify the person there no more."""
    await tx.notify.remove_target(target, tx.now)
    tx.effects.fact("target_removed", user_id=target.user_id, target_id=target.id, kind=target.kind)


def endpoint_digest(vault: Vault, target: NotifyTarget) -> str | None:
    """By what a browser tells whether a target is itself: the SHA-256 of its endpoint, in hex."""
    if target.kind != "push":
        return None
    try:
        address = vault.open(target.address)
    except WrongSecretKey:
        return None
    endpoint = msgspec.json.decode(address, type=Subscription).endpoint
    return hashlib.sha256(endpoint.encode()).hexdigest()


async def record_test(tx: Tx, target_id: str, outcome: Outcome) -> None:
    """Keep what a test has shown; one that works switches a disabled target on again."""
    target = await tx.notify.target(target_id)
    if target is None:
        return
    if outcome.result == "gone":
        await remove_target(tx, target)
    elif outcome.error is None:
        await record_health(tx, replace(target, enabled=True), outcome, 0.0)
        tx.effects.timer("notify", tx.now)
    else:
        await tx.notify.update_target(replace(target, error=outcome.error))


def address_shown(vault: Vault, target: NotifyTarget) -> str:
    """Where a target leads, without what is secret in it."""
    try:
        address = vault.open(target.address)
    except WrongSecretKey:
        return "not readable with the present NOD_SECRET_KEY"
    if target.kind == "apprise":
        return masked(address.decode())
    return urlsplit(msgspec.json.decode(address, type=Subscription).endpoint).netloc


# settings


async def change_settings(tx: Tx, user: User, given: SettingsFields) -> User:
    """Set the quiet hours and the morning. Raises InvalidInput."""
    changes: dict[str, Any] = {}
    for name in ("quiet_from", "quiet_until", "morning_at"):
        value = getattr(given, name)
        if value is not UNSET:
            changes[name] = None if value is None else minutes(value, name)
    if given.quiet_requests is not UNSET:
        changes["quiet_requests"] = given.quiet_requests
    changed = replace(await tx.people.user(user.id) or user, **changes)
    if (changed.quiet_from is None) != (changed.quiet_until is None):
        raise InvalidInput("quiet_from and quiet_until go together; set both, or both to null")
    await tx.people.update_user(changed)
    tx.effects.timer("notify", tx.now)
    tx.effects.fact("notifications_set", user_id=user.id)
    return changed


def minutes(text: str, field: str) -> int:
    """`HH:MM` as minutes after midnight. Raises InvalidInput."""
    found = _TIME.fullmatch(text)
    if found is None:
        raise InvalidInput(f"{field} must be a time of the day such as 22:00; got {text[:64]!r}")
    return int(found[1]) * 60 + int(found[2])


def clock(minutes: int | None) -> str | None:
    """Minutes after midnight as `HH:MM`."""
    return None if minutes is None else f"{minutes // 60:02}:{minutes % 60:02}"


# notices


async def list_notices(tx: Tx, user: User, limit: int, before: str) -> list[Notice]:
    """What the person was told, newest first, those with an id below `before`."""
    return await tx.notify.notices_of(user.id, limit, before)
