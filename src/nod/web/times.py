"""Times as people say them: in their zone, in their language of dates, as near as they need.

"in 2 h 51 min", "tomorrow, 09:00", "Fri 27 Nov, 14:30"; the exact time stands beside it, in
`<time datetime>` and on hover. All of it is Babel's (CLDR) but for the words today and tomorrow.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from babel import Locale
from babel.dates import format_datetime, format_skeleton, format_time
from markupsafe import Markup

from nod.domain.errors import InvalidInput
from nod.domain.instant import HOUR, MINUTE, SECOND, Instant, rfc3339
from nod.domain.words import duration_words
from nod.domain.zones import local

_SOON = 6 * HOUR


@dataclass(frozen=True, slots=True)
class Times:
    """Instants in words for one person at one moment. `zone` is an IANA name."""

    zone: str
    locale: str
    now: Instant

    def clock(self, at: Instant) -> str:
        """The time of day: `09:02`, or `9:02 AM` where people write it so."""
        return format_time(self._local(at), "short", locale=self._babel)

    def exact_clock(self, at: Instant) -> str:
        """The time of day with its seconds: `09:02:30`."""
        return format_time(self._local(at), "medium", locale=self._babel)

    def day(self, at: Instant) -> str:
        """The day in a heading: `Today`, `Yesterday`, `Tomorrow`, `Mon 23 Nov`."""
        near = {-1: "Yesterday", 0: "Today", 1: "Tomorrow"}.get(self._days_off(at))
        return near or self.date(at)

    def date(self, at: Instant) -> str:
        """The date: `Mon 23 Nov`, with its year where that is another one."""
        return self._skeleton(at, "MMMEd" if self._same_year(at) else "yMMMEd")

    def short(self, at: Instant) -> str:
        """For the end of a line: `09:02`, `Yesterday`, `Sun`, `23 Nov`."""
        days = self._days_off(at)
        if days == 0:
            return self.clock(at)
        if days == -1:
            return "Yesterday"
        if -7 < days < 0:
            return self._skeleton(at, "E")
        return self._skeleton(at, "MMMd" if self._same_year(at) else "yMMMd")

    def when(self, at: Instant) -> str:
        """A time to come, or one past: `in 2 h 51 min`, `tomorrow, 09:00`, `Fri 27 Nov, 14:30`."""
        ahead = at - self.now
        if 0 <= ahead < MINUTE:
            return "in a moment" if ahead < 10 * SECOND else f"in {ahead // SECOND} s"
        if 0 < ahead < _SOON:
            return f"in {duration_words(ahead // MINUTE * 60)}"
        return self.at(at)

    def ahead(self, at: Instant) -> str:
        """How far away a time to come is: `in 2 h 51 min`, `today`, `tomorrow`, `in 4 days`."""
        days = self._days_off(at)
        if at - self.now < _SOON or days < 0:
            return self.when(at)
        return ("today", "tomorrow")[days] if days < 2 else f"in {days} days"

    def on(self, at: Instant) -> str:
        """The date and the time of a day, however near: `Fri 27 Nov, 14:30`."""
        return f"{self.date(at)}, {self.clock(at)}"

    def there(self, zone: str) -> "Times":
        """The same as the clocks of another zone show it."""
        return replace(self, zone=zone)

    def at(self, at: Instant) -> str:
        """Day and time: `today, 09:00`, `tomorrow, 09:00`, `Fri 27 Nov, 14:30`."""
        day = self.day(at)
        return f"{day.lower() if self._days_off(at) in (-1, 0, 1) else day}, {self.clock(at)}"

    def exact(self, at: Instant) -> str:
        """All there is to say of it, with the zone."""
        return format_datetime(self._local(at), "full", locale=self._babel)

    def tag(self, at: Instant, how: str = "short") -> Markup:
        """`<time>` with the words of the method named `how`, exact on hover."""
        words = getattr(self, how)(at)
        return Markup('<time datetime="{}" title="{}">{}</time>').format(
            rfc3339(at), self.exact(at), words
        )

    def iso(self, at: Instant) -> str:
        """For programs: RFC 3339."""
        return rfc3339(at)

    @property
    def iso_now(self) -> str:
        """The moment of the page, for `<time>`."""
        return rfc3339(self.now)

    @property
    def _babel(self) -> Locale:
        return Locale.parse(self.locale)

    def _local(self, at: Instant) -> datetime:
        try:
            return local(at, self.zone)
        except InvalidInput:  # a zone that the zone data no longer has
            return local(at, "UTC")

    def _days_off(self, at: Instant) -> int:
        return (self._local(at).date() - self._local(self.now).date()).days

    def _same_year(self, at: Instant) -> bool:
        return self._local(at).year == self._local(self.now).year

    def _skeleton(self, at: Instant, skeleton: str) -> str:
        return format_skeleton(skeleton, self._local(at), locale=self._babel)
