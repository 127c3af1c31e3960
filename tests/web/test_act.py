"""Buttons on a notification: by POST, once, from our own service worker."""

from collections.abc import AsyncIterator

import httpx
import pytest

from nod.actions import decisions
from nod.actions.act import buttons
from nod.actions.decisions import DecisionFields
from nod.domain.model import Decision
from support.clock import FakeClock
from support.inprocess import InProcess

OURS = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture
async def worker(nod: InProcess) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=nod.url) as client:
        yield client


async def ask(nod: InProcess) -> tuple[Decision, str]:
    """A request, and where its first button posts to."""
    ada = await nod.add_agent()
    given = DecisionFields(title="Restart it?")
    asked = await nod.nod.store.write(lambda tx: decisions.open_decision(tx, ada.agent, given))
    inside = nod.nod
    return asked, buttons(inside.vault, inside.limits, asked, inside.clock.now())[0]["url"]


async def status_of(nod: InProcess, asked: Decision) -> str:
    found = await nod.nod.store.read(lambda tx: tx.chat.decision(asked.id))
    assert found is not None
    return found.status


async def test_a_button_answers_once(nod: InProcess, worker: httpx.AsyncClient) -> None:
    asked, address = await ask(nod)
    assert (await worker.post(address, headers=OURS)).status_code == 204
    assert await status_of(nod, asked) == "approved"
    assert (await worker.post(address, headers=OURS)).status_code == 409


async def test_looking_at_the_address_answers_nothing(
    nod: InProcess, worker: httpx.AsyncClient
) -> None:
    asked, address = await ask(nod)
    assert (await worker.get(address)).status_code == 405
    assert (await worker.post(address, headers={"Sec-Fetch-Site": "cross-site"})).status_code == 403
    assert await status_of(nod, asked) == "pending"


async def test_a_button_works_for_a_day_although_the_request_waits_longer(
    nod: InProcess, worker: httpx.AsyncClient, clock: FakeClock
) -> None:
    asked, address = await ask(nod)
    clock.advance(86_400)
    late = await worker.post(address, headers=OURS)
    assert late.status_code == 403
    assert "This button has expired" in late.text
    assert await status_of(nod, asked) == "pending"


async def test_a_button_that_is_not_ours_is_refused_without_a_detour(
    worker: httpx.AsyncClient,
) -> None:
    refused = await worker.post("/act/made-up", headers=OURS)
    assert refused.status_code == 403
    assert "This button is not valid" in refused.text
