"""The first account, signing in and out, and adding an agent, over real HTTP."""

import asyncio
import json
import re
import shlex
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from html import unescape
from pathlib import Path

import httpx
import pytest

from nod import Agent
from nod.actions import setup
from nod.domain.zones import check_timezone, timezones
from nod.web.start import local_path
from support.inprocess import InProcess, running
from support.server import RunningServer

EMAIL = "ann@example.org"
PASSWORD = "correct horse battery"
NAVIGATES = {"Sec-Fetch-Site": "same-origin"}
OWNER = {"name": "Ann", "email": EMAIL, "password": PASSWORD, "timezone": "Europe/Berlin"}
LINK = re.compile(r"Create the owner: (\S+)")


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[InProcess]:
    """A server that has no account yet, and whose time goes on."""
    async with running(tmp_path) as started:
        yield started


@contextmanager
def serving(folder: Path, environ: Mapping[str, str]) -> Iterator[RunningServer]:
    """`nod serve`, which prints a link."""
    server = RunningServer(folder, environ).start()
    try:
        yield server
    finally:
        server.stop()


def browser(server: InProcess | RunningServer) -> httpx.AsyncClient:
    """A browser that shows each answer, also one that leads elsewhere."""
    return httpx.AsyncClient(base_url=server.url, headers=NAVIGATES, timeout=20)


def printed_path(server: RunningServer) -> str:
    """Where the link that was printed leads."""
    found = LINK.findall(server.log)
    return setup.PATH + str(found[-1]).rpartition("/")[2]


async def setup_path(server: InProcess) -> str:
    """Where a link leads that is made as `nod serve` makes the one it prints."""
    token = await server.nod.store.write(setup.make_setup_link)
    assert token is not None
    return setup.PATH + token


@asynccontextmanager
async def owner(server: InProcess) -> AsyncIterator[httpx.AsyncClient]:
    """The browser in which the first account was made."""
    async with browser(server) as page:
        answer = await page.post(await setup_path(server), data=OWNER)
        assert answer.status_code == 303, answer.text
        yield page


async def sign_in(page: httpx.AsyncClient, password: str = PASSWORD, **more: str) -> httpx.Response:
    return await page.post("/login", data={"email": EMAIL, "password": password, **more})


async def test_the_printed_link_makes_one_account_signs_its_owner_in_and_is_used_up(
    tmp_path: Path,
) -> None:
    with serving(tmp_path, {}) as server:
        async with browser(server) as page:
            path = printed_path(server)
            form = await page.get(path)
            assert form.status_code == 200
            assert "data-zone" in form.text
            assert "script-src 'self'" in form.headers["Content-Security-Policy"]
            made = await page.post(path, data=OWNER)
            assert (made.status_code, made.headers["Location"]) == (303, "/agents/new")
            assert (await page.get("/agents/new")).status_code == 200
            assert (await page.get(path)).status_code == 409
            assert (
                await page.post(path, data={**OWNER, "email": "b@example.org"})
            ).status_code == 409


async def test_a_link_that_was_not_printed_makes_no_account(server: InProcess) -> None:
    async with browser(server) as page:
        assert (await page.get("/setup/guess")).status_code == 404
        assert (await page.post("/setup/guess", data=OWNER)).status_code == 404
        assert "nod serve" in (await page.get("/login")).text


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"password": "short"}, "“Password” must have"),
        ({"email": "nobody"}, "“E-mail address” must be"),
        ({"timezone": "Mars/Base"}, "not an IANA time zone"),
    ],
)
async def test_a_wrong_field_at_the_first_start_is_named_and_the_rest_is_kept(
    server: InProcess, wrong: dict[str, str], says: str
) -> None:
    async with browser(server) as page:
        path = await setup_path(server)
        answer = await page.post(path, data={**OWNER, "name": "Ann <b>", **wrong})
        assert answer.status_code == 400
        assert says in answer.text
        at = rf'<[^>]* id="{next(iter(wrong))}"[^>]* aria-invalid="true" aria-describedby="wrong'
        assert re.search(at, answer.text)
        assert 'value="Ann &lt;b&gt;"' in answer.text
        assert PASSWORD not in answer.text
        assert (await page.get(path)).status_code == 200


async def test_signing_in_leads_to_the_page_that_was_asked_for(server: InProcess) -> None:
    async with owner(server), browser(server) as page:
        asked = await page.get("/agents/new")
        assert asked.headers["Location"] == "/login?next=/agents/new"
        assert 'value="/agents/new"' in (await page.get(asked.headers["Location"])).text
        answer = await sign_in(page, next="/agents/new")
        assert (answer.status_code, answer.headers["Location"]) == (303, "/agents/new")
        assert (await page.get("/agents/new")).status_code == 200


async def test_a_wrong_password_is_said_at_the_form_and_signs_nobody_in(
    server: InProcess,
) -> None:
    async with owner(server), browser(server) as page:
        answer = await sign_in(page, "wrong password")
        assert answer.status_code == 400
        assert "There is no account with this e-mail address and password." in answer.text
        assert f'value="{EMAIL}"' in answer.text
        assert "Set-Cookie" not in answer.headers
        assert (await page.post("/login", data={"email": "nobody"})).status_code == 400


