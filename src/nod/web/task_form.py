"""The form of a task: what stands in its fields, and what that says. Values in, values out.

The fields have the names of the API. What stands as it stood when the form was made is left out of
a change, so that saving one field moves no fire and undoes nothing that was changed elsewhere.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from nod.domain.budget import budget_words
from nod.domain.errors import InvalidInput
from nod.domain.instant import Instant, rfc3339
from nod.domain.limits import Limits
from nod.domain.model import Task
from nod.domain.task_fields import TaskFields
from nod.domain.typed import (
    clock_typed,
    length_typed,
    read_clock,
    read_length,
    schedule_typed,
)
from nod.web import budget_form

Typed = Mapping[str, str]

LABELS = {
    "name": "Name",
    "prompt": "What should it do?",
    "when": "When",
    "timezone": "Time zone",
    "notify": "Tell me about",
    "overlap": "If the run before is still going",
    "useful_until": "Useful until",
    "timeout_s": "Stop a run after",
    "max_attempts": "Attempts",
    "idempotent": "It does no harm to run it twice",
    "pause_after_failures": "Pause it after failures in a row",
    "catch_up": "After Nod was down",
    "catch_up_window_s": "Catch up on what was missed by at most",
    "starts_at": "From",
    "ends_at": "Until",
    "spread_s": "Spread",
    **budget_form.LABELS,
    "description": "Note",
}
FIELDS = tuple(LABELS)
SCHEDULING = ("when", "timezone", "starts_at", "ends_at", "spread_s")
# What the API calls the parts of what is one field here.
PLACES = {"schedule": "when", "run_at": "when"}
# Texts may be long, and read back to themselves: they are given in any case.
_TEXTS = frozenset({"name", "prompt", "description"})
# By the clock of the zone: another zone gives them another meaning.
_BY_THE_CLOCK = ("when", "starts_at", "ends_at")

NOTIFY = {
    "always": "every result",
    "failures": "only failures",
    "changes": "only when the result changed",
    "silent": "nothing",
}
OVERLAP = {
    "skip": "skip the new one",
    "queue": "let the new one wait",
    "allow": "run both",
    "cancel_previous": "cancel the earlier one",
}
CATCH_UP = {
    "latest": "run the latest missed one",
    "all": "run all missed ones",
    "skip": "let them pass",
}


def blank(limits: Limits) -> dict[str, str]:
    """The fields of a task to be made. An empty choice follows from the schedule."""
    return {
        **dict.fromkeys(FIELDS, ""),
        "notify": "always",
        "catch_up": "latest",
        "timeout_s": length_typed(limits.timeout_s),
        "max_attempts": "1",
        "pause_after_failures": str(limits.pause_after_failures),
    }


def as_typed(task: Task) -> dict[str, str]:
    """The fields of a task that is there."""
    return {
        "name": task.name,
        "prompt": task.prompt,
        "when": _in_zone(lambda: schedule_typed(task.schedule, task.run_at, task.timezone)),
        "timezone": task.timezone,
        "notify": task.notify,
        "overlap": task.overlap,
        "useful_until": _useful_typed(task.useful_until),
        "timeout_s": length_typed(task.timeout_s),
        "max_attempts": str(task.max_attempts),
        "idempotent": "yes" if task.idempotent else "",
        "pause_after_failures": str(task.pause_after_failures),
        "catch_up": task.catch_up,
        "catch_up_window_s": _length_or_nothing(task.catch_up_window_s),
        "starts_at": _bound(task.starts_at, task.timezone),
        "ends_at": _bound(task.ends_at, task.timezone),
        "spread_s": _length_or_nothing(task.spread_s or None),
        "description": task.description,
        **budget_form.budget_typed(task.budget),
    }


def kept(given: Typed) -> str:
    """What `fields_of` is to compare with when the form comes back."""
    short = {name: text for name, text in given.items() if name not in _TEXTS}
    return msgspec.json.encode(short).decode()


def read_kept(text: str) -> dict[str, str]:
    """The same; nothing where the form brought none."""
    try:
        return msgspec.json.decode(text, type=dict[str, str])
    except msgspec.DecodeError:
        return {}


def fields_of(given: Typed, was: Typed, timezone: str, names: Iterable[str] = FIELDS) -> TaskFields:
    """What the form says in those fields, as any caller of the API would write it.

    `timezone` is the one that counts where the form names none. Raises InvalidInput naming the
    field.
    """
    zone = given["timezone"] or timezone
    moved = "timezone" in was and given["timezone"] != was["timezone"]
    changed = [
        name
        for name in names
        if given[name] != was.get(name) or (moved and name in _BY_THE_CLOCK and given[name])
    ]
    wanted = {
        name: given[name] if name in _TEXTS else _value(name, given[name].strip(), zone)
        for name in changed
        if name not in budget_form.FIELDS
    }
    if not set(budget_form.FIELDS).isdisjoint(changed):
        budget = budget_form.read_typed(given)
        wanted["budget"] = None if budget is None else msgspec.to_builtins(budget)
    try:
        return msgspec.convert(_without_empty_choices(wanted), TaskFields)
    except msgspec.ValidationError as error:
        raise InvalidInput("choose from what the form offers") from error


def _without_empty_choices(wanted: dict[str, Any]) -> dict[str, Any]:
    """An empty choice leaves the default."""
    return {name: value for name, value in wanted.items() if value != "" or name in _TEXTS}


def _value(name: str, text: str, timezone: str) -> Any:
    """What the text in a field means to the API. Raises InvalidInput naming the field."""
    match name:
        case "when":
            return text or " "  # refused as missing, where an empty choice would be passed over
        case "timezone":
            return text or None
        case "starts_at" | "ends_at":
            return rfc3339(read_clock(text, timezone, name)) if text else None
        case "useful_until":
            return _usefulness(text)
        case "timeout_s":
            return read_length(text, name)
        case "catch_up_window_s":
            return read_length(text, name) if text else None
        case "spread_s":
            return read_length(text, name) if text else 0
        case "max_attempts" | "pause_after_failures":
            return _count(text, name)
        case "idempotent":
            return text == "yes"
        case _:
            return text


def _usefulness(text: str) -> str | None:
    """A time of day as it is; a length of time in seconds."""
    if not text or ":" in text:
        return text or None
    try:
        return f"{read_length(text, 'useful_until')}s"
    except InvalidInput as error:
        problem = (
            'takes a time of day such as "10:00", or a length of time such as "90 min";'
            f" got {text[:40]!r}"
        )
        raise InvalidInput(problem, field="useful_until") from error


def _count(text: str, name: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 16):
        raise InvalidInput(f"takes a whole number; got {text[:40]!r}", field=name)
    return int(text)


def _useful_typed(spec: str | None) -> str:
    if spec is None or ":" in spec:
        return spec or ""
    return length_typed(read_length(spec, "useful_until"))


def _length_or_nothing(seconds: int | None) -> str:
    return "" if seconds is None else length_typed(seconds)


def _bound(at: Instant | None, timezone: str) -> str:
    return "" if at is None else _in_zone(lambda: clock_typed(at, timezone))


def _in_zone(typed: Callable[[], str]) -> str:
    """Nothing for a zone that the zone data no longer has; the form then asks for another."""
    try:
        return typed()
    except InvalidInput:
        return ""


# what is folded away, in a line

_OVERLAP_SAID = {
    "skip": "skip if still running",
    "queue": "wait if still running",
    "allow": "run beside one still running",
    "cancel_previous": "cancel one still running",
}
_CATCH_UP_SAID = {"all": "catch up on all that was missed", "skip": "do not catch up"}
_NOTIFY_SAID = {
    "always": "tell me always",
    "failures": "tell me of failures",
    "changes": "tell me of changes",
    "silent": "tell me nothing",
}


def choices_said(given: Typed, limits: Limits, *, called: bool) -> str:
    """The choices in a line: `Skip if still running · stop after 1 h · tell me always`."""
    overlap = given["overlap"] or ("queue" if called else "skip")
    parts = [
        _OVERLAP_SAID.get(overlap, ""),
        _said("worthless after {}", given["useful_until"]),
        _said("stop after {}", given["timeout_s"]),
        _said("{} attempts", given["max_attempts"], usual="1"),
        _said(
            "pause after {} failures",
            given["pause_after_failures"],
            usual=str(limits.pause_after_failures),
        ),
        "" if called else _CATCH_UP_SAID.get(given["catch_up"], ""),
        "" if called else _said("spread over {}", given["spread_s"]),
        _NOTIFY_SAID.get(given["notify"], ""),
        _budget_said(given),
    ]
    line = " · ".join(each for each in parts if each)
    return line[:1].upper() + line[1:]


def _budget_said(given: Typed) -> str:
    try:
        budget = budget_form.read_typed(given)
    except InvalidInput:
        return ""
    return "" if budget is None else f"at most {budget_words(budget)}"


def _said(words: str, text: str, usual: str = "") -> str:
    shown = " ".join(text.split())
    return "" if shown in ("", usual) else words.format(shown[:40])
