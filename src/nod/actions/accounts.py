"""People: accounts, logins, and the tokens by which they use the API.

Checking a password takes tens of milliseconds and much memory on purpose (argon2id), so it happens
in a thread of its own and outside of any transaction. A login is three steps for that reason:

    user = await store.write(lambda tx: begin_login(tx, email, address))
    right = await asyncio.to_thread(password_is, user, password)
    await store.write(lambda tx: end_login(tx, email, right=right))
"""

import math
import re
import unicodedata
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

import argon2
import jwt

from nod.actions.checks import limited
from nod.domain.browsers import network_of
from nod.domain.errors import Conflict, InvalidInput, NotAuthenticated, TooMany
from nod.domain.instant import MINUTE, SECOND, Instant
from nod.domain.limits import Limits
from nod.domain.model import User, new_id
from nod.domain.zones import check_timezone
from nod.store.people import UNCLAIMED
from nod.store.store import Tx

# OWASP's and RFC 9106's recommendation for memory-constrained servers are this library's default.
_HASHER = argon2.PasswordHasher()
_EMAIL = re.compile(r"[^\s@\x00-\x1f]+@[^\s@\x00-\x1f]+")
_EMAIL_CHARS = 254  # RFC 5321, section 4.5.3.1.3, less the angle brackets
_ATTEMPTS_WITHIN: Instant = 15 * MINUTE
_ALGORITHM = "HS256"
_ISSUER = "nod"
JWT_PURPOSE = "jwt"


def normal_email(email: str) -> str:
    """The address as it is stored and looked up. Raises InvalidInput for what is no address."""
    normal = unicodedata.normalize("NFKC", email).strip().lower()
    if len(normal) > _EMAIL_CHARS or not _EMAIL.fullmatch(normal):
        raise InvalidInput("must be an e-mail address such as ada@example.org", field="email")
    return normal


def hash_password(password: str, limits: Limits) -> str:
    """The argon2id hash, as text. Slow on purpose. Raises InvalidInput for a bad password."""
    if not limits.password_min_chars <= len(password) <= limits.password_chars:
        raise InvalidInput(
            f"must have between {limits.password_min_chars} and"
            f" {limits.password_chars} characters; this one has {len(password)}",
            field="password",
        )
    return _HASHER.hash(password)


def password_is(user: User | None, password: str) -> bool:
    """Whether it is the person's password. Slow on purpose, and as slow for an unknown person."""
    known = _nobodys_hash() if user is None or not user.password_hash else user.password_hash
    try:
        _HASHER.verify(known, password)
    except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
        return False
    return known is not _nobodys_hash()


@lru_cache(maxsize=1)
def _nobodys_hash() -> str:
    return _HASHER.hash("nobody's password")


async def create_user(
    tx: Tx, email: str, password_hash: str, name: str = "", timezone: str = "UTC"
) -> User:
    """A new account. The first one also gets the agents that were added before it.

    Raises Conflict when there is one with this address.
    """
    normal = normal_email(email)
    if await tx.people.user_by_email(normal) is not None:
        raise Conflict(f"there is already an account for {normal}; log in with it")
    user = User(
        id=new_id("usr", tx.now),
        email=normal,
        name=limited(name.strip(), "name", tx.limits.name_chars),
        password_hash=password_hash,
        timezone=check_timezone(timezone),
        created_at=tx.now,
    )
    unclaimed = await tx.people.user_by_email(UNCLAIMED)
    if unclaimed is None:
        made = await tx.people.insert_user(user)
    else:
        user = replace(user, id=unclaimed.id)
        made = await tx.people.claim(user)
    if not made:
        raise Conflict("an account has just been made by somebody else; try again")
    tx.effects.fact("user_created", user_id=user.id)
    return user


