"""A person's settings: what they are called, how times read, the theme, the password, browsers."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest

from nod.actions import accounts, sessions
from nod.actions.agents import Credentials
from nod.domain.model import User
from nod.store.store import Tx
from support.browser import OWNER, signed_in
from support.clock import FakeClock
from support.inprocess import InProcess

pytestmark = pytest.mark.usefixtures("owner")

PASSWORD = "correct horse battery"
ANOTHER = "a horse of another colour"
HTMX = {"HX-Request": "true", "HX-Target": "theme"}
ANN = {"name": "Ann", "timezone": "Europe/Berlin", "locale": "en_GB"}


@pytest.fixture
async def owner(nod: InProcess, ada: Credentials) -> User:
    """Ann, with a password that can be typed."""
    hashed = await asyncio.to_thread(accounts.hash_password, PASSWORD, nod.nod.limits)

    async def give(tx: Tx) -> User:
        user = await tx.people.user(ada.agent.owner_id)
        assert user is not None
        known = replace(user, password_hash=hashed)
        await tx.people.update_user(known)
        return known

    return await nod.nod.store.write(give)


@pytest.fixture
async def phone(nod: InProcess, owner: User) -> AsyncIterator[httpx.AsyncClient]:
    """Another browser of hers."""
    async with await signed_in(nod, owner.email) as client:
        yield client


async def shown(ann: httpx.AsyncClient) -> str:
    page = await ann.get("/settings")
    assert page.status_code == 200
    return page.text


def refused(page: httpx.Response, field: str, status: int = 400) -> str:
    """What is said at the field, which is marked as the wrong one and has the focus."""
    assert page.status_code == status
    mark = rf'name="{field}"[^>]*aria-invalid="true" aria-describedby="{field}-error[^>]*autofocus'
    assert re.search(mark, page.text), field
    said = re.search(rf'<p class="error" id="{field}-error">([^<]+)</p>', page.text)
    assert said is not None
    return said[1]


# who one is


async def test_name_zone_and_dates_are_changed_and_shown(ann: httpx.AsyncClient) -> None:
    wanted = {"name": " Anne ", "timezone": "Europe/Berlin", "locale": "de_DE"}
    done = await ann.post("/settings", data=wanted)
    assert done.headers["location"] == "/settings?done=profile#profile"
    page = (await ann.get(done.headers["location"])).text
    assert "Saved." in page
    assert 'value="Anne"' in page
    assert "<option selected>Europe/Berlin</option>" in page
    assert '<option value="de_DE" selected>German (Germany)</option>' in page
    assert "Montag, 2. März 2026, 10:00:00 Mitteleuropäische Normalzeit" in page
    assert OWNER in page


async def test_each_field_that_is_wrong_is_said_at_its_field_and_nothing_is_changed(
    ann: httpx.AsyncClient,
) -> None:
    wrong = {"name": "x" * 201, "timezone": "Mars/Base", "locale": "xx_XX"}
    page = await ann.post("/settings", data=wrong)
    assert refused(page, "name").startswith("Name has 201 characters")
    assert "is not an IANA time zone" in page.text
    assert 'id="timezone-error"' in page.text
    assert 'id="locale-error">Locale must be' in page.text
    assert "x" * 201 in page.text
    assert 'value="Ann"' in await shown(ann)


async def test_a_locale_that_only_the_api_offers_stays_chosen(
    nod: InProcess, owner: User, ann: httpx.AsyncClient
) -> None:
    await nod.nod.store.write(lambda tx: tx.people.update_user(replace(owner, locale="de")))
    assert '<option value="de" selected>German</option>' in await shown(ann)


async def test_how_times_would_read_is_shown_before_it_is_saved(ann: httpx.AsyncClient) -> None:
    wanted = {"timezone": "America/New_York", "locale": "en_US"}
    example = await ann.get("/settings/example", params=wanted)
    assert "Now it is 4:00\u202fAM, Mon, Mar 2" in example.text
    assert "Eastern Standard Time" in example.text
    wrong = await ann.get("/settings/example", params={**wanted, "timezone": "Mars"})
    assert wrong.status_code == 400
    assert "Coordinated Universal Time" in await shown(ann)


# the theme


@pytest.mark.parametrize(
    ("theme", "attribute"), [("dark", 'data-theme="dark"'), ("light", 'data-theme="light"')]
)
async def test_a_theme_holds_for_every_page_and_its_bars(
    ann: httpx.AsyncClient, theme: str, attribute: str
) -> None:
    paper = {"dark": "#151412", "light": "#faf9f7"}
    done = await ann.post("/settings/theme", data={"theme": theme}, headers=HTMX)
    assert (done.status_code, done.content) == (204, b"")
    for path in ("/", "/settings", "/tasks"):
        page = (await ann.get(path)).text
        assert attribute in page, path
        assert set(re.findall(r'name="theme-color" content="(#\w+)"', page)) == {paper[theme]}
    assert re.search(rf'value="{theme}" checked', await shown(ann))


async def test_the_theme_of_the_device_is_chosen_without_script(ann: httpx.AsyncClient) -> None:
    done = await ann.post("/settings/theme", data={"theme": "system"})
    assert done.headers["location"] == "/settings?done=theme#theme"
    page = await shown(ann)
    assert "data-theme=" not in page
    assert re.findall(r'theme-color" content="(#\w+)"', page) == ["#faf9f7", "#151412"]


async def test_a_theme_that_there_is_not_is_refused(ann: httpx.AsyncClient) -> None:
    page = await ann.post("/settings/theme", data={"theme": "pink"})
    assert page.status_code == 400
    assert "Theme must be system, light or dark" in page.text


# the password


async def test_another_password_signs_out_the_others_and_keeps_this_one_by_a_new_session(
    ann: httpx.AsyncClient, phone: httpx.AsyncClient, nod: InProcess
) -> None:
    before = ann.cookies["nod"]
    done = await ann.post("/settings/password", data={"current": PASSWORD, "new": ANOTHER})
    assert done.headers["location"] == "/settings?done=password#password"
    assert ann.cookies["nod"] != before
    page = (await ann.get(done.headers["location"])).text
    assert "All other browsers are signed out" in page
    assert (await phone.get("/settings")).status_code == 303
    async with httpx.AsyncClient(base_url=nod.url, cookies={"nod": before}) as thief:
        assert (await thief.get("/settings")).status_code == 303
        login = {"email": OWNER, "password": ANOTHER}
        same_site = {"Sec-Fetch-Site": "same-origin"}
        assert (await thief.post("/login", data=login, headers=same_site)).status_code == 303


async def test_a_wrong_present_password_changes_nothing_and_counts_as_a_failed_login(
    ann: httpx.AsyncClient, phone: httpx.AsyncClient
) -> None:
    wrong = {"current": "a guess", "new": ANOTHER}
    for _ in range(10):
        page = await ann.post("/settings/password", data=wrong)
        assert refused(page, "current").startswith("This is not your present password")
    assert ANOTHER not in page.text
    page = await ann.post("/settings/password", data={"current": PASSWORD, "new": ANOTHER})
    assert "Too many failed logins" in refused(page, "current", 429)
    assert (await phone.get("/settings")).status_code == 200


async def test_a_password_that_is_too_short_is_said_at_its_field(
    ann: httpx.AsyncClient,
) -> None:
    page = await ann.post("/settings/password", data={"current": PASSWORD, "new": "short"})
    assert refused(page, "new").startswith("Password must have between 8 and")


# where one is signed in


def browsers(page: str) -> list[str]:
    """The sessions that can be ended."""
    return re.findall(r'action="/settings/sessions/(ses_\w+)/end"', page)


async def test_browsers_are_listed_with_this_one_marked_and_one_is_signed_out(
    ann: httpx.AsyncClient, phone: httpx.AsyncClient, clock: FakeClock
) -> None:
    clock.advance(3600)
    page = await shown(ann)
    assert page.count("this browser</span>") == 1
    assert re.search(r"In use now · since <time[^>]*>Mon 2 Mar</time>", page)
    assert re.search(r"Last used <time[^>]*>today, 09:00</time>", page)
    [other] = browsers(page)
    done = await ann.post(f"/settings/sessions/{other}/end")
    assert "Signed out there." in (await ann.get(done.headers["location"])).text
    assert (await phone.get("/settings")).status_code == 303
    assert "Nowhere else." in await shown(ann)


async def test_all_other_browsers_are_signed_out_at_once(
    nod: InProcess, owner: User, ann: httpx.AsyncClient, phone: httpx.AsyncClient
) -> None:
    await nod.nod.store.write(lambda tx: sessions.open_session(tx, owner, "Firefox"))
    assert len(browsers(await shown(ann))) == 2
    await ann.post("/settings/sessions/end-others")
    assert browsers(await shown(ann)) == []
    assert (await phone.get("/")).status_code == 303


async def test_nobody_ends_somebody_elses_session_or_changes_their_settings(
    nod: InProcess, ann: httpx.AsyncClient, phone: httpx.AsyncClient
) -> None:
    [other] = browsers(await shown(ann))
    async with await signed_in(nod, "eve@example.org") as eve:
        assert (await eve.post(f"/settings/sessions/{other}/end")).status_code == 404
        await eve.post("/settings/sessions/end-others")
        await eve.post("/settings", data={**ANN, "name": "Eve"})
        assert OWNER not in await shown(eve)
    assert (await phone.get("/settings")).status_code == 200
    assert 'value="Ann"' in await shown(ann)
