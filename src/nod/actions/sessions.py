"""Being signed in with a browser: a cookie whose hash is kept, and which changes every day.

As OWASP's session management asks: a fresh token at each sign-in (no fixation), rotation while in
use, an end when unused for long and an end in any case. A page does on each request:

    found = await store.read(lambda tx: find_session(tx, token))
    if is_due(found, now, limits):
        found = await store.write(lambda tx: renew_session(tx, token, user_agent))
        …set the cookie to found.token, if that is another than it was
"""

import hashlib
import secrets
from dataclasses import dataclass, replace

from nod.domain.browsers import browser_words
from nod.domain.errors import NotAuthenticated, NotFound
from nod.domain.instant import SECOND, Instant
from nod.domain.limits import Limits
from nod.domain.model import Session, User, new_id
from nod.store.store import Tx


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A person, the session, and what the cookie is to hold."""

    user: User
    session: Session
    token: str


def _hash(token: str) -> str:
    # 256 random bits cannot be guessed from their hash, so unlike a password's it may be fast.
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


async def open_session(tx: Tx, user: User, user_agent: str) -> SignedIn:
    """Sign the person in with the browser that calls itself `user_agent`.

    `user` is who the password was checked against. Raises NotAuthenticated when the password has
    been changed since.
    """
    fresh = await tx.people.user(user.id)
    if fresh is None or fresh.password_hash != user.password_hash:
        raise NotAuthenticated("the password has just been changed; sign in with the new one")
    token = secrets.token_urlsafe(32)
    session = Session(
        id=new_id("ses", tx.now),
        user_id=fresh.id,
        token_hash=_hash(token),
        old_token_hash=None,
        rotated_at=tx.now,
        browser=browser_words(user_agent),
        created_at=tx.now,
        seen_at=tx.now,
        expires_at=_ends(tx.now, tx.now, tx.limits),
    )
    await tx.sessions.sweep(tx.now)
    await tx.sessions.insert(session)
    tx.effects.fact("session_opened", user_id=fresh.id, session_id=session.id)
    return SignedIn(fresh, session, token)


async def find_session(tx: Tx, token: str) -> SignedIn:
    """Who holds this cookie, or held it until a moment ago. Raises NotAuthenticated."""
    overlap = tx.limits.session_overlap_s * SECOND
    session = await tx.sessions.by_token(_hash(token), tx.now - overlap)
    user = None
    if session is not None and tx.now < session.expires_at:
        user = await tx.people.user(session.user_id)
    if session is None or user is None:
        raise NotAuthenticated("you are not signed in, or not any more; sign in")
    return SignedIn(user, session, token)


def is_due(found: SignedIn, now: Instant, limits: Limits) -> bool:
    """Whether the session's use is to be written, or its cookie to be changed."""
    seen = found.session.seen_at + limits.session_seen_s * SECOND
    return now >= seen or _is_old(found, now, limits)


async def renew_session(tx: Tx, token: str, user_agent: str) -> SignedIn:
    """Write that the session is in use, and change its cookie when it is a day old.

    The former cookie works a little longer, for the requests that are under way with it. Raises
    NotAuthenticated as `find_session` does.
    """
    found = await find_session(tx, token)
    session = replace(
        found.session,
        seen_at=tx.now,
        expires_at=_ends(found.session.created_at, tx.now, tx.limits),
        browser=browser_words(user_agent),
    )
    await tx.sessions.touch(session)
    if not _is_old(found, tx.now, tx.limits):
        return replace(found, session=session)
    fresh = secrets.token_urlsafe(32)
    rotated = replace(
        session,
        token_hash=_hash(fresh),
        old_token_hash=session.token_hash,
        rotated_at=tx.now,
    )
    await tx.sessions.rotate(rotated)
    return SignedIn(found.user, rotated, fresh)


def _ends(created_at: Instant, now: Instant, limits: Limits) -> Instant:
    unused = now + limits.session_unused_s * SECOND
    return min(unused, created_at + limits.session_max_s * SECOND)


def _is_old(found: SignedIn, now: Instant, limits: Limits) -> bool:
    """Only who holds the present cookie gets the next one."""
    is_present = _hash(found.token) == found.session.token_hash
    return is_present and now >= found.session.rotated_at + limits.session_rotate_s * SECOND


async def list_sessions(tx: Tx, user: User) -> list[Session]:
    """The browsers in which the person is signed in, the one used last first."""
    return await tx.sessions.of_user(user.id, tx.now)


async def close_session(tx: Tx, user: User, session_id: str) -> None:
    """Sign one browser out. Raises NotFound for a session that is not the person's."""
    if not await tx.sessions.remove(user.id, session_id):
        raise NotFound(f"you have no session {session_id[:64]}")
    tx.effects.fact("session_closed", user_id=user.id, session_id=session_id)


async def sign_out_everywhere(tx: Tx, user: User, but: str | None = None) -> int:
    """End all sessions of the person, or all `but` one, and all their API tokens.

    Returns how many sessions that were.
    """
    count = await tx.sessions.remove_all(user.id, but)
    fresh = await tx.people.user(user.id)
    if fresh is not None:
        await tx.people.update_user(replace(fresh, tokens_from=tx.now))
    tx.effects.fact("signed_out_everywhere", user_id=user.id, count=count)
    return count
