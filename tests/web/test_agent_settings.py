"""The settings of one agent: name, secret, webhook, what it is always allowed, and its end."""

import re
from collections.abc import AsyncIterator

import httpx
import pytest

from nod.actions import decisions
from nod.actions.agents import Credentials
from nod.actions.decisions import DecisionFields
from nod.actions.rules import AlwaysOption
from nod.domain.model import Decision
from support.browser import signed_in
from support.clock import FakeClock
from support.inprocess import InProcess
from support.receiver import Receiver, answer, receiving

pytestmark = pytest.mark.usefixtures("ada")


@pytest.fixture
async def endpoint() -> AsyncIterator[Receiver]:
    async with receiving() as opened:
        yield opened


def address(ada: Credentials, rest: str = "") -> str:
    return f"/agents/{ada.agent.id}/settings{rest}"


def is_at_fault(page: str, name: str) -> bool:
    """Whether the page marks this field, and no other, as the one at fault."""
    return re.findall(r'<[^>]* id="([^"]*)"[^>]*aria-invalid="true"', page) == [name]


async def page(ann: httpx.AsyncClient, ada: Credentials) -> str:
    found = await ann.get(address(ada))
    assert found.status_code == 200
    return found.text


async def ask(nod: InProcess, ada: Credentials, pattern: str) -> Decision:
    fields = DecisionFields(
        title=f"May I {pattern}?",
        kind="permission",
        allows_always=True,
        always_allow_options=[AlwaysOption(pattern, f"All {pattern}")],
    )
    return await nod.nod.store.write(lambda tx: decisions.open_decision(tx, ada.agent, fields))


async def test_a_name_and_a_zone_are_changed(ann: httpx.AsyncClient, ada: Credentials) -> None:
    done = await ann.post(address(ada), data={"name": "Grace", "timezone": "Europe/Lisbon"})
    assert done.status_code == 303
    shown = (await ann.get(done.headers["location"])).text
    assert '<h1 class="cut">Grace</h1>' in shown
    assert "<option selected>Europe/Lisbon</option>" in shown
    assert "Saved." in shown


async def test_a_name_that_is_refused_stays_in_the_form(
    ann: httpx.AsyncClient, ada: Credentials
) -> None:
    refused = await ann.post(address(ada), data={"name": "x" * 201, "timezone": ""})
    assert refused.status_code == 400
    assert "“Name” has 201 characters" in refused.text
    assert is_at_fault(refused.text, "name")
    assert "x" * 201 in refused.text


async def test_a_new_secret_is_shown_once_and_the_former_one_holds_for_a_day(
    nod: InProcess, ann: httpx.AsyncClient, ada: Credentials, clock: FakeClock
) -> None:
    shown = await ann.post(address(ada, "/secret"))
    secret = re.findall(r"nod_[0-9a-f]{40}", shown.text)[0]
    assert secret != ada.secret
    later = await page(ann, ada)
    assert secret not in later
    assert "The former secret holds until" in later
    assert "has not used the new one yet" in later
    for each in (secret, ada.secret):
        keys = {"X-Nod-Agent-Id": ada.agent.id, "X-Nod-Secret": each}
        async with httpx.AsyncClient(headers=keys) as agent:
            assert (await agent.get(f"{nod.url}/api/agent/tasks")).is_success
    assert "has used the new one" in await page(ann, ada)
    clock.advance(25 * 3600)
    assert "The former secret holds" not in await page(ann, ada)


async def test_a_webhook_is_set_tried_and_cleared(
    ann: httpx.AsyncClient, ada: Credentials, endpoint: Receiver
) -> None:
    endpoint.last = answer(200, body="thank you")
    done = await ann.post(address(ada, "/webhook"), data={"webhook_url": endpoint.url})
    assert done.status_code == 303
    assert "in use" in await page(ann, ada)
    tried = await ann.post(address(ada, "/webhook/test"), headers={"HX-Request": "true"})
    assert "HTTP 200" in tried.text
    assert "thank you" in tried.text
    whole = await ann.post(address(ada, "/webhook/test"))
    assert "HTTP 200" in whole.text
    assert "<h1" in whole.text
    await ann.post(address(ada, "/webhook"), data={"webhook_url": ""})
    assert "Send a test" not in await page(ann, ada)


async def test_what_the_webhook_gets_is_chosen_and_stays_chosen(
    ann: httpx.AsyncClient, ada: Credentials, endpoint: Receiver
) -> None:
    chosen = {"webhook_url": endpoint.url, "webhook_format": "cloudevents"}
    await ann.post(address(ada, "/webhook"), data=chosen)
    assert '<option value="cloudevents" selected>' in await page(ann, ada)
    await ann.post(address(ada, "/webhook"), data={"webhook_url": endpoint.url})
    assert '<option value="cloudevents" selected>' in await page(ann, ada)
    refused = await ann.post(address(ada, "/webhook"), data={**chosen, "webhook_format": "avro"})
    assert is_at_fault(refused.text, "webhook_format")
    await ann.post(address(ada, "/webhook/test"))
    assert endpoint.calls[-1].headers["content-type"] == "application/cloudevents+json"


