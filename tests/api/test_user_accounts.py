"""A person's own account by the API: profile, password, browsers; and logging in too often."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from nod.actions import accounts, sessions
from nod.actions.sessions import SignedIn
from nod.domain.errors import NotAuthenticated
from support.household import Household, Person
from support.server import RunningServer

PASSWORD = "correct horse"


async def give_password(house: Household, person: Person) -> Person:
    """The person with a password that can be typed."""
    hashed = await asyncio.to_thread(accounts.hash_password, PASSWORD, house.nod.limits)
    known = replace(person.user, password_hash=hashed)
    await house.nod.store.write(lambda tx: tx.people.update_user(known))
    return replace(person, user=known)


async def sign_in(house: Household, person: Person, browser: str = "Firefox") -> SignedIn:
    return await house.nod.store.write(lambda tx: sessions.open_session(tx, person.user, browser))


async def log_in(house: Household, password: str = PASSWORD, **fields: Any) -> httpx.Response:
    wanted = {"email": "ann@example.org", "password": password, **fields}
    return await house.without_token.post("/api/auth/login", json=wanted)


def change(current: str, new: str) -> dict[str, str]:
    return {"current_password": current, "new_password": new}


async def test_a_person_changes_name_zone_dates_and_theme(house: Household) -> None:
    wanted = {"name": "Anne", "timezone": "Europe/Berlin", "locale": "de_DE", "theme": "dark"}
    answer = await house.ann.http.patch("/api/me", json=wanted)
    assert answer.status_code == 200, answer.text
    assert wanted.items() <= answer.json().items()
    assert (await house.ann.http.get("/api/me")).json() == answer.json()
    for wrong in ({"theme": "pink"}, {"locale": "xx"}, {"timezone": "Mars"}, {"name": 1}):
        assert (await house.ann.http.patch("/api/me", json=wrong)).status_code == 400


async def test_another_password_ends_every_token_and_browser_before_it(house: Household) -> None:
    ann = await give_password(house, house.ann)
    browser = await sign_in(house, ann)
    answer = await ann.http.patch("/api/me/password", json=change(PASSWORD, "battery staple"))
    assert answer.status_code == 200, answer.text
    assert (await ann.http.get("/api/me")).status_code == 401
    fresh = {"Authorization": f"Bearer {answer.json()['token']}"}
    assert (await ann.http.get("/api/me", headers=fresh)).status_code == 200
    with pytest.raises(NotAuthenticated):
        await house.nod.store.read(lambda tx: sessions.find_session(tx, browser.token))
    assert (await log_in(house)).status_code == 401
    assert (await log_in(house, "battery staple")).status_code == 200
    assert (await house.eve.http.get("/api/me")).status_code == 200


async def test_the_password_is_not_changed_without_the_present_one(house: Household) -> None:
    ann = await give_password(house, house.ann)
    refused = await ann.http.patch("/api/me/password", json=change("a guess", "battery staple"))
    assert (refused.status_code, "current_password" in refused.text) == (403, True)
    short = await ann.http.patch("/api/me/password", json=change(PASSWORD, "short"))
    assert short.status_code == 400
    assert (await log_in(house)).status_code == 200


async def test_guessing_the_present_password_is_counted_as_a_login(house: Household) -> None:
    ann = await give_password(house, house.ann)
    limited = replace(house.nod.limits, login_attempts=1)
    house.nod.store._limits = limited
    wrong = change("a guess", "battery staple")
    assert (await ann.http.patch("/api/me/password", json=wrong)).status_code == 403
    refused = await ann.http.patch("/api/me/password", json=wrong)
    assert (refused.status_code, int(refused.headers["Retry-After"]) > 800) == (429, True)


async def test_browsers_are_listed_and_signed_out(house: Household) -> None:
    first = await sign_in(house, house.ann, "Chrome Android")
    second = await sign_in(house, house.ann)
    listed = (await house.ann.http.get("/api/me/sessions")).json()
    browsers = {each["id"]: each["browser"] for each in listed}
    assert set(browsers) == {first.session.id, second.session.id}
    assert browsers[first.session.id] == "Chrome on Android"
    assert first.session.token_hash not in str(listed)
    gone = await house.ann.http.delete(f"/api/me/sessions/{first.session.id}")
    assert gone.status_code == 204
    assert len((await house.ann.http.get("/api/me/sessions")).json()) == 1


async def test_signing_out_everywhere_ends_the_token_too(house: Household) -> None:
    await sign_in(house, house.ann)
    assert (await house.ann.http.delete("/api/me/sessions")).status_code == 204
    assert (await house.ann.http.get("/api/me")).status_code == 401
    assert (await house.eve.http.get("/api/me")).status_code == 200


async def test_a_cookie_is_no_token(house: Household) -> None:
    made = await sign_in(house, house.ann)
    headers = {"Authorization": f"Bearer {made.token}"}
    assert (await house.without_token.get("/api/me", headers=headers)).status_code == 401


async def test_an_answer_is_held_shown_and_undone(house: Household) -> None:
    headers = house.as_agent(house.ann)
    frame = {"type": "decision", "title": "May I?"}
    asked = await house.without_token.post("/api/agent/events", json=frame, headers=headers)
    url = f"/api/decisions/{asked.json()['decision_id']}"
    held = await house.ann.http.post(f"{url}/resolve", json={"status": "approved", "undo_s": 10})
    assert (held.status_code, held.json()["status"]) == (200, "pending")
    assert held.json()["held"]["by"] == "ann@example.org"
    assert held.json()["held"]["answer"]["status"] == "approved"
    again = await house.ann.http.post(f"{url}/resolve", json={"status": "rejected"})
    assert (again.status_code, "undo" in again.json()["detail"]) == (409, True)
    agents_view = await house.without_token.get(f"/api/agent{url[4:]}", headers=headers)
    assert "held" not in agents_view.text
    undone = await house.ann.http.post(f"{url}/undo")
    assert (undone.status_code, undone.json()["held"]) == (200, None)
    assert (await house.ann.http.post(f"{url}/undo")).status_code == 409


# the first start


def test_a_server_without_accounts_says_how_to_make_the_first(tmp_path: Path) -> None:
    server = RunningServer(tmp_path).start()
    assert f"Create the owner: {server.url}/setup/" in server.log
    assert server.stop() == 0
    asyncio.run(server.add_agent())  # makes the first account, too
    before = server.log.count("Create the owner")
    server.start()
    assert server.stop() == 0
    assert server.log.count("Create the owner") == before == 1
