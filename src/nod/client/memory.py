"""What a run keeps in its scratchpad so that its handler finds its way after a restart.

Two kinds of blocks are the package's own: the event that brought the run, stored before its first
question, in as many blocks as it takes; and each question's key with the id of its decision. All
other blocks are the agent's.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from nod.client.types import Event

_EVENT = "nod-sdk/event "
_ASKED = "nod-sdk/asked "
# Below the 64 KiB that a block may hold; what is written is ASCII, so characters are bytes.
_BLOCK_CHARS = 60_000


@dataclass
class Memory:
    """A scratchpad, sorted. `asked` maps the key of a question to its decision."""

    event: Event | None = None
    asked: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, blocks: Iterable[Mapping[str, Any]]) -> "Memory":
        """Sorts the blocks of a scratchpad, the oldest first."""
        memory, event = cls(), ""
        for text in (str(block.get("text", "")) for block in blocks):
            if text.startswith(_EVENT):
                event += text.removeprefix(_EVENT)
            elif text.startswith(_ASKED):
                memory._take(text.removeprefix(_ASKED))
            else:
                memory.notes.append(text)
        memory.event = _json_object(event)
        return memory

    def _take(self, asked: str) -> None:
        """A block that somebody else wrote in our form is passed over."""
        match _json_object(asked):
            case {"key": str(key), "decision_id": str(decision_id)}:
                self.asked[key] = decision_id


def _json_object(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def event_blocks(event: Event) -> list[str]:
    """The blocks that hold an event."""
    text = json.dumps(event)
    starts = range(0, len(text), _BLOCK_CHARS)
    return [_EVENT + text[start : start + _BLOCK_CHARS] for start in starts]


def asked_block(key: str, decision_id: str) -> str:
    """The block that holds which decision a question became."""
    return _ASKED + json.dumps({"key": key, "decision_id": decision_id})
