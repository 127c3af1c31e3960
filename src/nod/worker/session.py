"""Which session of a program belongs to a run: noted in the run's scratchpad.

There it outlasts the worker, and with it the machine the worker ran on.
"""

import re
from collections.abc import Sequence

from nod.client.types import ContextBlock

_NOTE = re.compile(r"\[nod work\] ([a-z-]+) session ([A-Za-z0-9_][A-Za-z0-9_.-]{0,199})\n")


def note(recipe: str, session: str, folder: str) -> str | None:
    """The block to keep; None for an id that could not be given back on a command line."""
    text = (
        f"[nod work] {recipe} session {session}\n"
        f"The run is worked on in this session, in {folder}. After a restart it goes on there."
    )
    found = _NOTE.match(text)
    return text if found and found[2] == session else None


def session_of(blocks: Sequence[ContextBlock], recipe: str) -> str | None:
    """The newest session of the recipe that the scratchpad names."""
    for block in reversed(blocks):
        found = _NOTE.match(block["text"])
        if found and found[1] == recipe:
            return found[2]
    return None


def without_notes(blocks: Sequence[ContextBlock]) -> list[ContextBlock]:
    """The scratchpad less the worker's own blocks."""
    return [block for block in blocks if not _NOTE.match(block["text"])]
