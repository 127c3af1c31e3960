"""Instants: integers, milliseconds since 1970-01-01T00:00:00 UTC, in memory and in every database.

One integer unit compares right everywhere; text and floats do not. On the wire an instant is
RFC 3339 in UTC with a `Z` and whole seconds.
"""

import re
from datetime import UTC, datetime, timedelta

from nod.domain.errors import InvalidInput

Instant = int

SECOND: Instant = 1000
MINUTE: Instant = 60 * SECOND
HOUR: Instant = 60 * MINUTE
DAY: Instant = 24 * HOUR

# RFC 3339, section 5.6: an offset is required, so that no zone has to be guessed.
_RFC3339 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
# Schedules have fires in these years (domain/schedule.py), and no zone's clock leaves the calendar.
_FIRST: Instant = 0
_LAST: Instant = 7_258_118_400_000  # 2200-01-01T00:00:00Z


def to_datetime(at: Instant) -> datetime:
    """The instant as an aware datetime in UTC."""
    return _EPOCH + at * _MILLISECOND


def from_datetime(moment: datetime) -> Instant:
    """The aware datetime as an instant; fractions of a millisecond are dropped."""
    return (moment - _EPOCH) // _MILLISECOND


def rfc3339(at: Instant) -> str:
    """The instant as the wire shows it: `2025-09-01T10:30:00Z`."""
    return datetime.fromtimestamp(at // SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_rfc3339(text: str, field: str) -> Instant:
    """Read an RFC 3339 time with an offset, from 1970 to 2199.

    Raises InvalidInput naming `field`.
    """
    try:
        if not _RFC3339.fullmatch(text):
            raise ValueError(text)
        at = from_datetime(datetime.fromisoformat(text.upper()))
    except ValueError:
        raise InvalidInput(
            "must be a time with its offset, such as 2025-09-01T10:30:00Z"
            f" or 2025-09-01T12:30:00+02:00; got {text[:64]!r}",
            field=field,
        ) from None
    if not _FIRST <= at < _LAST:
        raise InvalidInput(f"must be between 1970 and 2199; got {text}", field=field)
    return at
