"""The first start: a link, used once, by which the owner makes the first account."""

import hashlib
import secrets

from nod.actions.accounts import create_user
from nod.domain.errors import Conflict, NotFound
from nod.domain.instant import SECOND
from nod.domain.model import User
from nod.store.store import Tx

PATH = "/setup/"


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


async def make_setup_link(tx: Tx) -> str | None:
    """The token of a new link; None when there is an account. Links made before stop working."""
    await tx.sessions.clear_setup_links()
    if await tx.people.first_user() is not None:
        return None
    token = secrets.token_urlsafe(32)
    ends = tx.now + tx.limits.setup_link_s * SECOND
    await tx.sessions.insert_setup_link(_hash(token), tx.now, ends)
    return token


async def check_setup_link(tx: Tx, token: str) -> None:
    """Raises Conflict when there is an account already, NotFound for a link that does not work."""
    if await tx.people.first_user() is not None:
        raise Conflict("this server has its first account already; sign in")
    ends = await tx.sessions.setup_link_ends(_hash(token))
    if ends is None or ends <= tx.now:
        raise NotFound(
            "this link does not work any more; start `nod serve` again, which prints a new one"
        )


async def use_setup_link(
    tx: Tx, token: str, email: str, name: str, password_hash: str, timezone: str
) -> User:
    """Make the first account; the link is used up.

    Raises as `check_setup_link` does, and InvalidInput for what an account cannot have.
    """
    await check_setup_link(tx, token)
    user = await create_user(tx, email, password_hash, name, timezone)
    await tx.sessions.clear_setup_links()
    return user
