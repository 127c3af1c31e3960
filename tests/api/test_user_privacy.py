"""People never see each other's things, on any route there is; a new route is tested by itself."""

import re
from typing import Any

import pytest
from litestar import Litestar
from litestar.di import Provide
from litestar.routes import HTTPRoute

from nod.api import user
from nod.api.auth import provide_nod
from nod.domain.limits import Limits
from nod.server import framework
from support.household import Household, furnish

TASK = {"name": "Digest", "prompt": "Sum up.", "schedule": "0 9 * * *"}

# What a call needs besides its path. A route without an entry is called without a body.
BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", "/api/agents"): {"name": "Third"},
    ("PATCH", "/api/agents/{agent_id}"): {"name": "Mine"},
    ("POST", "/api/agents/{agent_id}/rules"): {"pattern": "git push"},
    ("POST", "/api/conversations/{conversation_id}/messages"): {"text": "Hello"},
    ("POST", "/api/conversations/{conversation_id}/read"): {},
    ("POST", "/api/decisions/{decision_id}/resolve"): {"status": "approved"},
    ("POST", "/api/tasks/{agent_id}"): TASK,
    ("PATCH", "/api/tasks/{agent_id}/{task_id}"): {"name": "Mine"},
    ("PATCH", "/api/notifications/settings"): {"morning_at": "07:30"},
    ("PATCH", "/api/notifications/targets/{target_id}"): {"enabled": False},
}
# A picture of one pixel.
GIF = b"GIF89a\1\0\1\0\x80\0\0" + bytes(6) + b",\0\0\0\0\1\0\1\0\0\2\2D\1\0;"
FILES = {("POST", "/api/conversations/{conversation_id}/images"): GIF}
QUERIES = {
    "/api/tasks/{agent_id}/{task_id}/why": {"at": "2026-03-02T09:00:00Z"},
    "/api/search": {"q": "report"},
}
# Everybody's own call, without a token.
OPEN = {("POST", "/api/auth/login")}
# Answered, but in a state where the call is refused: the delivery of `furnish` is not settled, its
# agent has no webhook.
REFUSED = {
    ("POST", "/api/tasks/{agent_id}/{task_id}/resume"),
    ("POST", "/api/deliveries/{delivery_id}/replay"),
    ("POST", "/api/decisions/{decision_id}/undo"),
    ("POST", "/api/agents/{agent_id}/test-webhook"),
}


def table(app: Litestar) -> list[tuple[str, str]]:
    """Every call as its method and path, parameters without their types."""
    return sorted(
        (method, re.sub(r":\w+}", "}", route.path))
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for method in route.methods
        if method not in ("OPTIONS", "HEAD")
    )


CALLS = table(
    Litestar(
        user.routes(Limits()),
        dependencies={"nod": Provide(provide_nod, sync_to_thread=False)},
        openapi_config=None,
    )
)
GUARDED = [call for call in CALLS if call not in OPEN]
THINGS = [call for call in GUARDED if "{" in call[1]]
# The server's own key, which is no secret.
SHARED = "/api/notifications/vapid-key"
LISTS = [path for method, path in GUARDED if method == "GET" and "{" not in path and path != SHARED]


async def call(client: Any, method: str, path: str, ids: dict[str, str]) -> Any:
    sent: dict[str, Any] = {"json": BODIES.get((method, path))}
    if (method, path) in FILES:
        sent = {"content": FILES[method, path]}
    return await client.request(method, path.format(**ids), params=QUERIES.get(path, {}), **sent)


def test_the_server_has_no_other_routes_for_people() -> None:
    served = table(framework(Limits()))
    elsewhere = ("/api/agent/", "/api/webhooks/", "/api/docs", "/api/openapi")
    mine = [each for each in served if each[1].startswith("/api/")]
    assert [each for each in mine if not each[1].startswith(elsewhere)] == CALLS


@pytest.mark.parametrize(("method", "path"), THINGS)
async def test_somebody_elses_thing_is_as_if_it_did_not_exist(
    house: Household, method: str, path: str
) -> None:
    ids = await furnish(house.nod, house.ann)
    foreign = await call(house.eve.http, method, path, ids)
    assert foreign.status_code == 404, foreign.text
    assert set(foreign.json()) == {"detail"}
    # The owner's own call shows that the request itself was good.
    own = await call(house.ann.http, method, path, ids)
    assert own.status_code < 300 or (own.status_code == 409 and (method, path) in REFUSED)


@pytest.mark.parametrize(
    ("method", "path"), [each for each in THINGS if "{agent_id}/{task_id}" in each[1]]
)
async def test_a_task_is_not_reached_through_ones_own_agent(
    house: Household, method: str, path: str
) -> None:
    ids = await furnish(house.nod, house.ann)
    answer = await call(house.eve.http, method, path, {**ids, "agent_id": house.eve.agent.id})
    assert answer.status_code == 404


@pytest.mark.parametrize("path", LISTS)
async def test_lists_hold_ones_own_things_only(house: Household, path: str) -> None:
    ids = await furnish(house.nod, house.ann)
    query = QUERIES.get(path, {})
    foreign = await house.eve.http.get(path, params=query)
    assert foreign.status_code == 200
    for each in (*ids.values(), house.ann.user.id):
        assert each not in foreign.text
    own = await house.ann.http.get(path, params=query)
    assert own.json() != foreign.json()


@pytest.mark.parametrize(
    "path", ["/api/activity", "/api/deliveries", "/api/deliveries/waiting", "/api/search"]
)
async def test_asking_for_somebody_elses_agent_finds_none(house: Household, path: str) -> None:
    ids = await furnish(house.nod, house.ann)
    query = {**QUERIES.get(path, {}), "agent_id": ids["agent_id"]}
    answer = await house.eve.http.get(path, params=query)
    assert answer.status_code == 404
    own = await house.ann.http.get(path, params=query)
    assert len(own.json()) > 0


async def test_deliveries_of_somebody_elses_event_are_not_listed(house: Household) -> None:
    ids = await furnish(house.nod, house.ann)
    query = {"event_id": ids["event_id"]}
    assert (await house.eve.http.get("/api/deliveries", params=query)).json() == []
    own = await house.ann.http.get("/api/deliveries", params=query)
    assert ids["delivery_id"] in [each["id"] for each in own.json()]


@pytest.mark.parametrize(("method", "path"), GUARDED)
async def test_without_a_token_nothing_is_answered(
    house: Household, method: str, path: str
) -> None:
    ids = dict.fromkeys(("agent_id", "task_id", "run_id", "delivery_id"), "x")
    ids |= dict.fromkeys(("conversation_id", "image_id", "decision_id", "target_id"), "x")
    ids |= dict.fromkeys(("rule_id", "session_id", "sender_id"), "x")
    bare = await house.without_token.request(method, path.format(**ids), content=b"{not json")
    assert bare.status_code == 401, bare.text
    assert "Authorization" in bare.json()["detail"]
    wrong = await house.without_token.request(
        method, path.format(**ids), headers={"Authorization": "Bearer x.y.z"}
    )
    assert wrong.status_code == 401


async def test_the_token_of_an_account_that_is_gone_opens_nothing(house: Household) -> None:
    from nod.actions.accounts import JWT_PURPOSE, make_token
    from nod.domain.model import User

    gone = User("usr_gone", "gone@example.org", "", "", "UTC", 0)
    nod = house.nod
    token, _ = make_token(gone, nod.vault.derive(JWT_PURPOSE), nod.clock.now(), nod.limits)
    answer = await house.without_token.get("/api/me", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 401
    assert "gone" in answer.json()["detail"]
