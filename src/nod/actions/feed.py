"""The calendar feed of a person: an address that is a secret, and what is to be read there.

The address follows from the server's key, the person and a number that they can raise: nothing of
it is stored, and a raised number makes the former address worthless at once.
"""

import hashlib
import hmac
from dataclasses import dataclass, replace

from nod.actions.agenda import agenda_of
from nod.actions.profile import present
from nod.domain.errors import NotFound
from nod.domain.feed import FeedEvent, feed_days, feed_events
from nod.domain.model import User
from nod.domain.zones import known_timezone
from nod.secrets import Vault
from nod.store.store import Tx

PATH = "/calendar/"
SUFFIX = ".ics"
_PURPOSE = "calendar feed"


@dataclass(frozen=True, slots=True)
class FeedAddress:
    """Where a person's calendar is: for programs, and for a browser that hands it to one."""

    url: str
    webcal_url: str


def feed_address(vault: Vault, user: User, public_url: str) -> FeedAddress:
    """The person's present address."""
    base = public_url.rstrip("/")
    url = f"{base}{PATH}{_token(vault, user)}{SUFFIX}"
    return FeedAddress(url, "webcal" + url[url.index(":") :])


async def rotate_feed(tx: Tx, user: User) -> User:
    """Give the person another address. The former one is worth nothing from now on."""
    before = await present(tx, user)
    after = replace(before, feed_version=before.feed_version + 1)
    await tx.people.update_user(after)
    tx.effects.fact("feed_rotated", user_id=after.id)
    return after


async def read_feed(tx: Tx, vault: Vault, name: str, public_url: str) -> list[FeedEvent]:
    """What is at the address that ends with `name`. Raises NotFound where there is none."""
    user = await _owner(tx, vault, name.removesuffix(SUFFIX) if name.endswith(SUFFIX) else "")
    days = feed_days(tx.now, known_timezone(user.timezone), tx.limits)
    found = await agenda_of(tx, user, days, None)
    names = {each.id: each.name for each in found.agents}
    base = public_url.rstrip("/")
    return feed_events(found.agenda, names, base, tx.now, tx.limits.feed_events)


async def _owner(tx: Tx, vault: Vault, token: str) -> User:
    user_id, _, _ = token.rpartition("-")
    user = await tx.people.user(user_id)
    if user is None or not hmac.compare_digest(_token(vault, user).encode(), token.encode()):
        raise NotFound("there is no calendar at this address; it may have been replaced")
    return user


def _token(vault: Vault, user: User) -> str:
    meant = f"{user.id} {user.feed_version}".encode()
    seal = hmac.new(vault.derive(_PURPOSE), meant, hashlib.sha256).hexdigest()
    return f"{user.id}-{seal}"
