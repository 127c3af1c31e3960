"""Instants: integers, milliseconds since 1970-01-01T00:00:00 UTC, in memory and in every database.

One integer unit compares right everywhere; text and floats do not. On the wire an instant is
RFC 3339 in UTC with a `Z` and whole seconds.
"""

import re
from datetime import UTC, datetime

from nod.domain.errors import InvalidInput

Instant = int

SECOND: Instant = 1000
MINUTE: Instant = 60 * SECOND
HOUR: Instant = 60 * MINUTE
DAY: Instant = 24 * HOUR

# RFC 3339, section 5.6: an offset is required, so that no zone has to be guessed.
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def to_datetime(at: Instant) -> datetime:
    """The instant as an aware datetime in UTC."""
    return datetime.fromtimestamp(at / SECOND, UTC)


def from_datetime(moment: datetime) -> Instant:
    """The aware datetime as an instant; fractions of a millisecond are dropped."""
    return int(moment.timestamp()) * SECOND + moment.microsecond // 1000


def rfc3339(at: Instant) -> str:
    """The instant as the wire shows it: `2025-09-01T10:30:00Z`."""
    return datetime.fromtimestamp(at // SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_rfc3339(text: str, field: str) -> Instant:
    """Read an RFC 3339 time with an offset. Raises InvalidInput naming `field`."""
    try:
        if not _RFC3339.fullmatch(text):
            raise ValueError(text)
        return from_datetime(datetime.fromisoformat(text.upper()))
    except (ValueError, OverflowError, OSError):
        raise InvalidInput(
            f"{field} must be a time with its offset, such as 2025-09-01T10:30:00Z"
            f" or 2025-09-01T12:30:00+02:00; got {text[:64]!r}"
        ) from None
