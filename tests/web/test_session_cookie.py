"""The cookie of a browser that stays signed in: it changes every day, whatever is asked first."""

import base64

import httpx
import pytest

from nod.actions.agents import Credentials
from nod.actions.chat import MessageFields, agent_message
from support.clock import FakeClock
from support.household import PNG
from support.inprocess import InProcess

pytestmark = pytest.mark.usefixtures("ada")

DAY_S = 86_400
HTMX = {"HX-Request": "true", "HX-Target": "main"}


def held(ann: httpx.AsyncClient) -> str:
    return str(ann.cookies["nod"])


async def works(nod: InProcess, token: str) -> bool:
    async with httpx.AsyncClient(base_url=nod.url, cookies={"nod": token}) as browser:
        return (await browser.get("/")).status_code == 200


async def picture(nod: InProcess, ada: Credentials) -> str:
    fields = MessageFields(image_base64=base64.b64encode(PNG).decode())
    said = await nod.nod.store.write(lambda tx: agent_message(tx, ada.agent, fields))
    return f"/images/{said.image_id}"


@pytest.mark.parametrize("first", ["page", "part", "switch", "error", "picture", "download"])
async def test_the_cookie_changes_after_a_day_whatever_the_browser_asks_for_first(
    nod: InProcess, ada: Credentials, ann: httpx.AsyncClient, clock: FakeClock, first: str
) -> None:
    task = await nod.add_task(ada)
    [run_id] = await nod.fire(task)
    shown = await picture(nod, ada)
    asked = {
        "page": ("GET", "/", {}),
        "part": ("GET", "/agents", HTMX),
        "switch": ("POST", f"/tasks/{task.id}/pause", {}),
        "error": ("GET", "/chats/none", {}),
        "picture": ("GET", shown, {}),
        "download": ("GET", f"/runs/{run_id}/download", {}),
    }
    before = held(ann)
    clock.advance(DAY_S)
    method, path, headers = asked[first]
    answer = await ann.request(method, path, headers=headers)
    assert answer.status_code < 500
    after = held(ann)
    assert after != before
    clock.advance(nod.nod.limits.session_overlap_s + 1)
    assert (await works(nod, after), await works(nod, before)) == (True, False)


async def test_a_cookie_that_is_not_old_is_not_sent_again(ann: httpx.AsyncClient) -> None:
    assert "Set-Cookie" not in (await ann.get("/")).headers


async def test_signing_out_ends_the_cookie_also_when_it_was_just_to_change(
    nod: InProcess, ann: httpx.AsyncClient, clock: FakeClock
) -> None:
    before = held(ann)
    clock.advance(DAY_S)
    answer = await ann.post("/logout")
    assert "Max-Age=0" in answer.headers["Set-Cookie"]
    assert "nod" not in ann.cookies
    assert not await works(nod, before)


async def test_a_browser_that_is_not_used_for_a_month_is_signed_out(
    nod: InProcess, ann: httpx.AsyncClient, clock: FakeClock
) -> None:
    clock.advance(29 * DAY_S)
    assert (await ann.get("/")).status_code == 200
    clock.advance(nod.nod.limits.session_unused_s)
    assert (await ann.get("/")).headers["location"] == "/login?next=/"
