"""Rows and values: a table's row and its dataclass have the same fields in the same order."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from operator import attrgetter
from typing import Any

from nod.domain import model

_TABLES: Mapping[str, type[Any]] = {
    "users": model.User,
    "agents": model.Agent,
    "tasks": model.Task,
    "runs": model.Run,
    "events": model.Event,
    "held_calls": model.HeldCall,
    "trusted_senders": model.TrustedSender,
    "refused_calls": model.RefusedCall,
    "deliveries": model.Delivery,
    "conversations": model.Conversation,
    "messages": model.Message,
    "images": model.Image,
    "decisions": model.Decision,
    "activity": model.Activity,
    "sessions": model.Session,
    "allow_rules": model.AllowRule,
    "notify_targets": model.NotifyTarget,
    "notices": model.Notice,
}
# `seq` is counted by the database, so it is read and never written.
_COUNTED = "seq"


def fragments() -> dict[str, str]:
    """What the SQL files may name in braces: `{tasks}` the columns, `{values_of_tasks}` their
    values for an INSERT, `{new_messages}` the columns without the counted one."""
    found = {}
    for table, kind in _TABLES.items():
        names = [each.name for each in fields(kind)]
        written = [name for name in names if name != _COUNTED]
        found[table] = ", ".join(names)
        found[f"new_{table}"] = ", ".join(written)
        found[f"values_of_{table}"] = ", ".join(f":{name}" for name in written)
    return found


def _reader(kind: type[Any]) -> Callable[[Any], tuple[Any, ...]]:
    return attrgetter(*(each.name for each in fields(kind) if each.name != _COUNTED))


_READERS = {kind: _reader(kind) for kind in _TABLES.values()}


def row(value: object) -> tuple[Any, ...]:
    """The fields of a value as `many` takes them for `{values_of_…}`."""
    return _READERS[type(value)](value)
