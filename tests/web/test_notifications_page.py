"""How a person is notified: browsers, services, tests with their answers, quiet hours, history."""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from nod.actions import notifications
from nod.actions.agents import Credentials
from nod.domain.instant import HOUR, MINUTE
from nod.domain.limits import Limits
from nod.domain.model import NoticeState, NotifyTarget, User
from nod.notify.apprise_sender import check_apprise
from nod.secrets import Vault
from nod.store.store import Tx
from nod.web.notifications import EXAMPLES
from support.browser import signed_in
from support.clock import FakeClock
from support.inprocess import InProcess, running
from support.notified import look
from support.push_service import Browser
from support.receiver import Receiver, answer, receiving
from support.sample_places import furnish_places

pytestmark = pytest.mark.usefixtures("ada")

PAGE = "/settings/notifications"
HTMX = {"HX-Request": "true", "HX-Target": "places"}
OFF = {"quiet": "", "quiet_from": "", "quiet_until": "", "morning": "", "morning_at": ""}


@pytest.fixture
async def nod(tmp_path: Path, clock: FakeClock) -> AsyncIterator[InProcess]:
    async with running(tmp_path, clock, notify_targets=3) as started:
        yield started


@pytest.fixture
async def owner(nod: InProcess, ada: Credentials) -> User:
    found = await nod.nod.store.read(lambda tx: tx.people.user(ada.agent.owner_id))
    assert found is not None
    return found


@pytest.fixture
async def service() -> AsyncIterator[Receiver]:
    """Somebody who takes notices."""
    async with receiving(last=answer(201)) as opened:
        yield opened


async def shown(ann: httpx.AsyncClient, path: str = PAGE) -> str:
    page = await ann.get(path)
    assert page.status_code == 200
    return page.text


def refused(page: httpx.Response, field: str) -> str:
    """What is said at the field."""
    assert page.status_code == 400
    assert f'aria-invalid="true" aria-describedby="{field}-error' in page.text
    said = re.search(rf'<p class="error" id="{field}-error">([^<]+)</p>', page.text)
    assert said is not None
    return said[1]


async def subscribe(ann: httpx.AsyncClient, browser: Browser) -> httpx.Response:
    keys = browser.as_json["keys"]
    return await ann.post(f"{PAGE}/push", data={"endpoint": browser.endpoint, **keys})


async def add(ann: httpx.AsyncClient, url: str, label: str = "") -> httpx.Response:
    return await ann.post(f"{PAGE}/targets", data={"url": url, "label": label})


async def targets(nod: InProcess, owner: User) -> list[NotifyTarget]:
    return await nod.nod.store.read(lambda tx: notifications.list_targets(tx, owner))


async def only(nod: InProcess, owner: User) -> str:
    """The address of the one target there is."""
    (target,) = await targets(nod, owner)
    return f"{PAGE}/targets/{target.id}"


# this browser


async def test_a_browser_subscribes_by_the_servers_key_and_finds_itself_in_the_list(
    nod: InProcess, ann: httpx.AsyncClient, service: Receiver
) -> None:
    key = (await nod.nod.notifier.vapid()).public_key
    assert f'data-push="{key}"' in await shown(ann)
    done = await subscribe(ann, Browser(service.url))
    assert done.headers["location"] == f"{PAGE}?done=here#here"
    page = await shown(ann, done.headers["location"])
    assert "Nod reaches you in this browser now." in page
    digest = hashlib.sha256(service.url.encode()).hexdigest()
    assert f'data-place="{digest}"' in page
    assert '<h3 class="cut">Firefox</h3>' in page
    assert service.url not in page


async def test_every_state_of_a_browsers_permission_is_explained(ann: httpx.AsyncClient) -> None:
    page = await shown(ann)
    states = ("off", "allowed", "on", "resting", "blocked", "ios", "insecure", "unsupported")
    for state in states:
        assert re.search(rf'data-state="{state}" hidden>.*?<p class="small">[^<]+</p>', page)
    for words in ("Add to Home Screen", "NOD_PUBLIC_URL", "set Notifications to Allow"):
        assert words in page


