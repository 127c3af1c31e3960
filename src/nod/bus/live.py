"""Hints for open pages: which things of a person have just changed.

A page subscribes with the agents it may see and the time it was made. What it is told are topics:
the ids that a fact names, and the kinds of those ids (`runs`, `decisions`). It then asks for what
it shows of them, so a hint that is lost or told twice does no harm.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from nod.domain.instant import Instant

RESYNC = frozenset({"resync"})  # look at everything again
_MOST_TOPICS = 200
_ID = "_id"


class Stream:
    """What one open page has not been told yet. It grows to a bound, beyond which it is RESYNC."""

    __slots__ = ("_ready", "_topics", "closed")

    def __init__(self) -> None:
        self._topics: set[str] = set()
        self._ready = asyncio.Event()
        self.closed = False

    def tell(self, topics: Iterable[str]) -> None:
        """Add topics, to be taken when the page gets round to it."""
        self._topics.update(topics)
        if len(self._topics) > _MOST_TOPICS:
            self._topics = set(RESYNC)
        self._ready.set()

    def close(self) -> None:
        """No more will come."""
        self.closed = True
        self._ready.set()

    async def wait(self) -> None:
        """Until there is something to take, or the stream is closed."""
        await self._ready.wait()

    def take(self) -> frozenset[str]:
        """What has come since the last time."""
        taken = frozenset(self._topics)
        self._topics.clear()
        if not self.closed:
            self._ready.clear()
        return RESYNC if RESYNC & taken else taken


class Live:
    """The open pages of this process, by the person who looks at them."""

    def __init__(self, started_at: Instant) -> None:
        self._known_from = started_at  # what has changed before is not known here
        self._streams: defaultdict[str, set[Stream]] = defaultdict(set)
        self._owners: dict[str, str] = {}  # of agents, as far as anybody looks at them
        self._changed_at: dict[str, Instant] = {}  # agent or person, since the process started

    def __len__(self) -> int:
        return sum(len(each) for each in self._streams.values())

    @contextmanager
    def subscribe(self, user_id: str, agent_ids: Iterable[str], since: Instant) -> Iterator[Stream]:
        """The stream of a page that was made at `since`; what it missed meanwhile it is told."""
        stream = Stream()
        self._streams[user_id].add(stream)
        known = [user_id, *agent_ids]
        self._owners.update(dict.fromkeys(known[1:], user_id))
        if since < self._known_from or any(self._changed_at.get(id_, 0) >= since for id_ in known):
            stream.tell(RESYNC)
        try:
            yield stream
        finally:
            self._streams[user_id].discard(stream)
            if not self._streams[user_id]:
                self._forget(user_id)

    def record(self, facts: Iterable[Mapping[str, Any]], now: Instant) -> None:
        """These things have happened and are committed; each is the fields of a fact."""
        told: defaultdict[str, set[str]] = defaultdict(set)
        for fields in facts:
            agent_id = str(fields.get("agent_id") or "")
            owner = str(fields.get("user_id") or self._owners.get(agent_id, ""))
            self._changed_at[owner or agent_id] = now
            if owner in self._streams:
                told[owner].update(_topics(fields))
                if agent_id:
                    self._owners[agent_id] = owner
        for owner, topics in told.items():
            for stream in self._streams[owner]:
                stream.tell(topics)

    def resync(self, now: Instant) -> None:
        """Anything may have changed: every page made before `now` looks at everything again."""
        self._known_from = now
        for streams in self._streams.values():
            for stream in streams:
                stream.tell(RESYNC)

    def close(self) -> None:
        """The process is about to end: pages connect again, to whoever is there then."""
        for streams in self._streams.values():
            for stream in streams:
                stream.close()

    def _forget(self, user_id: str) -> None:
        del self._streams[user_id]
        for agent_id in [each for each, owner in self._owners.items() if owner == user_id]:
            del self._owners[agent_id]


def _topics(fields: Mapping[str, Any]) -> Iterator[str]:
    """The ids that a fact names and their kinds: `run_id` gives the id and `runs`."""
    for name, value in fields.items():
        if name.endswith(_ID) and isinstance(value, str):
            yield value
            yield f"{name.removesuffix(_ID)}s"
