"""What becomes of an agent's tasks when they are to be as declared, in words. Pure."""

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from nod.cli.budget_words import budget_words
from nod.domain.useful_until import parse_useful_until

_TIMES = ("run_at", "starts_at", "ends_at")
# Never shown, and never told by the server.
_UNTOLD = "verify_secret"

Kind = Literal["add", "change", "remove", "same"]


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to one task. `fields` are what is sent; `words` say it, a line each."""

    kind: Kind
    name: str
    task_id: str | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    words: Sequence[str] = ()


def changes(
    declared: Sequence[Mapping[str, Any]],
    there: Sequence[Mapping[str, Any]],
    describe: Callable[[Mapping[str, Any]], str],
    *,
    prune: bool,
) -> list[Change]:
    """The changes that make the tasks that are there be as declared, in the file's order.

    What a declared task does not name stays as it is. `prune`: what is not declared is removed.
    `describe` says in words when a task fires.
    """
    by_name = {task["name"]: task for task in there}
    found = [_change(task, by_name.get(task["name"]), describe) for task in declared]
    if prune:
        kept = {task["name"] for task in declared}
        found += [_removal(task) for task in there if task["name"] not in kept]
    return found


def _change(
    wanted: Mapping[str, Any],
    now: Mapping[str, Any] | None,
    describe: Callable[[Mapping[str, Any]], str],
) -> Change:
    name = wanted["name"]
    if now is None:
        return Change("add", name, None, wanted, [describe(wanted)])
    sent = {key: value for key, value in wanted.items() if not _same(key, value, now.get(key))}
    if not sent:
        return Change("same", name, now["id"])
    words = [line for key in sent for line in _words(key, sent[key], now, wanted, describe)]
    return Change("change", name, now["id"], sent, words)


def _removal(task: Mapping[str, Any]) -> Change:
    made_by = "the person made it" if task.get("created_by") == "user" else "the agent made it"
    return Change("remove", task["name"], task["id"], {}, [f"{made_by}; its runs are kept"])


def _same(key: str, wanted: Any, now: Any) -> bool:
    if key == _UNTOLD:  # what it is now, nobody tells
        return False
    if wanted is None or now is None:
        return (wanted or None) == (now or None)
    if key in _TIMES:
        return datetime.fromisoformat(wanted) == datetime.fromisoformat(now)
    if key == "useful_until":
        return parse_useful_until(str(wanted)) == str(now)
    if isinstance(wanted, str):
        return wanted.strip() == str(now).strip()
    same: bool = wanted == now
    return same


def _words(
    key: str,
    value: Any,
    now: Mapping[str, Any],
    wanted: Mapping[str, Any],
    describe: Callable[[Mapping[str, Any]], str],
) -> list[str]:
    match key:
        case "schedule":
            return [f"when: {describe(now)} → {describe({**now, **wanted})}"]
        case "prompt" | "description":
            return [f"{key}: {_lines(str(now.get(key) or ''), str(value))}"]
        case "enabled":
            return ["fires again" if value else "is paused"]
        case "verify_secret":
            return ["verify_secret: set"]
        case "budget":
            before, after = budget_words(now.get(key)), budget_words(value)
            return [f"budget: {before or 'none'} → {after or 'none'}"]
        case _:
            return [f"{key}: {_shown(now.get(key))} → {_shown(value)}"]


def _shown(value: Any) -> str:
    if value is None:
        return "none"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _lines(before: str, after: str) -> str:
    if "\n" not in before.strip() + after.strip():
        return f"“{before.strip()}” → “{after.strip()}”"
    marks = [line[0] for line in difflib.ndiff(before.splitlines(), after.splitlines())]
    return f"{marks.count('+')} lines added, {marks.count('-')} removed"
