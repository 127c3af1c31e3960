"""The API of notifications: where a person is told, when not, and what there was."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from support.household import Household, furnish, open_household
from support.notified import look
from support.push_service import Browser
from support.receiver import answer, receiving

NOTIFICATIONS = "/api/notifications"
TARGETS = f"{NOTIFICATIONS}/targets"
SETTINGS = f"{NOTIFICATIONS}/settings"
SUBSCRIPTIONS = f"{NOTIFICATIONS}/push-subscriptions"


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[Household]:
    environ = {"NOD_ALLOW_WEBHOOK_NETS": "127.0.0.0/8", "NOD_LIMIT_NOTIFY_TARGETS": "2"}
    async with open_household(tmp_path, **environ) as opened:
        yield opened


async def subscribe(house: Household, browser: Browser, label: str = "Pixel") -> dict[str, Any]:
    body = {**browser.as_json, "label": label}
    made = await house.ann.http.post(SUBSCRIPTIONS, json=body)
    assert made.status_code == 201, made.text
    found: dict[str, Any] = made.json()
    return found


# targets


async def test_a_browser_subscribes_with_the_servers_key_and_is_tested(house: Household) -> None:
    key = (await house.ann.http.get(f"{NOTIFICATIONS}/vapid-key")).json()["public_key"]
    assert len(key) == 87
    async with receiving(last=answer(201)) as service:
        browser = Browser(service.url)
        target = await subscribe(house, browser)
        assert (target["kind"], target["label"]) == ("push", "Pixel")
        assert target["address"] == f"127.0.0.1:{service.port}"
        tested = await house.ann.http.post(f"{TARGETS}/{target['id']}/test")
    assert tested.json() == {"ok": True, "error": None}
    (call,) = service.calls
    assert browser.read(call)["title"] == "Nod reaches you here"
    assert f"k={key}" in call.headers["authorization"]


async def test_a_browser_that_subscribes_again_is_one_target(house: Household) -> None:
    browser = Browser("https://push.example.org/1")
    first = await subscribe(house, browser)
    again = await subscribe(house, Browser(browser.endpoint), "Pixel 9")
    assert again["id"] == first["id"]
    assert [each["label"] for each in (await house.ann.http.get(TARGETS)).json()] == ["Pixel 9"]


async def test_a_browser_belongs_to_whoever_signed_in_last(house: Household) -> None:
    browser = Browser("https://push.example.org/1")
    await subscribe(house, browser)
    await house.eve.http.post(SUBSCRIPTIONS, json=browser.as_json)
    assert (await house.ann.http.get(TARGETS)).json() == []
    (target,) = (await house.eve.http.get(TARGETS)).json()
    assert target["label"] == "push.example.org"


async def test_an_apprise_url_is_stored_sealed_shown_masked_and_tested(
    house: Household, tmp_path: Path
) -> None:
    async with receiving() as service:
        url = f"json://ann:s3cretpassw0rd@127.0.0.1:{service.port}/x"
        made = await house.ann.http.post(TARGETS, json={"url": url})
        assert made.status_code == 201
        assert (made.json()["kind"], made.json()["address"]) == ("apprise", "json://…")
        assert "s3cret" not in made.text
        tested = await house.ann.http.post(f"{TARGETS}/{made.json()['id']}/test")
    assert tested.json() == {"ok": True, "error": None}
    assert len(service.calls) == 1
    files = [tmp_path / name for name in ("nod.db", "nod.db-wal")]
    assert not any(b"s3cretpassw0rd" in path.read_bytes() for path in files)


async def test_a_test_that_fails_says_why(house: Household) -> None:
    async with receiving(last=answer(500)) as service:
        body = {"url": f"json://127.0.0.1:{service.port}/", "label": "Home"}
        target = (await house.ann.http.post(TARGETS, json=body)).json()
        tested = (await house.ann.http.post(f"{TARGETS}/{target['id']}/test")).json()
    assert not tested["ok"]
    assert "500" in tested["error"]
    (shown,) = (await house.ann.http.get(TARGETS)).json()
    assert (shown["label"], shown["error"]) == ("Home", tested["error"])


async def test_a_test_that_works_switches_a_target_on_again(house: Household) -> None:
    nod = house.nod
    async with receiving() as service:
        made = await subscribe(house, Browser(service.url))

        async def disable(tx: Any) -> None:
            target = await tx.notify.target(made["id"])
            await tx.notify.disable_target(replace(target, enabled=False, error="x"), tx.now)

        await nod.store.write(disable)
        assert not (await house.ann.http.get(TARGETS)).json()[0]["enabled"]
        await house.ann.http.post(f"{TARGETS}/{made['id']}/test")
    (target,) = (await house.ann.http.get(TARGETS)).json()
    assert (target["enabled"], target["error"]) == (True, None)


async def test_a_test_finds_a_browser_that_has_unsubscribed(house: Household) -> None:
    async with receiving(last=answer(410)) as service:
        target = await subscribe(house, Browser(service.url))
        tested = (await house.ann.http.post(f"{TARGETS}/{target['id']}/test")).json()
    assert tested == {"ok": False, "error": "the browser has ended its subscription"}
    assert (await house.ann.http.get(TARGETS)).json() == []


async def test_a_target_is_renamed_switched_off_and_on(house: Household) -> None:
    nod = house.nod
    async with receiving() as service:
        made = await subscribe(house, Browser(service.url))
        url = f"{TARGETS}/{made['id']}"
        named = await house.ann.http.patch(url, json={"label": " Her phone "})
        assert (named.status_code, named.json()["label"]) == (200, "Her phone")
        await furnish(nod, house.ann)
        off = (await house.ann.http.patch(url, json={"enabled": False})).json()
        assert (off["enabled"], off["error"]) == (False, "it was switched off by hand")
        await look(nod.notifier)
        assert service.calls == []
        on = (await house.ann.http.patch(url, json={"enabled": True})).json()
        assert (on["enabled"], on["error"], on["label"]) == (True, None, "Her phone")
        await furnish(nod, house.ann)
        await look(nod.notifier)
        assert service.calls != []
    for wrong in ({"label": " "}, {"label": "x" * 201}, {"enabled": "yes"}):
        assert (await house.ann.http.patch(url, json=wrong)).status_code == 400
    assert (await house.eve.http.patch(url, json={"enabled": False})).status_code == 404


@pytest.mark.parametrize("way", ["switched on", "subscribed again"])
async def test_one_that_was_given_up_begins_afresh(house: Household, way: str) -> None:
    browser = Browser("https://push.example.org/1")
    made = await subscribe(house, browser)

    async def give_up(tx: Any) -> None:
        target = await tx.notify.target(made["id"])
        failed = replace(target, enabled=False, failing_since=1, failures=9, error="x", next_at=9)
        await tx.notify.disable_target(failed, tx.now)

    await house.nod.store.write(give_up)
    if way == "switched on":
        await house.ann.http.patch(f"{TARGETS}/{made['id']}", json={"enabled": True})
    else:
        await house.ann.http.post(SUBSCRIPTIONS, json=browser.as_json)
    found = await house.nod.store.read(lambda tx: tx.notify.target(made["id"]))
    assert found is not None
    assert (found.enabled, found.failures, found.next_at, found.label) == (True, 0, 0, "Pixel")
    assert (found.failing_since, found.error) == (None, None)


async def test_a_target_is_removed(house: Household) -> None:
    target = await subscribe(house, Browser("https://push.example.org/1"))
    assert (await house.ann.http.delete(f"{TARGETS}/{target['id']}")).status_code == 204
    assert (await house.ann.http.delete(f"{TARGETS}/{target['id']}")).status_code == 404


async def test_a_person_has_so_many_targets(house: Household) -> None:
    # The fixture sets notify_targets to 2.
    for number in range(2):
        await subscribe(house, Browser(f"https://push.example.org/{number}"))
    third = Browser("https://push.example.org/3").as_json
    refused = await house.ann.http.post(SUBSCRIPTIONS, json=third)
    assert refused.status_code == 429
    assert "2 notification targets" in refused.json()["detail"]
    own = await house.eve.http.post(SUBSCRIPTIONS, json=third)
    assert own.status_code == 201


@pytest.mark.parametrize(
    ("path", "body", "told"),
    [
        (TARGETS, {"url": "syslog://"}, "this machine"),
        (TARGETS, {"url": "nonsense"}, "Apprise URL"),
        (TARGETS, {}, "url is missing"),
        (TARGETS, {"url": "json://x", "label": "x" * 201}, "label"),
        (SUBSCRIPTIONS, {"endpoint": "https://push.example.org/1"}, "keys is missing"),
        (
            SUBSCRIPTIONS,
            {"endpoint": "https://10.0.0.1/", "keys": {"p256dh": "x", "auth": "x"}},
            "NOD_ALLOW_WEBHOOK_NETS",
        ),
    ],
)
async def test_what_cannot_be_a_target_is_refused_with_why(
    house: Household, path: str, body: dict[str, Any], told: str
) -> None:
    refused = await house.ann.http.post(path, json=body)
    assert refused.status_code == 400
    assert told in refused.json()["detail"]


# settings


async def test_quiet_hours_and_the_morning_are_set_and_cleared(house: Household) -> None:
    wanted = {
        "quiet_from": "22:00",
        "quiet_until": "07:05",
        "quiet_requests": True,
        "morning_at": "07:30",
    }
    changed = await house.ann.http.patch(SETTINGS, json=wanted)
    assert changed.json() == {"timezone": "UTC", **wanted}
    cleared = await house.ann.http.patch(SETTINGS, json={"quiet_from": None, "quiet_until": None})
    assert cleared.json()["quiet_from"] is None
    assert (await house.ann.http.get(SETTINGS)).json()["morning_at"] == "07:30"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"quiet_from": "24:00", "quiet_until": "07:00"}, "quiet_from must be a time"),
        ({"morning_at": "7"}, "morning_at must be a time"),
        ({"quiet_from": "22:00"}, "go together"),
        ({"quiet_requests": "no"}, "true or false"),
    ],
)
async def test_settings_that_make_no_sense_are_refused(
    house: Household, body: dict[str, Any], told: str
) -> None:
    refused = await house.ann.http.patch(SETTINGS, json=body)
    assert refused.status_code == 400
    assert told in refused.json()["detail"]


# notices


async def test_what_a_person_was_told_is_listed_in_pages(house: Household) -> None:
    await furnish(house.nod, house.ann)
    await look(house.nod.notifier)
    first = await house.ann.http.get(NOTIFICATIONS, params={"limit": 2})
    assert len(first.json()) == 2
    link = first.headers["Link"].partition("<")[2].partition(">")[0]
    (last,) = (await house.ann.http.get(link)).json()
    titles = {each["title"] for each in [*first.json(), last]}
    assert titles == {"May I?", "ann's agent", "ann's agent: Disk full"}