async def owner_of_new_agents(tx: Tx, email: str | None) -> User:
    """The account named; else the first; else a place for the account that will be made first.

    Raises InvalidInput when an account is named that does not exist.
    """
    if email is not None:
        named = await tx.people.user_by_email(normal_email(email))
        if named is None:
            raise InvalidInput(f"there is no account {email}; make it with: nod users add {email}")
        return named
    first = await tx.people.first_user() or await tx.people.user_by_email(UNCLAIMED)
    if first is None:
        first = User(new_id("usr", tx.now), UNCLAIMED, "", "", "UTC", tx.now)
        await tx.people.insert_user(first)
    return first


async def begin_login(tx: Tx, email: str, host: str | None = None) -> User | None:
    """Count an attempt, which `end_login` takes back if it succeeds; None for an unknown account.

    Counted before the password is looked at, so that attempts made at once are counted too: those
    of one account, and those from one `host` (an IP address; None: not known), whose caller may
    try one password with many accounts. Raises TooMany when there were too many in 15 minutes.
    """
    normal = normal_email(email)
    # Before the count, so that of attempts made at once each sees the one before it.
    user = await tx.people.user_by_email(normal)
    since = tx.now - _ATTEMPTS_WITHIN
    await tx.people.sweep_login_attempts(since)
    made = await tx.people.login_attempts(normal, since)
    _check_attempts(made, tx.limits.login_attempts, since, f"of {normal}")
    address = network_of(host)
    if address is not None:
        made = await tx.people.login_attempts_from(address, since)
        _check_attempts(made, tx.limits.login_attempts_address, since, "from your address")
    await tx.people.add_login_attempt(normal, address, tx.now)
    return user


def _check_attempts(
    made: tuple[int, Instant | None], most: int, since: Instant, whose: str
) -> None:
    count, oldest = made
    if oldest is not None and count >= most:
        wait_s = math.ceil((oldest - since) / SECOND)
        raise TooMany(
            f"too many failed logins {whose}; try again in {wait_s} seconds", retry_after=wait_s
        )


async def end_login(tx: Tx, email: str, *, right: bool) -> None:
    """Close the attempt: one that succeeded clears the account's count."""
    normal = normal_email(email)
    if right:
        await tx.people.clear_login_attempts(normal)
    tx.effects.fact("login" if right else "login_failed", email=normal)


def make_token(user: User, key: bytes, now: Instant, limits: Limits) -> tuple[str, Instant]:
    """A token for the API, signed with `key`, and when it ends.

    `now` is when the password was looked up: one that is changed while it is checked makes the
    token worthless.
    """
    ends = now // SECOND + limits.token_s
    claims = {"iss": _ISSUER, "sub": user.id, "iat": now / SECOND, "exp": ends}
    return jwt.encode(claims, key, algorithm=_ALGORITHM), ends * SECOND


class Token(NamedTuple):
    """Whose an API token is, and when it was made."""

    user_id: str
    made_at: Instant


def read_token(token: str, key: bytes, now: Instant) -> Token:
    """Whose token it is, as far as the token says. Raises NotAuthenticated."""
    try:
        claims = _verified(token, key)
    except jwt.InvalidTokenError:
        raise NotAuthenticated("this token is not valid; log in at /api/auth/login") from None
    if int(claims["exp"]) * SECOND <= now:
        raise NotAuthenticated("this token has expired; log in again at /api/auth/login")
    return Token(str(claims["sub"]), round(float(claims["iat"]) * SECOND))


def check_token(token: Token, user: User | None) -> User:
    """The person, if the token still is theirs. Raises NotAuthenticated."""
    if user is None:
        raise NotAuthenticated("the account of this token is gone; log in with another")
    if token.made_at < user.tokens_from:
        raise NotAuthenticated("this token has been ended; log in again at /api/auth/login")
    return user


def _verified(token: str, key: bytes) -> dict[str, Any]:
    # Times are compared with Nod's clock by the caller, not with the machine's by the library.
    return jwt.decode(
        token,
        key,
        algorithms=[_ALGORITHM],
        issuer=_ISSUER,
        options={
            "require": ["exp", "iat", "sub", "iss"],
            "verify_exp": False,
            "verify_iat": False,
        },
    )
