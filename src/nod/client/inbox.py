"""Events on their way from the wire to the agent's code: each once, in order, bounded."""

import asyncio
from collections import OrderedDict, deque

from nod.client.types import Event

_TASK_EVENTS = ("task_due", "task_trigger")


class Seen:
    """Remembers the last `size` keys it was shown."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._keys: OrderedDict[str, None] = OrderedDict()

    def add(self, key: str) -> bool:
        """Whether the key is new. Either way it is now the most recent one."""
        new = key not in self._keys
        self._keys[key] = None
        self._keys.move_to_end(key)
        if len(self._keys) > self._size:
            self._keys.popitem(last=False)
        return new


def identity(event: Event) -> str | None:
    """What makes two deliveries the same event: the run for tasks, else the event's id."""
    run_id = event.get("run_id") if event.get("type") in _TASK_EVENTS else None
    key = run_id or event.get("event_id")
    return key if isinstance(key, str) else None


class Inbox:
    """A bounded queue that drops events it has seen, and that can end with an error."""

    def __init__(self, size: int, memory: int) -> None:
        self._size = size
        self._seen = Seen(memory)
        self._events: deque[Event] = deque()
        self._changed = asyncio.Condition()
        self._ended = False
        self._error: Exception | None = None

    async def put(self, event: Event) -> None:
        """Takes the event in, unless it has been before; waits while the inbox is full."""
        key = identity(event)
        if key is not None and not self._seen.add(key):
            return
        async with self._changed:
            await self._changed.wait_for(lambda: self._ended or len(self._events) < self._size)
            self._events.append(event)
            self._changed.notify_all()

    async def get(self) -> Event | None:
        """The next event; None after the end. Raises the error the inbox ended with."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._ended or bool(self._events))
            if self._events:
                event = self._events.popleft()
                self._changed.notify_all()
                return event
        self.check()
        return None

    def check(self) -> None:
        """Raises the error the inbox ended with, if it did."""
        if self._error is not None:
            raise self._error

    async def end(self, error: Exception | None = None) -> None:
        """Nothing more will come; what has come can still be taken. The first end counts."""
        async with self._changed:
            if not self._ended:
                self._ended, self._error = True, error
            self._changed.notify_all()