async def test_what_is_no_subscription_is_refused_with_a_sentence(
    nod: InProcess, owner: User, ann: httpx.AsyncClient
) -> None:
    page = await subscribe(ann, Browser("https://10.0.0.1/x"))
    assert page.status_code == 400
    assert re.search(r"data-push-error >[^<]*10\.0\.0\.1[^<]*</p>", page.text)
    assert await targets(nod, owner) == []


async def test_without_the_servers_key_the_page_says_what_to_do(
    nod: InProcess, ann: httpx.AsyncClient
) -> None:
    nod.nod.notifier._vault = Vault(b"another key of the server's, made since")
    page = await shown(ann)
    assert "NOD_SECRET_KEY" in page
    assert "data-push-on" not in page


# services


async def test_a_service_is_added_sealed_masked_and_tested_with_its_real_answer(
    nod: InProcess, owner: User, ann: httpx.AsyncClient, service: Receiver, tmp_path: Path
) -> None:
    done = await add(ann, f"json://ann:s3cretpassw0rd@127.0.0.1:{service.port}/x", "Home")
    page = await shown(ann, done.headers["location"])
    assert "Added." in page
    assert "json://…" in page
    assert "s3cret" not in page
    assert b"s3cretpassw0rd" not in (tmp_path / "nod.db").read_bytes()
    tried = await ann.post(f"{await only(nod, owner)}/test", headers=HTMX)
    assert "The service has taken the test." in tried.text
    assert "works</span>" in tried.text
    assert len(service.calls) == 1
    service.last = answer(503)
    tried = await ann.post(f"{await only(nod, owner)}/test")
    assert "The test did not arrive:" in tried.text
    assert "503" in tried.text
    assert "the test failed</span>" in await shown(ann)


async def test_a_browser_that_is_gone_is_taken_off_the_list_by_a_test(
    nod: InProcess, owner: User, ann: httpx.AsyncClient, service: Receiver
) -> None:
    await subscribe(ann, Browser(service.url))
    service.last = answer(410)
    address = await only(nod, owner)
    page = await ann.post(f"{address}/test", headers=HTMX)
    assert "has ended its subscription" in page.text
    assert await targets(nod, owner) == []


@pytest.mark.parametrize(("name", "url"), [(name, url) for name, url, _ in EXAMPLES])
async def test_each_example_can_be_added(name: str, url: str) -> None:
    assert name
    assert await asyncio.to_thread(check_apprise, url, Limits()) == url


@pytest.mark.parametrize(
    ("url", "label", "field", "says"),
    [
        ("nonsense", "", "url", "Url is not an Apprise URL"),
        ("syslog://", "", "url", "stays on this machine"),
        ("json://127.0.0.1:9/x", "x" * 201, "label", "Label has 201 characters"),
    ],
)
async def test_a_service_that_is_refused_is_said_at_its_field(
    ann: httpx.AsyncClient, url: str, label: str, field: str, says: str
) -> None:
    page = await add(ann, url, label)
    assert says in refused(page, field)
    assert f'value="{url}"' in page.text


async def test_there_are_so_many_places_and_no_more(ann: httpx.AsyncClient) -> None:
    for number in range(3):
        assert (await add(ann, f"json://127.0.0.1:9/{number}")).status_code == 303
    assert "you have 3 notification targets" in refused(
        await add(ann, "json://127.0.0.1:9/4"), "url"
    ).replace("You", "you")
    full = await subscribe(ann, Browser("https://push.example.org/1"))
    assert (full.status_code, "3 notification targets" in full.text) == (400, True)


