"""What PostgreSQL's errors mean: the caller's, the schema's, or one that another try may mend."""

import asyncpg

from nod.domain.errors import InvalidInput, Unavailable
from nod.store.port import ConstraintError, UniqueViolation


class Interrupted(Exception):
    """The transaction is lost and nothing of it is stored: it may be run once more.

    `detail` says what has happened to somebody who waits.
    """

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class Clash(Interrupted):
    """Two transactions stood in each other's way, and this one gave way."""


class Away(Interrupted):
    """The connection is of no use any more, or there is none to be had."""


class ReadOnly(Away):
    """The server, or the transaction, does not write."""


_STORED_NOTHING = "nothing was stored; Nod goes on by itself"
# By the beginning of the SQLSTATE, the longest first:
# https://www.postgresql.org/docs/current/errcodes-appendix.html
_AWAY: dict[str, str] = {
    "25006": "the database is a read-only replica",
    "25P03": "the connection to the database was idle for too long inside a transaction",
    "53300": "the database takes no more connections",
    "57P": "the database is shutting down or starting",
    "08": "the connection to the database is lost",
}
_UNAVAILABLE: dict[str, str] = {
    "53100": f"the disk of the database is full: {_STORED_NOTHING} once there is room",
    "53": f"the database is out of memory or of another resource: {_STORED_NOTHING}",
    "57014": f"the database took too long: {_STORED_NOTHING}",
    "55P03": f"a row of the database is locked by somebody else: {_STORED_NOTHING}",
    "58": f"the machine of the database reports an error: {_STORED_NOTHING}",
    "XX": f"the database reports an error in itself: {_STORED_NOTHING}; look into its log",
    "28": "the database does not let Nod in: check user and password in the database URL",
    "3D": "there is no such database: create it, or name another in the database URL",
    "42501": "the database user may not do this: make it the owner of the database",
}
_UNIQUE = "23505"
_READ_ONLY = "25006"
_RULES = "23"
_CLASHES = ("40001", "40P01")
# A NUL, in a text and in JSON, which no text here can hold or be compared with.
_NO_TEXT = ("22021", "22P05")
# The plan that was prepared no longer fits a schema that a newer node has changed.
_REPLAN = (asyncpg.InvalidCachedStatementError, asyncpg.OutdatedSchemaCacheError)


def translate(error: Exception) -> Exception:
    """The error as callers know it, `Interrupted` where trying again may help; an error of the
    program itself comes back as it is."""
    if isinstance(error, _REPLAN):
        return Clash("the schema of the database has just changed")
    if isinstance(error, asyncpg.TargetServerAttributeNotMatched):
        return ReadOnly(_AWAY[_READ_ONLY])
    if isinstance(error, TimeoutError):
        return Unavailable(_UNAVAILABLE["57014"])
    state = getattr(error, "sqlstate", None)
    if isinstance(state, str):
        return _by_state(state, error)
    if isinstance(error, OSError | asyncpg.InternalClientError) or _is_closed(error):
        return Away(f"{_AWAY['08']} ({str(error) or type(error).__name__})")
    return error


def _by_state(state: str, error: Exception) -> Exception:
    if state == _UNIQUE:
        return UniqueViolation(str(error))
    if state.startswith(_RULES):
        return ConstraintError(str(error))
    if state in _NO_TEXT:
        return InvalidInput("a text with a NUL character can be neither stored nor found")
    if state in _CLASHES:
        return Clash("another transaction stood in the way again and again")
    if state == _READ_ONLY:
        return ReadOnly(f"{_AWAY[state]} ({error})")
    for begin, cause in _AWAY.items():
        if state.startswith(begin):
            return Away(f"{cause} ({error})")
    for begin, cause in _UNAVAILABLE.items():
        if state.startswith(begin):
            return Unavailable(cause)
    return error


def _is_closed(error: Exception) -> bool:
    """Whether it is what asyncpg says of a connection that has ended."""
    words = ("closed", "has been released")
    return isinstance(error, asyncpg.InterfaceError) and any(each in str(error) for each in words)
