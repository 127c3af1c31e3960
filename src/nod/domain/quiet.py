"""A person's quiet hours and morning, in their own zone. Pure.

Both are minutes after midnight on the wall clock, so they move with daylight saving: where the
clock skips such a minute, the moment of the change stands for it; where it shows it twice, quiet
hours end at each, and the morning comes at the first.
"""

from datetime import datetime, time, timedelta

from nod.domain.instant import DAY, HOUR, Instant
from nod.domain.model import User
from nod.domain.zones import known_timezone, local, read

# What counts as the night of a person who has a morning and no quiet hours.
_NIGHT = 12 * HOUR


def has_quiet_hours(user: User) -> bool:
    """Whether there is a time without notices. From a minute to the same minute is none."""
    return None not in (user.quiet_from, user.quiet_until) and user.quiet_from != user.quiet_until


def is_quiet(user: User, at: Instant) -> bool:
    """Whether the person wants to hear nothing at that moment."""
    wall = local(at, known_timezone(user.timezone))
    return _inside(user, wall.hour * 60 + wall.minute)


def quiet_end(user: User, at: Instant) -> Instant:
    """When the quiet hours end that `at` lies in; `at` itself outside of them."""
    if user.quiet_until is None or not is_quiet(user, at):
        return at
    return _next(user, user.quiet_until, at)


def morning_after(user: User, at: Instant) -> Instant | None:
    """When, after `at`, the person's night is summed up; None: never.

    That is at `morning_at`, but not in quiet hours; without one it is when they end.
    """
    minute = user.morning_at
    if has_quiet_hours(user) and (minute is None or _inside(user, minute)):
        minute = user.quiet_until
    return None if minute is None else _next(user, minute, at)


def night_before(user: User, morning: Instant) -> Instant:
    """When the night began that ends with the morning: with the quiet hours, else 12 hours ago."""
    if user.quiet_from is None or not has_quiet_hours(user):
        return morning - _NIGHT
    # A day has 23 to 25 hours: what begins after the last but one is the last before the morning.
    first = _next(user, user.quiet_from, morning - DAY - HOUR)
    second = _next(user, user.quiet_from, first)
    return second if second < morning else first


def _inside(user: User, minute: int) -> bool:
    start, end = user.quiet_from, user.quiet_until
    if start is None or end is None:
        return False
    if start <= end:
        return start <= minute < end
    return minute >= start or minute < end


def _next(user: User, minute: int, after: Instant) -> Instant:
    """The first moment after `after` at which the person's clock shows that minute."""
    zone = known_timezone(user.timezone)
    today = local(after, zone).date()
    shown = time(minute // 60, minute % 60)
    days = (today + timedelta(days=each) for each in range(-1, 3))
    return next(
        at for day in days for at in read(datetime.combine(day, shown), zone).instants if at > after
    )