async def test_a_place_is_renamed_switched_off_and_on_and_removed(
    nod: InProcess, owner: User, ann: httpx.AsyncClient
) -> None:
    await add(ann, "json://127.0.0.1:9/x")
    address = await only(nod, owner)
    await ann.post(address, data={"label": "Her <phone>"})
    assert '<h3 class="cut">Her &lt;phone&gt;</h3>' in await shown(ann)
    target_id = address.rpartition("/")[2]
    again = await ann.post(address, data={"label": " "})
    assert refused(again, f"label-{target_id}").startswith("Label is missing")
    off = await ann.post(f"{address}/switch", data={"on": "0"}, headers=HTMX)
    assert 'role="switch" aria-checked="false"' in off.text
    assert "switched off</span>" in off.text
    on = await ann.post(f"{address}/switch", data={"on": "1"})
    assert on.status_code == 303
    assert 'aria-checked="true"' in await shown(ann)
    gone = await ann.post(f"{address}/remove")
    assert "Nothing goes there any more." in await shown(ann, gone.headers["location"])
    assert await targets(nod, owner) == []


async def _write(target: NotifyTarget, tx: Tx) -> None:
    await tx.notify.update_target(target)


async def test_how_each_place_fares_is_said_in_words(
    nod: InProcess, owner: User, ann: httpx.AsyncClient, clock: FakeClock
) -> None:
    now = clock.now()
    fares: list[tuple[dict[str, Any], list[str]]] = [
        ({}, ["not used yet"]),
        ({"used_at": now}, ["works", "Last reached today, 09:00."]),
        ({"error": "no answer within 15 s"}, ["the test failed", "No answer within 15 s."]),
        (
            {"failing_since": now - HOUR, "error": "HTTP status 429", "next_at": now + 5 * MINUTE},
            ["failing", "Since today, 08:00: HTTP status 429. The next try is in 5 min."],
        ),
        (
            {"failing_since": now, "enabled": False, "error": "it has failed for 5 d: HTTP 500"},
            ["given up", "It has failed for 5 d: HTTP 500."],
        ),
        ({"enabled": False, "error": "it was switched off by hand"}, ["switched off"]),
    ]
    await add(ann, "json://127.0.0.1:9/x")
    (made,) = await targets(nod, owner)
    for changes, words in fares:
        fared = replace(made, **changes)
        await nod.nod.store.write(partial(_write, fared))
        page = await shown(ann)
        for each in words:
            assert each in page, each


# when


async def test_quiet_hours_and_the_morning_are_set_shown_and_cleared(
    ann: httpx.AsyncClient,
) -> None:
    wanted = {
        "quiet": "yes",
        "quiet_from": "08:00",
        "quiet_until": "09:30",
        "morning": "yes",
        "morning_at": "10:15",
    }
    done = await ann.post(f"{PAGE}/when", data=wanted)
    page = await shown(ann, done.headers["location"])
    assert "Saved." in page
    for name, value in wanted.items():
        assert re.search(rf'name="{name}" value="{value}"', page), name
    assert re.search(r'name="quiet" value="yes" checked', page)
    assert not re.search(r'name="requests" value="yes" checked', page)
    assert "quiet until 09:30" in page
    assert re.search(r"The next card comes <time[^>]*>today, 10:15</time>", page)
    await ann.post(f"{PAGE}/when", data={**OFF, "requests": "yes"})
    page = await shown(ann)
    assert not re.search(r'name="(quiet|morning)" value="yes" checked', page)
    assert re.search(r'name="requests" value="yes" checked', page)
    assert "There is no card" in page


@pytest.mark.parametrize(
    ("wrong", "field", "says"),
    [
        ({"quiet": "yes", "quiet_until": "07:00"}, "quiet_from", "a time of the day"),
        ({"quiet": "yes", "quiet_from": "22:00"}, "quiet_until", "a time of the day"),
        (
            {"quiet": "yes", "quiet_from": "22:00", "quiet_until": "22:00"},
            "quiet_until",
            "no time at all",
        ),
        ({"morning": "yes", "morning_at": "25:00"}, "morning_at", "a time of the day"),
    ],
)
async def test_times_that_make_no_sense_are_said_at_their_field(
    ann: httpx.AsyncClient, wrong: dict[str, str], field: str, says: str
) -> None:
    page = await ann.post(f"{PAGE}/when", data={**OFF, **wrong})
    assert says in refused(page, field)
    assert "There is no card" in await shown(ann)


# what was told, and of what


