"""Wake-ups inside one process: whoever waits for a change of something looks again."""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class Changes:
    """Who waits for a change of which ids."""

    def __init__(self) -> None:
        self._waiting: dict[str, set[asyncio.Event]] = {}

    def notify(self, ids: Iterable[str]) -> None:
        """These things have changed, and the change is committed."""
        for each in ids:
            for event in self._waiting.get(each, ()):
                event.set()

    def release(self) -> None:
        """Wake everybody: anything may have changed, or the process is about to end."""
        self.notify(list(self._waiting))

    @contextmanager
    def watch(self, id_: str) -> Iterator[asyncio.Event]:
        """An event that is set when `id_` changes. Begin to watch before looking at the state."""
        event = asyncio.Event()
        self._waiting.setdefault(id_, set()).add(event)
        try:
            yield event
        finally:
            self._waiting[id_].discard(event)
            if not self._waiting[id_]:
                del self._waiting[id_]
