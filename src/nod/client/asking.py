"""A question that a command waits for, over the command's own end.

`nod work` names a file by NOD_ASKED_FILE in which the commands of a run note what they have asked
and which answers they have had. So a command that was ended while it waited, and asks the same
again, waits for the same card; and an answer that was waited for is not told to the program once
more.
"""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from nod.client.client import Client
from nod.client.types import Decision

ASKED_FILE = "NOD_ASKED_FILE"


def ask_and_wait(
    client: Client, title: str, fields: dict[str, Any], timeout_s: float | None = None
) -> Decision:
    """The answer; with `timeout_s` perhaps `pending` still. Asks only what is not asked already."""
    file = os.environ.get(ASKED_FILE)
    if not file:
        return client.ask_and_wait(title, timeout_s=timeout_s, **fields)
    notes = Path(file)
    request = hashlib.sha256(json.dumps([title, fields], sort_keys=True).encode()).hexdigest()
    decision_id = _open(notes, request)
    if decision_id is None:
        decision_id = client.ask(title, **fields)["decision_id"]
        _note(notes, {"asked": decision_id, "request": request})
    decision = client.wait_for(decision_id, timeout_s=timeout_s)
    if decision["status"] != "pending":
        _note(notes, {"had": decision_id})
    return decision


def answers_had(notes: Path) -> set[str]:
    """The ids of the decisions whose answers a command has had."""
    return {each["had"] for each in _read(notes) if "had" in each}


def _open(notes: Path, request: str) -> str | None:
    """The question that was asked in these words and whose answer nobody has had."""
    had = answers_had(notes)
    asked = [each["asked"] for each in _read(notes) if each.get("request") == request]
    return next((each for each in asked if each not in had), None)


def _read(notes: Path) -> list[dict[str, str]]:
    try:
        return [json.loads(line) for line in notes.read_text(encoding="utf-8").splitlines()]
    except (FileNotFoundError, ValueError):
        return []


def _note(notes: Path, note: dict[str, str]) -> None:
    # One short write at the end of the file is whole, also where several commands write.
    with notes.open("a", encoding="utf-8") as file:
        file.write(json.dumps(note) + "\n")
