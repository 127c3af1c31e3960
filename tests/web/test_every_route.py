"""What holds for every route of the app: nobody else's hand, nobody else's eyes.

Routes for people who are signed in are those that ask for the `viewer`. A new one is found by
itself; where it needs an id, it is one of those that `furnish` makes.
"""

import inspect
import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from litestar import Router
from litestar.handlers import HTTPRouteHandler

from nod.actions.sessions import open_session
from nod.domain.limits import Limits
from nod.store.store import Tx
from nod.web import pages
from support.browser import signed_in
from support.household import Household, furnish, open_household
from support.inprocess import InProcess

_IDS = (
    *("agent_id", "task_id", "run_id", "conversation_id", "decision_id", "image_id"),
    *("target_id", "rule_id", "session_id", "delivery_id", "message_id"),
)
_PARAMETER = re.compile(r"{(\w+)(?::\w+)?}")


def _handlers() -> list[tuple[str, str, HTTPRouteHandler]]:
    """Every page route: method, path, handler."""
    found = []
    for router in pages.routes(Limits()):
        assert isinstance(router, Router)
        for route in router.routes:
            for handler in route.route_handlers:  # type: ignore[union-attr]
                assert isinstance(handler, HTTPRouteHandler)
                methods = handler.http_methods - {"HEAD", "OPTIONS"}
                path = _PARAMETER.sub(r"{\1}", route.path)
                found += [(method, path, handler) for method in methods]
    return sorted(set(found), key=lambda each: each[:2])


def _is_for_the_signed_in(handler: HTTPRouteHandler) -> bool:
    return "viewer" in inspect.signature(handler.fn).parameters


ROUTES = _handlers()
CHANGES = sorted({path for method, path, _ in ROUTES if method != "GET"})
SIGNED_IN = [(method, path) for method, path, handler in ROUTES if _is_for_the_signed_in(handler)]
THINGS = [
    (method, path)
    for method, path in SIGNED_IN
    if (names := _PARAMETER.findall(path)) and set(names) <= set(_IDS)
]


def test_the_routes_are_found() -> None:
    assert len(CHANGES) > 30
    assert len(THINGS) > 30
    assert ("POST", "/settings/password") in SIGNED_IN


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[Household]:
    async with open_household(tmp_path) as opened:
        yield opened


def filled(path: str) -> str:
    """The path with something in place of each parameter."""
    return _PARAMETER.sub("x", path)


async def test_no_change_is_made_that_another_site_asks_for(nod: InProcess) -> None:
    async with await signed_in(nod) as ann:
        for path in CHANGES:
            for headers in (
                {"Sec-Fetch-Site": "cross-site"},
                {"Sec-Fetch-Site": "same-site"},
                {"Sec-Fetch-Site": "none"},
            ):
                answer = await ann.post(filled(path), headers=headers)
                assert answer.status_code == 403, (path, headers)
                assert "asked for by another site" in answer.text, path


async def test_nothing_is_shown_or_done_for_who_is_not_signed_in(nod: InProcess) -> None:
    ours = {"Sec-Fetch-Site": "same-origin"}
    async with httpx.AsyncClient(base_url=nod.url, headers=ours) as stranger:
        for method, path in SIGNED_IN:
            answer = await stranger.request(method, filled(path))
            assert answer.status_code == 303, (method, path)
            assert answer.headers["location"].startswith("/login?next="), (method, path)


async def test_what_is_somebody_elses_is_neither_shown_nor_changed(house: Household) -> None:
    ids = await furnish(house.nod, house.ann)
    async with await _browser(house, house.eve.user.email) as eve:
        for method, path in THINGS:
            answer = await eve.request(method, path.format(**ids))
            wanted = {404} if method == "GET" else {400, 404}
            assert answer.status_code in wanted, (method, path, answer.text[:200])
            assert house.ann.agent.name not in answer.text, (method, path)
    # The owner's own visit shows that there is something to be seen.
    async with await _browser(house, house.ann.user.email) as ann:
        for method, path in THINGS:
            if method == "GET":
                own = await ann.get(path.format(**ids))
                assert own.status_code != 404, path


async def _browser(house: Household, email: str) -> httpx.AsyncClient:
    """The person's browser, which speaks to the household's doors."""

    async def sign_in(tx: Tx) -> str:
        user = await tx.people.user_by_email(email)
        assert user is not None
        return (await open_session(tx, user, "Firefox")).token

    token = await house.nod.store.write(sign_in)
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app=house.doors),  # type: ignore[arg-type]
        base_url="https://nod",
        cookies={"__Host-nod": token},
        headers={"Sec-Fetch-Site": "same-origin"},
    )
