"""Plain English as tokens, and a reader that goes through them once: no pattern can run wild."""

import re

from nod.domain.day_words import MONTHS, WEEKDAYS

# "7:30pm", "1st", "1h30m" and "mon-fri" fall apart into numbers, words and signs.
_TOKEN = re.compile(r"[0-9]+|[a-z]+|[^\sa-z0-9]", re.ASCII)
_SAME = {
    "&": "and", "\u2013": "-", "\u2014": "-", "@": "at", "midday": "noon",
    "fortnightly": "biweekly", "annually": "yearly", "workdays": "weekdays", "workday": "weekday",
    "each": "every", "until": "to", "till": "to", "through": "to", "thru": "to",
    "mins": "minute", "minutes": "minute", "min": "minute", "m": "minute",
    "hours": "hour", "hrs": "hour", "hr": "hour", "h": "hour",
    "seconds": "sec", "secs": "sec", "s": "sec",
    "days": "day", "d": "day", "weeks": "week", "wk": "week", "w": "week",
    "months": "month", "quarters": "quarter", "years": "year",
}  # fmt: skip
NUMBERS = {
    name: number
    for number, name in enumerate(
        ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
         "twelve"),
        1,
    )
}  # fmt: skip
PLACES = {
    "first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7,
    "eighth": 8, "ninth": 9, "tenth": 10,
}  # fmt: skip
_MORE_DAYS = {"tues": 2, "weds": 3, "thur": 4, "thurs": 4}
DAYS = {
    **{name.lower(): i for i, name in enumerate(WEEKDAYS)},
    **{name[:3].lower(): i for i, name in enumerate(WEEKDAYS)},
    **_MORE_DAYS,
}
DAY_PLURALS = {f"{name}s": number for name, number in DAYS.items()}
MONTH_NAMES = {
    **{name.lower(): i for i, name in enumerate(MONTHS, 1)},
    **{name[:3].lower(): i for i, name in enumerate(MONTHS, 1)},
    "sept": 9,
}
# A number of more digits is no part of any time.
_DIGITS = 4


class Reader:
    """The tokens of a text, and the place up to which they are understood."""

    __slots__ = ("place", "tokens")

    def __init__(self, text: str) -> None:
        lower = text.lower().replace("o'clock", "").replace("a.m.", "am").replace("p.m.", "pm")
        found = _TOKEN.findall(lower)
        self.tokens = [_SAME.get(each, each) for each in found]
        self.place = 0

    @property
    def done(self) -> bool:
        return self.place >= len(self.tokens)

    def peek(self, ahead: int = 0) -> str:
        """The token so far ahead; empty after the end."""
        at = self.place + ahead
        return self.tokens[at] if at < len(self.tokens) else ""

    def take(self, *words: str) -> bool:
        """Go over these words, if they come next in this order."""
        if self.tokens[self.place : self.place + len(words)] != list(words):
            return False
        self.place += len(words)
        return True

    def any_of(self, *words: str) -> str:
        """Go over the next token if it is one of these; empty if not."""
        found = self.peek()
        if found not in words:
            return ""
        self.place += 1
        return found

    def pick(self, table: dict[str, int]) -> int | None:
        """Go over the next token if the table has it, and say what it stands for."""
        found = table.get(self.peek())
        if found is not None:
            self.place += 1
        return found

    def number(self, least: int, most: int) -> int | None:
        """Go over a number in this range, in digits or as a word."""
        text = self.peek()
        found = NUMBERS.get(text)
        if found is None and text.isdecimal() and len(text) <= _DIGITS:
            found = int(text)
        if found is None or not least <= found <= most:
            return None
        self.place += 1
        return found

    def listed(self) -> bool:
        """Go over what stands between two items of a list: a comma, "and", or both."""
        before = self.place
        self.take(",")
        self.any_of("and", "or")
        return self.place > before