async def test_each_task_leads_to_where_its_loudness_is_set(
    nod: InProcess, ada: Credentials, ann: httpx.AsyncClient
) -> None:
    assert "There is no task yet." in await shown(ann)
    task = await nod.add_task(ada, name="Backup", notify="failures")
    page = await shown(ann)
    assert f'href="/tasks/{task.id}/edit#notify"' in page
    assert "only failures" in page
    assert 'id="notify"' in (await ann.get(f"/tasks/{task.id}/edit")).text


async def test_what_was_told_is_listed_with_its_fate_and_leads_there(
    nod: InProcess, ada: Credentials, ann: httpx.AsyncClient, service: Receiver
) -> None:
    assert "Nothing yet." in await shown(ann)
    await subscribe(ann, Browser(service.url))
    (event,) = await nod.fire(await nod.add_task(ada, name="Backup"))
    async with nod.http(ada) as agent:
        done = {"status": "completed", "summary": "12 GB saved"}
        (await agent.post(f"/tasks/runs/{event}/complete", json=done)).raise_for_status()
    await look(nod.nod.notifier)
    page = await shown(ann)
    assert re.search(rf'href="/runs/{event}" data-sheet', page)
    assert "12 GB saved" in page
    assert ">Sent</span>" in page


@pytest.mark.parametrize(
    ("state", "attempts", "minutes", "words"),
    [
        ("pending", 0, 0, "On its way"),
        ("pending", 1, 0, "Is tried again: HTTP status 500"),
        ("pending", 0, 10, "Goes out in 10 min"),
        ("held", 0, 60, "Waits for the morning card, today, 10:00"),
        ("summed", 0, 0, "Told by the morning card"),
        ("dropped", 0, 0, "Not sent: HTTP status 500"),
        ("dead", 8, 0, "Did not arrive: HTTP status 500"),
    ],
)
async def test_what_became_of_a_notice_is_said_in_words(
    nod: InProcess,
    owner: User,
    ann: httpx.AsyncClient,
    clock: FakeClock,
    state: NoticeState,
    attempts: int,
    minutes: int,
    words: str,
) -> None:
    async def tell(tx: Tx) -> None:
        await furnish_places(tx, nod.nod.vault, owner, "run_1", "dec_1")
        (first, *_) = await notifications.list_notices(tx, owner, 1, "~")
        changed = replace(
            first,
            id="ntc_f" + first.id[5:],
            state=state,
            attempts=attempts,
            not_before=clock.now() + minutes * MINUTE,
            error="HTTP status 500",
        )
        await tx.notify.add(changed)

    await nod.nod.store.write(tell)
    assert f">{words}</span>" in await shown(ann, f"{PAGE}/told")


async def test_the_history_goes_back_in_pages(
    nod: InProcess, ada: Credentials, ann: httpx.AsyncClient
) -> None:
    assert "Nothing yet." in await shown(ann, f"{PAGE}/told")
    await add(ann, "json://127.0.0.1:9/x")
    async with nod.http(ada) as agent:
        for number in range(52):
            alert = {"type": "alert", "title": f"Alarm {number}"}
            (await agent.post("/events", json=alert)).raise_for_status()
    page = await shown(ann, f"{PAGE}/told")
    assert page.count("<li>") == 50
    found = re.search(r'href="(/settings/notifications/told\?before=ntc_\w+)">Older', page)
    assert found is not None
    older = await shown(ann, found[1])
    assert older.count("<li>") == 2
    assert "Newest" in older


# somebody else


async def test_somebody_elses_places_are_nowhere_to_be_found(
    nod: InProcess, owner: User, ann: httpx.AsyncClient
) -> None:
    await add(ann, "json://127.0.0.1:9/x", "Hers")
    address = await only(nod, owner)
    async with await signed_in(nod, "eve@example.org") as eve:
        assert "Hers" not in await shown(eve)
        for rest, form in (
            ("", {"label": "Mine"}),
            ("/switch", {"on": "0"}),
            ("/test", {}),
            ("/remove", {}),
        ):
            assert (await eve.post(address + rest, data=form)).status_code == 404, rest
    assert "Hers" in await shown(ann)
