"""`nod users` and `nod agents`: what whoever runs the server does, beside it or without it."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result

from nod.cli.main import main
from nod.clock import SystemClock
from nod.config import load
from nod.opening import open_database
from nod.store.store import Store, Tx
from support.server import RunningServer

PASSWORD = "correct horse"


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


def nod(data_dir: Path, *arguments: str, stdin: str | None = None) -> Result:
    environ = {"NOD_DATA_DIR": str(data_dir), "NOD_ALLOW_WEBHOOK_NETS": None}
    return CliRunner().invoke(main, list(arguments), input=stdin, env=environ)


def told(result: Result) -> Any:
    """What `--json` printed."""
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def add_user(data_dir: Path, email: str) -> Result:
    return nod(data_dir, "users", "add", email, "--password-stdin", "--json", stdin=f"{PASSWORD}\n")


def test_an_account_made_here_logs_in_at_the_server(data_dir: Path) -> None:
    assert told(add_user(data_dir, "Ada@Example.org"))["email"] == "ada@example.org"
    server = RunningServer(data_dir).start()
    try:
        login = {"email": "ada@example.org", "password": PASSWORD}
        answer = httpx.post(f"{server.url}/api/auth/login", json=login)
        assert answer.status_code == 200, answer.text
    finally:
        server.stop()


def test_the_password_is_asked_for_twice_and_not_shown(data_dir: Path) -> None:
    result = nod(data_dir, "users", "add", "ada@example.org", stdin=f"{PASSWORD}\n{PASSWORD}\n")
    assert result.exit_code == 0
    assert PASSWORD not in result.output
    assert "ada@example.org can log in now" in result.output


@pytest.mark.parametrize(
    ("email", "password", "says"),
    [("ada", PASSWORD, "e-mail address"), ("ada@example.org", "short", "between 8 and")],
)
def test_an_account_that_cannot_be_is_refused_with_the_reason(
    data_dir: Path, email: str, password: str, says: str
) -> None:
    result = nod(data_dir, "users", "add", email, "--password-stdin", stdin=password)
    assert result.exit_code == 1
    assert says in result.stderr


def test_an_agent_added_before_any_account_belongs_to_the_first(data_dir: Path) -> None:
    early = told(nod(data_dir, "agents", "add", "Early", "--json"))
    assert set(early) == {"agent_id", "secret", "webhook_secret"}
    told(nod(data_dir, "agents", "add", "Also early", "--json"))
    told(add_user(data_dir, "ada@example.org"))
    told(add_user(data_dir, "bob@example.org"))
    told(nod(data_dir, "agents", "add", "Bob's", "--owner", "bob@example.org", "--json"))

    settings = load({}, {"data_dir": data_dir})

    async def owners() -> list[tuple[str, str]]:
        store = Store(open_database(settings, exclusive=False), SystemClock(), settings.limits)
        await store.start()
        try:
            return await store.read(_owners)
        finally:
            await store.close()

    async def _owners(tx: Tx) -> list[tuple[str, str]]:
        found = []
        for agent in await tx.people.all_agents():
            owner = await tx.people.user(agent.owner_id)
            assert owner is not None
            found.append((agent.name, owner.email))
        return found

    assert asyncio.run(owners()) == [
        ("Early", "ada@example.org"),
        ("Also early", "ada@example.org"),
        ("Bob's", "bob@example.org"),
    ]


def test_agents_are_listed_given_new_secrets_and_removed(data_dir: Path) -> None:
    made = told(nod(data_dir, "agents", "add", "Ada", "--timezone", "Europe/Berlin", "--json"))
    (listed,) = told(nod(data_dir, "agents", "list", "--json"))
    assert (listed["agent_id"], listed["timezone"]) == (made["agent_id"], "Europe/Berlin")
    assert made["secret"] not in str(listed)
    assert made["agent_id"] in nod(data_dir, "agents", "list").stdout

    rotated = nod(data_dir, "agents", "rotate-secret", "Ada")
    assert rotated.exit_code == 0
    assert "nod_" in rotated.stdout
    assert made["secret"] not in rotated.stdout
    assert "this once" in rotated.stderr

    removed = told(nod(data_dir, "agents", "remove", made["agent_id"], "--json"))
    assert removed == {"status": "removed", "agent_id": made["agent_id"]}
    assert told(nod(data_dir, "agents", "list", "--json")) == []


def test_an_agent_can_be_named_as_long_as_only_one_has_the_name(data_dir: Path) -> None:
    first = told(nod(data_dir, "agents", "add", "Ada", "--json"))
    told(nod(data_dir, "agents", "add", "Ada", "--json"))
    twice = nod(data_dir, "agents", "remove", "Ada")
    assert twice.exit_code == 1
    assert first["agent_id"] in twice.stderr
    assert "is removed" in nod(data_dir, "agents", "remove", first["agent_id"]).stdout
    assert nod(data_dir, "agents", "remove", "Ada").exit_code == 0
    gone = nod(data_dir, "agents", "remove", "Ada")
    assert gone.exit_code == 1
    assert "nod agents list" in gone.stderr


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--owner", "nobody@example.org"], "nod users add"),
        (["--webhook-url", "http://127.0.0.1/"], "NOD_ALLOW_WEBHOOK_NETS"),
        (["--timezone", "Mars/Base"], "IANA"),
    ],
)
def test_an_agent_that_cannot_be_is_refused_with_the_reason(
    data_dir: Path, options: list[str], says: str
) -> None:
    result = nod(data_dir, "agents", "add", "Ada", *options)
    assert result.exit_code == 1
    assert says in result.stderr


def test_a_kind_that_does_not_exist_is_misuse(data_dir: Path) -> None:
    assert nod(data_dir, "agents", "add", "Ada", "--kind", "robot").exit_code == 2


def test_an_agent_is_added_while_the_server_runs(data_dir: Path) -> None:
    server = RunningServer(data_dir).start()
    try:
        made = told(nod(data_dir, "agents", "add", "Ada", "--json"))
        headers = {"X-Nod-Agent-Id": made["agent_id"], "X-Nod-Secret": made["secret"]}
        answer = httpx.get(f"{server.url}/api/agent/tasks", headers=headers)
        assert (answer.status_code, answer.json()) == (200, [])
    finally:
        server.stop()
