"""Keeping what a command prints: all of it up to a size, beyond that its beginning and its end."""

from collections import deque


class Capture:
    """The first `head_bytes` and the last `tail_bytes` of a stream, and how long it was."""

    def __init__(self, head_bytes: int, tail_bytes: int) -> None:
        self._head = bytearray()
        self._head_bytes = head_bytes
        self._tail: deque[bytes] = deque()
        self._tail_bytes = tail_bytes
        self._tail_held = 0
        self._total = 0

    def add(self, chunk: bytes) -> None:
        """Takes the next bytes of the stream."""
        self._total += len(chunk)
        room = self._head_bytes - len(self._head)
        self._head += chunk[:room]
        if rest := chunk[room:]:
            self._tail.append(rest)
            self._tail_held += len(rest)
            while self._tail and self._tail_held - len(self._tail[0]) >= self._tail_bytes:
                self._tail_held -= len(self._tail.popleft())

    def text(self) -> str:
        """What was kept as text, with a line that says how many bytes are missing, if any are.

        Bytes that are not UTF-8, and NUL, which no database stores, become U+FFFD.
        """
        tail = b"".join(self._tail)[-self._tail_bytes :] if self._tail_bytes else b""
        missing = self._total - len(self._head) - len(tail)
        if missing == 0:
            return _text(bytes(self._head) + tail)
        return f"{_text(bytes(self._head))}{gap(missing)}{_text(tail)}"


def shorten(text: str, limit_bytes: int) -> str:
    """The text, or its beginning and end around a line about the gap, in `limit_bytes` of UTF-8."""
    data = text.encode()
    if len(data) <= limit_bytes:
        return text
    room = max(0, limit_bytes - len(gap(len(data)).encode()))
    head, tail = data[: room * 3 // 4], data[len(data) - room // 4 :]
    missing = len(data) - len(head) - len(tail)
    return f"{head.decode(errors='ignore')}{gap(missing)}{tail.decode(errors='ignore')}"


def gap(missing: int) -> str:
    """The line in place of what was left out."""
    return f"\n\n[… {missing} bytes left out here: the output was larger than a run may keep …]\n\n"


def _text(data: bytes) -> str:
    return data.decode(errors="replace").replace("\x00", "\ufffd")