async def test_too_many_wrong_passwords_are_said_with_when_to_try_again(
    server: InProcess,
) -> None:
    async with owner(server), browser(server) as page:
        for _ in range(10):
            assert (await sign_in(page, "wrong password")).status_code == 400
        answer = await sign_in(page)
        assert answer.status_code == 429
        assert "Too many failed logins" in answer.text
        assert int(answer.headers["Retry-After"]) > 0


@pytest.mark.parametrize(
    "elsewhere",
    ["https://evil.example", "//evil.example", "/\\evil.example", "evil", "/\t/evil.example", ""],
)
def test_signing_in_never_leads_to_another_site(elsewhere: str) -> None:
    assert local_path(elsewhere) == "/"


async def test_the_form_and_the_answer_of_signing_in_refuse_another_site(
    server: InProcess,
) -> None:
    async with owner(server), browser(server) as page:
        form = await page.get("/login", params={"next": "//evil.example"})
        assert "evil" not in form.text
        assert (await sign_in(page, next="//evil.example")).headers["Location"] == "/"


async def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(
    server: InProcess,
) -> None:
    async with owner(server), browser(server) as page:
        cookie = (await sign_in(page)).headers["Set-Cookie"]
        assert cookie.startswith("nod=")
        assert {"HttpOnly", "Path=/", "SameSite=lax"} <= set(cookie.split("; "))
        assert "Secure" not in cookie


async def test_behind_https_the_cookie_is_bound_to_the_host_and_secure(tmp_path: Path) -> None:
    with serving(tmp_path, {"NOD_PUBLIC_URL": "https://nod.example.org"}) as server:
        async with browser(server) as page:
            assert "https://nod.example.org/setup/" in server.log
            cookie = (await page.post(printed_path(server), data=OWNER)).headers["Set-Cookie"]
    assert cookie.startswith("__Host-nod=")
    assert {"HttpOnly", "Secure", "Path=/", "SameSite=lax"} <= set(cookie.split("; "))
    assert "Domain" not in cookie


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {},
    ],
)
async def test_a_change_that_another_site_asks_for_is_refused(
    server: InProcess, headers: dict[str, str]
) -> None:
    async with owner(server) as page, httpx.AsyncClient(base_url=server.url) as other:
        other.cookies = page.cookies
        for path in ("/login", "/logout", "/agents/new"):
            answer = await other.post(path, headers=headers)
            assert answer.status_code == 403, path
        assert (await page.get("/agents/new")).status_code == 200


async def test_a_browser_that_only_names_its_origin_can_sign_in(server: InProcess) -> None:
    async with owner(server), httpx.AsyncClient(base_url=server.url) as page:
        page.headers["Origin"] = server.url
        assert (await sign_in(page)).status_code == 303


async def test_signing_out_ends_the_session_and_clears_what_the_browser_kept(
    server: InProcess,
) -> None:
    async with owner(server) as page:
        held = dict(page.cookies)
        answer = await page.post("/logout")
        assert (answer.status_code, answer.headers["Location"]) == (303, "/login")
        assert answer.headers["Clear-Site-Data"] == '"cache", "storage"'
        assert "Max-Age=0" in answer.headers["Set-Cookie"]
        async with browser(server) as thief:
            thief.cookies = httpx.Cookies(held)
            assert (await thief.get("/agents/new")).status_code == 303


# an agent


def _shown(html: str, name: str) -> str:
    found = re.search(rf'<code id="{name}"[^>]*>([^<]+)</code>', html)
    assert found is not None
    return found[1]


async def test_a_new_agents_secret_is_shown_once_with_how_to_connect_it(
    server: InProcess,
) -> None:
    async with owner(server) as page:
        made = await page.post("/agents/new", data={"name": "Ada", "kind": "interactive"})
        assert made.status_code == 200
        assert "no-store" in made.headers["Cache-Control"]
        secret = _shown(made.text, "secret")
        assert secret.startswith("nod_")
        assert _shown(made.text, "webhook-secret").startswith("whsec_")
        for words in ("nod work", "curl", "Python", "Node", "Webhook", "MCP", server.url):
            assert words in made.text
        agent_id = _shown(made.text, "agent-id")
        for path in ("/", "/agents/new", f"/agents/{agent_id}/connection"):
            assert secret not in (await page.get(path)).text


