"""What a person types about when a task is to run, as a schedule: "every weekday at 9".

A grammar of our own, because nothing well kept reads plain English as cron: `recurrent` (last
release 2021, on parsedatetime of 2020) gives calendar rules that cron mostly cannot say and guesses
where it does not understand; `dateparser` is kept and reads dates only, in 200 languages, at the
price of megabytes and of guessing as well; cron-descriptor goes the other way. Here every word has
to be understood, what a schedule cannot say is refused with the reason, and the words that
`words.py` finds for the schedule read back to the same one.

Ambiguities take the least surprising reading, and the sentence a person confirms says which:
hours have 24 unless am, pm or a part of the day is named; a time without a day is the next one; a
single day without "every" is meant once; a day without a time means 09:00.
"""

import difflib
import re
from dataclasses import dataclass

from nod.domain.cron import check_cron
from nod.domain.errors import InvalidInput
from nod.domain.instant import Instant, parse_rfc3339
from nod.domain.phrase_dates import moment_of
from nod.domain.phrase_parts import read_parts
from nod.domain.phrase_rules import rule_of
from nod.domain.phrase_tokens import DAYS, MONTH_NAMES, Reader
from nod.domain.zones import check_timezone

# As long as the longest cron expression.
_LONGEST = 600
# Two fields of numbers and three more: no phrase begins like that.
_CRON = re.compile(r"@|[0-9*][0-9*,/-]* [0-9*][0-9*,/-]*( \S+){3}$", re.ASCII)
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\S+([Zz]|[+-]\d\d:\d\d)$", re.ASCII)
_CALLED = frozenset({"event", "webhook", "call", "called", "trigger", "push", "request", "hook"})
_WHEN = ("when", "whenever", "if", "as")
# Words of time: a phrase with one of them is not about a call.
_TIME = frozenset({
    "every", "day", "week", "month", "hour", "minute", "tomorrow", "today", "tonight", "morning",
    "evening", "noon", "midnight", "am", "pm", *DAYS, *MONTH_NAMES,
}) - {"may"}  # fmt: skip
_EXAMPLES = (
    "every weekday at 9", "every day at 7:30 pm", "mondays and thursdays at 10",
    "weekends at noon", "first monday of the month at 9", "last friday of the month at 14:30",
    "every 15 minutes", "every 6 hours", "every hour from 9 to 17 on weekdays", "twice a day",
    "on the 1st and 15th at 8", "last day of the month at 18:00", "quarterly",
    "yearly on 24 december at 18:00", "tomorrow at 9", "in 20 minutes", "next tuesday at 14:00",
    "on 24 december at 18:00", "2030-12-01 09:00", "when something calls",
)  # fmt: skip
_FALLBACK = ("every weekday at 9", "tomorrow at 9", "first monday of the month at 9")
_COMPARED = 80


@dataclass(frozen=True, slots=True)
class When:
    """A schedule as a task has it: cron, "event", or "once" with the instant in `run_at`."""

    schedule: str
    run_at: Instant | None = None


def read_when(text: str, timezone: str, now: Instant) -> When:
    """What the phrase means in the zone. A cron expression and "event" stay as they are.

    Raises InvalidInput with examples near to it for what is not understood, and with the reason
    for what cannot be a schedule.
    """
    check_timezone(timezone)
    if len(text) > _LONGEST:
        raise _unclear(text)
    text = " ".join(text.split())
    if _CRON.match(text) or "*" in text:
        return When(check_cron(text))
    if _INSTANT.match(text):
        return When("once", _to_come(parse_rfc3339(text, "the time"), now))
    reader = Reader(text)
    if _is_event(reader.tokens):
        return When("event")
    parts = read_parts(reader)
    if parts is None or not reader.tokens:
        raise _unclear(text)
    at = moment_of(parts, timezone, now)
    if at is not None:
        return When("once", _to_come(at, now))
    cron = rule_of(parts)
    if cron is None:
        raise _unclear(text)
    return When(check_cron(cron))


def _to_come(at: Instant, now: Instant) -> Instant:
    if at <= now:
        raise InvalidInput(
            'That time has passed; name one to come, such as "tomorrow at 9" or "in 20 minutes".'
        )
    return at


def _is_event(tokens: list[str]) -> bool:
    """Whether it is a call from outside that starts the task: "when GitHub pushes"."""
    if tokens and tokens[0] in _WHEN:
        plain = not any(each.isdecimal() or each in _TIME for each in tokens)
        return plain and len(tokens) > 1
    few = [each for each in tokens if each not in ("on", "an", "a", "by", "every", "any")]
    return bool(few) and all(each.rstrip("s") in _CALLED for each in few)


def _unclear(text: str) -> InvalidInput:
    """Not understood: the sentence has examples that look like what was typed."""
    typed = text[:_COMPARED].lower()
    words = set(typed.split())

    def likeness(example: str) -> float:
        shared = len(words.intersection(example.split()))
        return shared + difflib.SequenceMatcher(None, typed, example, autojunk=False).ratio()

    ranked = sorted(_EXAMPLES, key=likeness, reverse=True)
    best = ranked[:3] if likeness(ranked[0]) > 0.6 else _FALLBACK
    shown = ", ".join(f'"{each}"' for each in best[:2])
    return InvalidInput(
        f'It is not clear when "{text[:_COMPARED]}" is; try {shown} or "{best[2]}",'
        ' or a cron expression such as "0 9 * * 1-5".'
        if text.strip()
        else f'Say when it is to run, such as {shown} or "{best[2]}".'
    )
