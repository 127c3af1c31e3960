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
                key, decision_id = json.loads(text.removeprefix(_ASKED))
                memory.asked[key] = decision_id
            else:
                memory.notes.append(text)
        memory.event = json.loads(event) if event else None
        return memory


def event_blocks(event: Event) -> list[str]:
    """The blocks that hold an event."""
    text = json.dumps(event)
    starts = range(0, len(text), _BLOCK_CHARS)
    return [_EVENT + text[start : start + _BLOCK_CHARS] for start in starts]


def asked_block(key: str, decision_id: str) -> str:
    """The block that holds which decision a question became."""
    return _ASKED + json.dumps([key, decision_id])
