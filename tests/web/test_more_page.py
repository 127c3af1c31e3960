"""The five tabs, and the page More with all that has no tab."""

import re
from dataclasses import replace

import httpx
import pytest

from nod.actions import decisions, notifications
from nod.actions.agents import Credentials
from nod.actions.decisions import DecisionFields
from nod.store.store import Tx
from nod.version import __version__
from support.browser import signed_in
from support.inprocess import InProcess

pytestmark = pytest.mark.usefixtures("ada")

TABS = ["/", "/tasks", "/agenda", "/requests", "/more"]


async def tabs(ann: httpx.AsyncClient, path: str) -> str:
    """The navigation of the page."""
    page = await ann.get(path)
    assert page.status_code == 200, path
    found = re.search(r'<nav class="tabs".*?</nav>', page.text, re.DOTALL)
    assert found is not None
    return found[0]


async def test_each_page_has_the_five_tabs_and_no_more(ann: httpx.AsyncClient) -> None:
    found = await tabs(ann, "/")
    assert re.findall(r'<a href="([^"]+)"', found) == TABS
    assert "<button" not in found


async def test_the_tab_of_the_page_one_is_on_says_so(
    nod: InProcess, ann: httpx.AsyncClient, ada: Credentials
) -> None:
    task = await nod.add_task(ada)
    [run_id] = await nod.fire(task)
    talk = await nod.nod.store.read(lambda tx: tx.chat.default_conversation(ada.agent.id))
    for path, tab, how in [
        ("/", "/", "page"),
        (f"/chats/{talk.id}", "/", "true"),
        (f"/runs/{run_id}", "/", "true"),
        ("/agents/new", "/", "true"),
        (f"/agents/{ada.agent.id}/settings", "/", "true"),
        ("/tasks", "/tasks", "page"),
        (f"/tasks/{task.id}", "/tasks", "true"),
        ("/requests", "/requests", "page"),
        ("/more", "/more", "page"),
        ("/activity", "/more", "true"),
    ]:
        found = await tabs(ann, path)
        assert re.findall(r'<a href="([^"]+)" aria-current="(\w+)"', found) == [(tab, how)], path


async def test_how_many_requests_wait_stands_at_their_tab(
    nod: InProcess, ann: httpx.AsyncClient, ada: Credentials
) -> None:
    assert "waiting for you" not in await tabs(ann, "/more")
    asked = DecisionFields(title="May I?")
    await nod.nod.store.write(lambda tx: decisions.open_decision(tx, ada.agent, asked))
    assert '<span class="badge wait">1<span' in await tabs(ann, "/more")


async def test_more_leads_to_everything_without_a_tab_and_out(
    ann: httpx.AsyncClient, ada: Credentials
) -> None:
    page = (await ann.get("/more")).text
    main = page.partition("<main")[2]
    for path in (
        "/activity",
        "/deliveries",
        "/settings",
        "/settings/notifications",
        f"/agents/{ada.agent.id}/settings",
        "/agents/new",
        "/api/docs",
    ):
        assert f'href="{path}"' in main, path
    assert __version__ in main
    assert re.search(r'<form class="acts" method="post" action="/logout"><button', main)


async def test_more_says_where_notifications_go_and_that_one_does_not_arrive(
    nod: InProcess, ann: httpx.AsyncClient
) -> None:
    assert "Nothing reaches you outside the app yet" in (await ann.get("/more")).text

    async def add(tx: Tx) -> None:
        owner = await tx.people.first_user()
        assert owner is not None
        for name in ("home", "phone", "work"):
            url = f"json://127.0.0.1:9/{name}"
            target = await notifications.add_apprise(tx, nod.nod.vault, owner, url, name)
            if name == "home":
                await tx.notify.update_target(replace(target, enabled=False))
            if name == "work":
                await tx.notify.update_target(replace(target, failing_since=tx.now, error="x"))

    await nod.nod.store.write(add)
    assert "3 places, 1 failing, 1 switched off" in (await ann.get("/more")).text


async def test_more_names_nobody_elses_agents(nod: InProcess, ada: Credentials) -> None:
    async with await signed_in(nod, "eve@example.org") as eve:
        page = await eve.get("/more")
    assert page.status_code == 200
    assert ada.agent.id not in page.text