async def test_a_test_of_a_closed_door_says_that_nobody_answered(
    ann: httpx.AsyncClient, ada: Credentials
) -> None:
    await ann.post(address(ada, "/webhook"), data={"webhook_url": "http://127.0.0.1:9/x"})
    tried = await ann.post(address(ada, "/webhook/test"))
    assert "did not work" in tried.text
    assert "connection refused" in tried.text


async def test_a_webhook_that_is_refused_stays_in_the_form(
    ann: httpx.AsyncClient, ada: Credentials
) -> None:
    refused = await ann.post(address(ada, "/webhook"), data={"webhook_url": "http://10.0.0.1/x"})
    assert refused.status_code == 400
    assert 'value="http://10.0.0.1/x"' in refused.text
    assert 'role="alert"' in refused.text
    assert is_at_fault(refused.text, "webhook_url")


async def test_a_webhook_that_fails_and_was_turned_off_says_since_when_and_comes_back(
    nod: InProcess, ann: httpx.AsyncClient, ada: Credentials, clock: FakeClock
) -> None:
    url = "http://127.0.0.1:9/x"
    await ann.post(address(ada, "/webhook"), data={"webhook_url": url})
    now = clock.now()
    await nod.nod.store.write(
        lambda tx: tx.people.set_webhook_health(ada.agent.id, now, None, None)
    )
    assert "It has failed since" in await page(ann, ada)
    await nod.nod.store.write(
        lambda tx: tx.people.set_webhook_health(ada.agent.id, now, now, "It answered 410 Gone")
    )
    off = await page(ann, ada)
    assert "It answered 410 Gone" in off
    assert "Turn it on again" in off
    await ann.post(address(ada, "/webhook"), data={"webhook_url": url})
    assert "in use" in await page(ann, ada)


async def test_a_pattern_is_allowed_shows_what_it_allowed_and_is_taken_away(
    nod: InProcess, ann: httpx.AsyncClient, ada: Credentials
) -> None:
    added = await ann.post(address(ada, "/rules"), data={"pattern": "git push", "label": ""})
    assert added.status_code == 303
    assert "Not used yet" in await page(ann, ada)
    asked = await ask(nod, ada, "git push")
    assert asked.status == "approved"
    shown = await page(ann, ada)
    assert "Used 1 time, last" in shown
    assert f'<a href="/requests/{asked.id}">May I git push?</a>' in shown
    again = await ann.post(address(ada, "/rules"), data={"pattern": "git push", "label": ""})
    assert again.status_code == 400
    assert "always allowed that already" in again.text
    (rule,) = re.findall(r"rules/(rul_[0-9a-z]+)/remove", shown)
    await ann.post(address(ada, f"/rules/{rule}/remove"))
    assert (await ask(nod, ada, "git push")).status == "pending"


async def test_an_agent_is_removed_by_typing_its_name(
    nod: InProcess, ann: httpx.AsyncClient, ada: Credentials
) -> None:
    async with nod.peer(ada) as peer:
        refused = await ann.post(address(ada, "/remove"), data={"confirm": "ada"})
        assert refused.status_code == 400
        assert "Type its name, Ada, to remove it." in refused.text
        assert is_at_fault(refused.text, "confirm")
        gone = await ann.post(address(ada, "/remove"), data={"confirm": " Ada "})
        assert gone.headers["location"] == "/"
        assert await peer.ended() == 4004
    assert (await ann.get(address(ada))).status_code == 404


async def test_the_settings_tell_how_it_connects_without_its_secret(
    ann: httpx.AsyncClient, ada: Credentials
) -> None:
    shown = await page(ann, ada)
    assert "export NOD_SECRET='nod_…" in shown
    assert ada.secret not in shown


@pytest.mark.parametrize(
    ("rest", "form"),
    [
        ("", {"name": "Mine", "timezone": ""}),
        ("/webhook", {"webhook_url": ""}),
        ("/webhook/test", {}),
        ("/secret", {}),
        ("/rules", {"pattern": "x", "label": ""}),
        ("/rules/rul_1/remove", {}),
        ("/remove", {"confirm": "Ada"}),
    ],
)
async def test_somebody_elses_agent_is_as_if_it_did_not_exist(
    nod: InProcess, ada: Credentials, rest: str, form: dict[str, str]
) -> None:
    async with await signed_in(nod, "eve@example.org") as eve:
        assert (await eve.get(address(ada))).status_code == 404
        assert (await eve.post(address(ada, rest), data=form)).status_code == 404
