"""A stream of bytes as lines of JSON."""

import json
from collections.abc import Callable
from typing import Any

# A line that is longer is left out: a tool's output may stand in it whole.
_LONGEST_BYTES = 16 * 1024 * 1024


class Lines:
    """Hands on every line that is a JSON object; all else goes to `stray`."""

    def __init__(
        self, hear: Callable[[dict[str, Any]], None], stray: Callable[[bytes], None]
    ) -> None:
        self._hear = hear
        self._stray = stray
        self._begun = bytearray()
        self._too_long = False

    def add(self, chunk: bytes) -> None:
        """Takes the next bytes of the stream."""
        *ended, begun = chunk.split(b"\n")
        for part in ended:
            self._gather(part)
            self._end_line()
        self._gather(begun)

    def end(self) -> None:
        """The stream has ended, perhaps within a line."""
        if self._begun:
            self._end_line()

    def _gather(self, part: bytes) -> None:
        self._begun += part
        if len(self._begun) > _LONGEST_BYTES:
            self._begun.clear()
            self._too_long = True

    def _end_line(self) -> None:
        line, self._begun = bytes(self._begun), bytearray()
        was_too_long, self._too_long = self._too_long, False
        if was_too_long:
            return
        try:
            found = json.loads(line)
        except ValueError:
            found = None
        if isinstance(found, dict):
            self._hear(found)
        elif line.strip():
            self._stray(line + b"\n")
