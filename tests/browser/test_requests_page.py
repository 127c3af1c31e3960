"""Requests in a real browser: answered, taken back, seen by the agent, and run out."""

from typing import Any

import msgspec
from playwright.async_api import Browser, expect

from nod.actions import decisions
from nod.actions.agents import Credentials
from nod.actions.decisions import DecisionFields, ProposalFields
from nod.domain.model import Decision
from support.inprocess import InProcess
from support.page import Visit, sign_in, visiting


async def ask(nod: InProcess, ada: Credentials, title: str, **fields: Any) -> Decision:
    given = msgspec.convert({"title": title, **fields}, DecisionFields)
    return await nod.nod.store.write(lambda tx: decisions.open_decision(tx, ada.agent, given))


async def status(nod: InProcess, asked: Decision) -> str:
    found = await nod.nod.store.read(lambda tx: tx.chat.decision(asked.id))
    assert found is not None
    return found.status


async def test_an_approval_can_be_taken_back_and_given_anew(
    ann: Visit, nod: InProcess, ada: Credentials
) -> None:
    page = await ann.page("/requests")
    asked = await ask(nod, ada, "Merge it?")
    await page.reload()
    card = page.locator(f"#card-{asked.id}")
    await card.get_by_role("button", name="Approve").click()
    await expect(card).to_contain_text("Ada has not heard of it yet")
    await card.get_by_role("button", name="Undo").click()
    await expect(card.get_by_role("button", name="Approve")).to_be_visible()
    assert await status(nod, asked) == "pending"
    await card.get_by_role("button", name="Reject").click()
    await expect(card).to_contain_text("rejected", ignore_case=True)


async def test_how_many_wait_stands_in_the_navigation_and_changes_by_itself(
    ann: Visit, nod: InProcess, ada: Credentials
) -> None:
    page = await ann.page("/")
    asked = await ask(nod, ada, "Merge it?")
    waiting = page.get_by_role("link", name="Requests")
    await expect(waiting).to_contain_text("1")
    other = await ann.page(f"/requests/{asked.id}")
    await other.get_by_role("button", name="Approve").click()
    await expect(waiting).not_to_contain_text("1")


async def test_one_that_runs_out_while_it_is_looked_at_says_so_by_itself(
    ann: Visit, nod: InProcess, ada: Credentials
) -> None:
    asked = await ask(nod, ada, "Merge it?")
    page = await ann.page(f"/requests/{asked.id}")
    card = page.locator(f"#card-{asked.id}")
    await expect(card.get_by_role("button", name="Approve")).to_be_visible()
    await nod.nod.store.write(lambda tx: decisions._expire(tx, asked))
    await expect(card).to_contain_text("That is no denial")
    await expect(card.get_by_role("button", name="Approve")).to_have_count(0)


async def test_two_tabs_show_one_answer(ann: Visit, nod: InProcess, ada: Credentials) -> None:
    asked = await ask(nod, ada, "Which day?", kind="choice", options=["Monday", "Thursday"])
    one, two = await ann.page("/requests"), await ann.page(f"/requests/{asked.id}")
    await one.get_by_role("button", name="Thursday").click()
    for page in (one, two):
        await expect(page.locator(f"#card-{asked.id}")).to_contain_text("has not heard of it yet")
    await expect(two.get_by_role("button", name="Monday")).to_have_count(0)


async def test_a_proposal_that_is_approved_becomes_a_task(
    ann: Visit, nod: InProcess, ada: Credentials
) -> None:
    given = ProposalFields(
        title="Shall I?", task_name="Digest", task_prompt="Sum up.", task_schedule="0 8 * * 1"
    )
    asked = await nod.nod.store.write(lambda tx: decisions.propose_task(tx, ada.agent, given))
    page = await ann.page(f"/requests/{asked.id}")
    card = page.locator(f"#card-{asked.id}")
    await expect(card).to_contain_text("Digest")
    await expect(card.locator("ol li").first).to_be_visible()
    await card.get_by_role("button", name="Create the task").click()
    await expect(card).to_contain_text("Task created")


async def test_another_person_sees_nothing_of_it(
    browser: Browser, nod: InProcess, ada: Credentials
) -> None:
    asked = await ask(nod, ada, "Merge it?")
    async with visiting(browser, nod.url) as visit:
        visit.watch.allow("status of 404")
        await sign_in(visit, nod, "eve@example.org")
        page = await visit.page("/requests")
        await expect(page.get_by_text("Merge it?")).to_have_count(0)
        answer = await page.goto(f"{visit.url}/requests/{asked.id}")
        assert answer is not None
        assert answer.status == 404
        await expect(page.get_by_text("Merge it?")).to_have_count(0)
