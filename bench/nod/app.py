"""What the app's pages cost: opening a conversation, and holding streams open."""

from __future__ import annotations

import asyncio
import gzip
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.child import Work
from bench.nod.caller import Caller
from bench.nod.seed import SeededAgent, seeding
from bench.nod.server import Server, serving
from bench.sample import Sample, percentile, spread
from nod.actions.accounts import owner_of_new_agents
from nod.actions.chat import MessageFields, agent_message
from nod.actions.sessions import open_session
from nod.domain.task_fields import TaskFields
from nod.store.store import Tx

OPENINGS = 100
SETTLE_S = 2.0
PER_TRANSACTION = 1_000
NOT_DUE = TaskFields(name="Never", prompt="None.", schedule="event")

WORDS = (
    "Three pull requests wait: **retry with jitter**, `drop-3.10` and the quickstart.",
    "| disk | used |\n|---|---|\n| root | 61 % |\n| data | 84 % |",
    "It was the cache:\n\n```python\n@lru_cache(maxsize=512)\ndef rate(): ...\n```",
    "Nothing new since yesterday.",
)


def usual_words(number: int) -> str:
    """What the agent says in its message of that number."""
    return WORDS[number % len(WORDS)]


@dataclass(frozen=True, slots=True)
class Reader:
    """A person with a conversation, and what their browser says of itself."""

    agent: SeededAgent
    conversation_id: str
    token: str

    @property
    def headers(self) -> dict[str, str]:
        """What every request of the browser carries."""
        return {"Cookie": f"nod={self.token}", "Accept-Encoding": "gzip"}


async def chat(work: Work) -> Sample:
    """Open a conversation of `work.jobs` messages again and again."""
    data_dir = Path(work.target).parent
    reader = await seeded(data_dir, work.jobs)
    address = f"/chats/{reader.conversation_id}"
    async with serving(data_dir) as server:
        caller = await Caller.connect(server.host, server.port)
        first = await timed(caller, address, reader)
        took = sorted([await timed(caller, address, reader) for _ in range(OPENINGS)])
        page = (await caller.call("GET", address, None, reader.headers)).body
        caller.close()
    return {
        "first": first * 1000,
        "p50": percentile(took, 0.5) * 1000,
        "p99": percentile(took, 0.99) * 1000,
        "plain": len(gzip.decompress(page)) / 1000,
        "sent": len(page) / 1000,
    }


async def timed(caller: Caller, address: str, reader: Reader) -> float:
    """How long one opening takes, in seconds."""
    began = time.perf_counter()
    await caller.call("GET", address, None, reader.headers)
    return time.perf_counter() - began


async def streams(work: Work) -> Sample:
    """Hold `work.jobs` streams open, and tell all of them of a message."""
    data_dir = Path(work.target).parent
    reader = await seeded(data_dir, 0)
    async with serving(data_dir) as server:
        caller = await Caller.connect(server.host, server.port)
        await caller.call("GET", f"/chats/{reader.conversation_id}", None, reader.headers)
        await asyncio.sleep(SETTLE_S)
        before = server.memory_mib()
        async with AsyncExitStack() as stack:
            opened = [
                await stack.enter_async_context(stream(server, reader)) for _ in range(work.jobs)
            ]
            await asyncio.sleep(SETTLE_S)
            held = server.memory_mib() - before
            told = await spoken(server, reader, opened)
        caller.close()
    return {"memory": held, "each": held * 1024 / work.jobs, **told}


async def spoken(
    server: Server, reader: Reader, opened: list[asyncio.StreamReader]
) -> dict[str, float]:
    """The agent says something; how long until each stream has been told, in milliseconds."""
    caller = await Caller.connect(server.host, server.port)
    began = time.perf_counter()

    async def hears(one: asyncio.StreamReader) -> float:
        await one.readuntil(b"data: ")
        return time.perf_counter() - began

    hearing = [asyncio.create_task(hears(one)) for one in opened]
    said = {"type": "message", "text": "Hello"}
    await caller.call("POST", "/api/agent/events", said, reader.agent.headers)
    took = await asyncio.gather(*hearing)
    caller.close()
    return spread(took, scale=1000)


@asynccontextmanager
async def stream(server: Server, reader: Reader) -> AsyncIterator[asyncio.StreamReader]:
    """An open page's stream, from when the server has begun to answer."""
    incoming, outgoing = await asyncio.open_connection(server.host, server.port)
    head = [f"GET /live?since={int(time.time() * 1000)} HTTP/1.1", f"Host: {server.host}"]
    head += [f"{name}: {value}" for name, value in reader.headers.items()]
    outgoing.write("\r\n".join([*head, "", ""]).encode())
    await incoming.readuntil(b"retry: ")
    try:
        yield incoming
    finally:
        outgoing.close()
        await outgoing.wait_closed()


async def seeded(data_dir: Path, messages: int, text: Callable[[int], str] = usual_words) -> Reader:
    """A person, their agent, and a conversation with that many messages of it; `text` is what the
    message of that number says."""
    async with seeding(data_dir) as seeder:
        made = await seeder.agent(NOT_DUE, 0)
        agent = made.agent

        async def begin(tx: Tx) -> Reader:
            owner = await owner_of_new_agents(tx, None)
            where = await tx.chat.default_conversation(agent.id)
            return Reader(made, where.id, (await open_session(tx, owner, "Bench")).token)

        async def talk(tx: Tx, start: int) -> None:
            for number in range(start, min(messages, start + PER_TRANSACTION)):
                await agent_message(tx, agent, MessageFields(text=text(number)))

        for start in range(0, messages, PER_TRANSACTION):
            await seeder.write(partial(talk, start=start))
        return await seeder.write(begin)
