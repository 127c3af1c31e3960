"""An open page of one node shows what happens on another one, without a reload."""

from pathlib import Path

from playwright.async_api import Browser, expect

from nod.engine.fire import run_now
from support.nodes import two_nodes
from support.page import sign_in, visiting
from web.test_chat import complete, say

# Less than a node takes to look by itself, and enough for a browser to draw.
_AT_ONCE_MS = 2_500


async def test_a_message_and_a_result_made_by_another_node_appear_at_once(
    browser: Browser, tmp_path: Path
) -> None:
    async with two_nodes(tmp_path, "notify") as (one, other):
        ada = await one.add_agent()
        task = await one.add_task(ada, name="Daily standup")
        run = await one.nod.store.write(lambda tx: run_now(tx, task))
        talk = await one.nod.store.read(lambda tx: tx.chat.default_conversation(ada.agent.id))
        async with visiting(browser, one.url) as ann, other.http(ada) as agent:
            await sign_in(ann, one)
            page = await ann.page(f"/chats/{talk.id}")
            newest = page.get_by_role("log", name="Newest messages")
            await say(agent, "The first of the other one")
            # Whether the stream is open yet or not: what comes now shows.
            await expect(newest.get_by_text("The first of the other one")).to_be_visible()
            await say(agent, "News of the other one")
            await expect(newest.get_by_text("News of the other one")).to_be_visible(
                timeout=_AT_ONCE_MS
            )
            await complete(agent, run, "All is well.")
            await expect(newest.get_by_text("All well.")).to_be_visible(timeout=_AT_ONCE_MS)
