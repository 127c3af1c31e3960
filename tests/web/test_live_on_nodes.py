"""A page whose stream is served by one node hears at once of what another one has made."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from nod.engine.fire import run_now
from support.browser import signed_in
from support.inprocess import InProcess
from support.nats import KINDS
from support.nodes import two_nodes
from web.test_chat import complete, hints, moment, say

# Less than a node takes to look by itself.
AT_ONCE_S = 2


@pytest.fixture(params=KINDS)
async def nodes(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[tuple[InProcess, InProcess]]:
    async with two_nodes(tmp_path, request.param) as both:
        yield both


async def test_a_message_and_a_completed_run_show_on_the_other_node_at_once(
    nodes: tuple[InProcess, InProcess],
) -> None:
    one, other = nodes
    ada = await one.add_agent()
    task = await one.add_task(ada, name="Daily standup")
    run = await one.nod.store.write(lambda tx: run_now(tx, task))
    talk = await one.nod.store.read(lambda tx: tx.chat.default_conversation(ada.agent.id))
    async with await signed_in(one) as ann, other.http(ada) as agent:
        page = (await ann.get(f"/chats/{talk.id}")).text
        async with ann.stream("GET", f"/live?since={moment(page)}") as stream:
            lines = stream.aiter_lines()
            await anext(lines)
            async with asyncio.timeout(AT_ONCE_S):
                await say(agent, "News")
                await hints(lines, talk.id)
            assert "News" in await shown(ann, talk.id)
            async with asyncio.timeout(AT_ONCE_S):
                await complete(agent, run, "All is well.")
                await hints(lines, run.id)
        assert "All well." in await shown(ann, talk.id)


async def shown(ann: httpx.AsyncClient, talk_id: str) -> str:
    return (await ann.get(f"/chats/{talk_id}")).text
