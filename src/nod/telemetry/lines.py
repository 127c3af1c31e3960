"""How a fact reads in the log: one aligned line for people, or one JSON object for programs."""

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from nod.domain.instant import SECOND, Instant, rfc3339, to_datetime
from nod.domain.words import duration_words
from nod.store.effects import Fact

Fields = Mapping[str, Any]

_LABEL_CHARS = 16
_REASON_CHARS = 300

# Signs of life, each second from each agent, are no news; what is set aside has a line of its own,
# with where it failed.
QUIET = frozenset(
    {"thinking", "thinking_over", "context_added", "set_aside", "read", "at_node", "left_node"}
)
_WARNINGS = frozenset(
    {
        "delivery_failed",
        "event_dead",
        "login_failed",
        "task_paused",
        "task_failing",
        "notify_failed",
        "webhook_failing",
        "webhook_disabled",
    }
)

# What would let its reader in, wherever it stands: an agent's secret, a signing key, a trigger id.
_SECRET = re.compile(r"\bnod_[0-9a-f]{40}\b|\bwhsec_[A-Za-z0-9+/_=-]{16,}|\b[0-9a-f]{64}\b")
_SECRET_NAMES = re.compile(r"secret|password|token|authorization|cookie|_key$|trigger_id", re.I)
# What a terminal would obey, and what would begin a line that nobody wrote.
_CONTROLS = dict.fromkeys((*range(32), *range(127, 160), 0x2028, 0x2029), " ")
_COLOURS = {"warning": "\x1b[33m", "error": "\x1b[31m", "critical": "\x1b[31m"}
_DIM, _BOLD, _PLAIN = "\x1b[2m", "\x1b[1m", "\x1b[0m"


class Line(NamedTuple):
    """A line before it is text: a word for what happened, and a few words on it."""

    label: str
    text: str


def hide(text: str) -> str:
    """The text with every secret in it replaced."""
    return _SECRET.sub("[hidden]", text)


def hidden_fields(fields: Fields) -> dict[str, Any]:
    """The fields without the values of those that are named like a secret."""
    return {
        name: "[hidden]" if _SECRET_NAMES.search(name) and value else value
        for name, value in fields.items()
    }


def level(fact: Fact) -> str:
    """`warning` for what somebody may want to be woken for, else `info`."""
    failed = fact.name == "run_ended" and fact.fields.get("status") == "failed"
    return "warning" if failed or fact.name in _WARNINGS else "info"


def json_line(at: Instant, severity: str, event: str, fields: Fields) -> str:
    """One JSON object, without a line feed."""
    shown = {"time": _timestamp(at), "level": severity, "event": event, **hidden_fields(fields)}
    return msgspec.json.encode(shown, enc_hook=str).decode()


def human_line(at: Instant, severity: str, line: Line, *, colour: bool) -> str:
    """One line for a person, such as "21:40:03Z fired  tsk_…  run_…  0.02 s late"."""
    time = to_datetime(at).strftime("%H:%M:%SZ")
    label = f"{line.label.translate(_CONTROLS):<{_LABEL_CHARS}}"
    text = line.text.translate(_CONTROLS)
    if not colour:
        return f"{time} {label} {text}".rstrip()
    return f"{_DIM}{time}{_PLAIN} {_COLOURS.get(severity, _BOLD)}{label}{_PLAIN} {text}"


def fact_line(fact: Fact) -> Line:
    """What a fact says to a person."""
    fields = fact.fields
    if fact.name == "run_ended":
        return Line(str(fields.get("status")), _words(_subject(fields), _ended(fields)))
    label = fact.name.replace("_", " ")
    say = _SAID.get(fact.name, _plainly)
    return Line(label, _words(_subject(fields), say(fields)))


def field_words(fields: Fields) -> str:
    """Fields as `name=value`, those without a value left out."""
    shown = hidden_fields(fields).items()
    return "  ".join(f"{name}={_value(name, value)}" for name, value in shown if value is not None)


def _timestamp(at: Instant) -> str:
    return f"{to_datetime(at):%Y-%m-%dT%H:%M:%S}.{at % SECOND:03d}Z"


def _subject(fields: Fields) -> str:
    """Which task and run, else which agent."""
    task = fields.get("task_name") or fields.get("task_id")
    named = [str(each) for each in (task, fields.get("run_id")) if each]
    return "  ".join(named or [str(fields.get("agent_id") or "")])


def _late(fields: Fields) -> str:
    late_s = float(fields.get("late_s") or 0)
    late = f"{late_s:.2f} s" if late_s < 60 else duration_words(int(late_s))
    return f"{late} late"


def _delivered(fields: Fields) -> str:
    return f"{fields.get('type')} by {fields.get('channel')} in {fields.get('latency_ms')} ms"


def _not_delivered(fields: Fields) -> str:
    next_s = fields.get("next_s")
    again = "no further try" if next_s is None else f"next try in {duration_words(int(next_s))}"
    return f"by {fields.get('channel')}: {_reason(fields)}; {again}"


def _ended(fields: Fields) -> str:
    seconds = fields.get("seconds")
    took = "" if seconds is None else f"after {seconds:.1f} s"
    return _words(took, _short(fields.get("error") or fields.get("reason") or ""))


def _retry(fields: Fields) -> str:
    return f"in {fields.get('minutes')} min, because {fields.get('retry_of')} failed"


def _reason(fields: Fields) -> str:
    return _short(fields.get("reason") or "")


def _plainly(fields: Fields) -> str:
    known = ("task_id", "task_name", "run_id", "agent_id")
    return field_words({name: value for name, value in fields.items() if name not in known})


_SAID: dict[str, Callable[[Fields], str]] = {
    "fired": _late,
    "triggered": lambda _: "by a call",
    "skipped": _reason,
    "delivered": _delivered,
    "delivery_failed": _not_delivered,
    "dropped": _reason,
    "event_dead": _reason,
    "retry_planned": _retry,
    "task_paused": _reason,
    "task_failing": _reason,
    "task_recovered": _reason,
    "notify_failed": _reason,
    "webhook_failing": _reason,
    "webhook_disabled": _reason,
    "webhook_recovered": _reason,
}


def _value(name: str, value: Any) -> str:
    if name.endswith("_at") and isinstance(value, int):
        return rfc3339(value)
    return _short(value)


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= _REASON_CHARS else f"{text[:_REASON_CHARS]}…"


def _words(*parts: str) -> str:
    return "  ".join(part for part in parts if part)
