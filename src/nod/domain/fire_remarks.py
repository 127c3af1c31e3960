"""What to say beside one of several fires in a list. Pure."""

from collections.abc import Sequence
from itertools import pairwise

from nod.domain.instant import DAY, Instant
from nod.domain.zones import offset

_SOON: Instant = 7 * DAY


def fire_remarks(fires: Sequence[Instant], timezone: str) -> tuple[str, ...]:
    """A remark for each of the fires, ascending; most are empty.

    The last fire before the zone's clock changes says so when the change is at most a week ahead.
    """
    if len(fires) < 2:
        return ("",) * len(fires)
    # What follows the last one is not known here; it is taken to come as the last one came.
    following = [*fires, 2 * fires[-1] - fires[-2]]
    return tuple(
        "clock change soon" if _changes(at, min(next_, at + _SOON), timezone) else ""
        for at, next_ in pairwise(following)
    )


def _changes(since: Instant, until: Instant, timezone: str) -> bool:
    return offset(since, timezone) != offset(until, timezone)