@pytest.mark.parametrize("kind", ["interactive", "approval_only"])
async def test_what_the_page_shows_for_mcp_can_be_given_as_it_stands(
    server: InProcess, kind: str
) -> None:
    async with owner(server) as page:
        made = (await page.post("/agents/new", data={"name": "Ada", "kind": kind})).text
    credentials = {
        "NOD_API_URL": server.url,
        "NOD_AGENT_ID": _shown(made, "agent-id"),
        "NOD_SECRET": _shown(made, "secret"),
    }
    assert json.loads(_block(made, "way-mcp"))["mcpServers"]["nod"] == {
        "command": "nod",
        "args": ["mcp"],
        "env": credentials,
    }
    bearer = f"Bearer {credentials['NOD_AGENT_ID']}.{credentials['NOD_SECRET']}"
    address = f"{server.url}/mcp"
    assert json.loads(_block(made, "way-mcp-http"))["mcpServers"]["nod"] == {
        "type": "http",
        "url": address,
        "headers": {"Authorization": bearer},
    }
    words = ["claude", "mcp", "add", "--transport", "http", "nod", address]
    shown = shlex.split(_block(made, "way-mcp-claude").replace("\\\n", ""))
    assert shown == [*words, "--header", f"Authorization: {bearer}"]
    async with httpx.AsyncClient() as http:
        call = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
        accept = {"Accept": "application/json, text/event-stream"}
        answer = await http.post(address, json=call, headers={**accept, "Authorization": bearer})
    assert answer.status_code == 200


def _block(html: str, name: str) -> str:
    """What the button beside a block of code copies."""
    found = re.search(rf'<pre class="block" id="{name}"[^>]*>(.*?)</pre>', html, re.DOTALL)
    assert found is not None
    return unescape(found[1])


async def test_an_agent_without_a_name_is_asked_for_again(server: InProcess) -> None:
    async with owner(server) as page:
        answer = await page.post("/agents/new", data={"name": " ", "kind": "approval_only"})
        assert answer.status_code == 400
        assert 'role="alert"' in answer.text
        assert re.search(r'value="approval_only"\s+checked', answer.text)


async def test_an_agent_that_only_asks_is_offered_no_alarm(server: InProcess) -> None:
    async with owner(server) as page:
        made = await page.post("/agents/new", data={"name": "Ci", "kind": "approval_only"})
        assert "test-task" not in made.text
        agent_id = _shown(made.text, "agent-id")
        assert (await page.post(f"/agents/{agent_id}/test-task")).status_code == 403


async def _live(page: httpx.AsyncClient, wanted: str, ready: asyncio.Event) -> None:
    """Until the stream of hints names `wanted`."""
    async with page.stream("GET", "/live", params={"since": "9" * 15}) as stream:
        assert stream.status_code == 200
        ready.set()
        async for line in stream.aiter_lines():
            if line.startswith("data:") and wanted in line.split():
                return


@pytest.mark.parametrize("way", ["socket", "polling"])
async def test_the_page_hears_that_the_agent_has_come_and_shows_it(
    server: InProcess, way: str
) -> None:
    async with owner(server) as page:
        made = (await page.post("/agents/new", data={"name": "Ada"})).text
        agent_id, secret = _shown(made, "agent-id"), _shown(made, "secret")
        assert f'data-live="{agent_id}"' in made
        assert "Waiting for your agent…" in made
        ready = asyncio.Event()
        told = asyncio.create_task(_live(page, agent_id, ready))
        await ready.wait()
        if way == "socket":
            async with Agent(server.url, agent_id, secret) as agent:
                await agent.wait_connected()
                await asyncio.wait_for(told, 10)
        else:
            headers = {"X-Nod-Agent-Id": agent_id, "X-Nod-Secret": secret}
            polled = await page.get("/api/agent/events", headers=headers)
            assert polled.status_code == 200
            await asyncio.wait_for(told, 10)
        now = await page.get(f"/agents/{agent_id}/connection")
        assert "Connected" in now.text
        assert "chip ok" in now.text


async def test_a_webhook_address_is_set_on_the_page_and_a_wrong_one_named(
    server: InProcess,
) -> None:
    async with owner(server) as page:
        made = (await page.post("/agents/new", data={"name": "Ada"})).text
        path = f"/agents/{_shown(made, 'agent-id')}/webhook"
        wrong = await page.post(path, data={"webhook_url": "nowhere"})
        assert wrong.status_code == 400
        assert 'value="nowhere"' in wrong.text
        right = await page.post(path, data={"webhook_url": "http://127.0.0.1:9/nod"})
        assert (right.status_code, "Set" in right.text) == (200, True)


async def test_the_test_alarm_rings_and_leads_to_the_chat(server: InProcess) -> None:
    async with owner(server) as page:
        made = (await page.post("/agents/new", data={"name": "Ada"})).text
        agent_id, secret = _shown(made, "agent-id"), _shown(made, "secret")
        async with Agent(server.url, agent_id, secret) as agent:
            await agent.wait_connected()
            answer = await page.post(f"/agents/{agent_id}/test-task")
            assert answer.status_code == 303
            assert answer.headers["Location"].startswith("/chats/conv_")
            event = await asyncio.wait_for(anext(aiter(agent.events())), 15)
        assert (event["type"], event["task_name"]) == ("task_due", "Say hello")
        assert "Ann" in event["task_prompt"]


async def test_somebody_elses_agent_is_nowhere_to_be_found(server: InProcess) -> None:
    async with owner(server) as page:
        for path in ("webhook", "test-task"):
            assert (await page.post(f"/agents/agt_other/{path}")).status_code == 404
        assert (await page.get("/agents/agt_other/connection")).status_code == 404


def test_every_zone_that_is_offered_is_taken() -> None:
    assert "Europe/Berlin" in timezones()
    assert all(check_timezone(each) == each for each in timezones())
