"""Moving up: `nod db copy`, and a real server on the copy that goes on where the file stopped."""

import asyncio
import base64
import hashlib
import hmac
import json
import os
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from standardwebhooks.webhooks import Webhook

from faults.test_kill import beside, open_socket
from nod.actions import tasks
from nod.actions.agents import Credentials
from nod.config import sqlite_url
from nod.domain.task_fields import TaskFields
from store.test_database_copy import WAITING, make_schema, on_insert, rows_left
from support.cli import EMAIL, PASSWORD, add_account, path_of
from support.household import PNG
from support.inprocess import until
from support.postgres import connected, databases
from support.receiver import receiving
from support.server import RunningServer, free_port

SAME_SITE = {"Sec-Fetch-Site": "same-origin"}
GITHUB_SECRET = "what only GitHub knows"


@pytest.fixture
async def target() -> AsyncIterator[str]:
    """The address of a database with nothing in it."""
    async with databases().bare() as url:
        yield url


@pytest.fixture
async def data(tmp_path: Path) -> Path:
    """The directory of a database with an agent in it, which nobody serves."""
    await RunningServer(tmp_path / "data").add_agent()
    return tmp_path / "data"


def command(data: Path, target: str, *more: str) -> list[str]:
    source = sqlite_url(data / "nod.db")
    return [str(path_of("nod")), "db", "copy", "--from", source, "--to", target, *more]


def environ(data: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NOD_")}
    return {**kept, "NOD_DATA_DIR": str(data), **more}


async def run(arguments: list[str], data: Path, **more: str) -> "subprocess.CompletedProcess[str]":
    """The command's end."""
    return await asyncio.to_thread(
        subprocess.run,
        arguments,
        env=environ(data, **more),
        capture_output=True,
        text=True,
        timeout=60,
    )


def begin(data: Path, target: str) -> "subprocess.Popen[bytes]":
    """The command, running."""
    quiet = subprocess.DEVNULL
    return subprocess.Popen(command(data, target), env=environ(data), stdout=quiet, stderr=quiet)


async def move(data: Path, target: str, *more: str, **environment: str) -> str:
    """What a copy prints that succeeds."""
    ended = await run(command(data, target, *more), data, **environment)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


# a server on the copy


async def furnish(server: RunningServer, ada: Credentials) -> str:
    """A message with a picture, a result, a task that is soon due, and one that GitHub starts,
    whose trigger is given back."""
    headers = {"X-Nod-Agent-Id": ada.agent.id, "X-Nod-Secret": ada.secret}
    soon = (datetime.now(UTC) + timedelta(seconds=4)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    async with httpx.AsyncClient(base_url=server.url, headers=headers) as http:
        said = {
            "type": "message",
            "text": "Die Prüfung ist bestanden",
            "image_base64": base64.b64encode(PNG).decode(),
        }
        (await http.post("/api/agent/events", json=said)).raise_for_status()
        due = {"name": "Tea", "prompt": "Put the kettle on.", "schedule": "once", "run_at": soon}
        (await http.post("/api/agent/tasks", json=due)).raise_for_status()
    wanted = {"name": "Review", "prompt": "Look.", "schedule": "event", "verify": "github"}
    fields = msgspec.convert({**wanted, "verify_secret": GITHUB_SECRET}, TaskFields)
    async with beside(server) as (store, vault):
        made = await store.write(lambda tx: tasks.create(tx, vault, ada.agent, fields, "user"))
    assert made.trigger_id is not None
    return made.trigger_id


async def signed_call(server: RunningServer, trigger: str, secret: str) -> int:
    body = b'{"ref":"main"}'
    proof = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    headers = {"X-Hub-Signature-256": proof, "Content-Type": "application/json"}
    async with httpx.AsyncClient() as http:
        url = f"{server.url}/api/webhooks/{trigger}"
        return (await http.post(url, content=body, headers=headers)).status_code


async def signed_in(server: RunningServer) -> tuple[httpx.Cookies, dict[str, str]]:
    """A browser's cookie and a token for the API."""
    login = {"email": EMAIL, "password": PASSWORD}
    async with httpx.AsyncClient(base_url=server.url) as http:
        token = (await http.post("/api/auth/login", json=login)).raise_for_status().json()["token"]
        answer = await http.post("/login", data={**login, "next": "/"}, headers=SAME_SITE)
        assert answer.status_code == 303, answer.text
        return http.cookies, {"Authorization": f"Bearer {token}"}


async def test_a_server_on_the_copy_goes_on_where_the_file_stopped(
    tmp_path: Path, target: str
) -> None:
    server = RunningServer(tmp_path / "data")
    copy = RunningServer(tmp_path / "data", {"NOD_DATABASE_URL": target})
    try:
        async with receiving() as receiver:
            await asyncio.to_thread(server.start)
            await asyncio.to_thread(add_account, server)
            ada = await server.add_agent("Ada")
            bob = await server.add_agent("Bob", webhook_url=receiver.url)
            trigger = await furnish(server, ada)
            cookies, bearer = await signed_in(server)
            assert await asyncio.to_thread(server.stop) == 0
            told = await move(server.data_dir, target)
            assert "the copy is the same" in told
            await asyncio.to_thread(copy.start)
            await check_the_person(copy, cookies, bearer)
            await check_the_agent(copy, ada, trigger)
            await check_the_webhook(copy, bob, bearer, receiver)
        assert await asyncio.to_thread(copy.stop) == 0
        assert "Traceback" not in copy.log
        assert "WrongSecretKey" not in copy.log
    finally:
        for each in (server, copy):
            if each.process is not None and each.process.poll() is None:
                each.kill()


async def check_the_person(
    copy: RunningServer, cookies: httpx.Cookies, bearer: dict[str, str]
) -> None:
    """The browser is still signed in, the token holds, and so does the password."""
    async with httpx.AsyncClient(base_url=copy.url, cookies=cookies) as browser:
        assert "Die Prüfung ist bestanden" in (await browser.get("/")).raise_for_status().text
    await signed_in(copy)
    async with httpx.AsyncClient(base_url=copy.url, headers=bearer) as http:
        found = (await http.get("/api/search", params={"q": "prufung besta"})).json()
        assert [each["text"] for each in found] == ["Die Prüfung ist bestanden"]
        where = f"/api/conversations/{found[0]['conversation_id']}/messages"
        (message,) = (await http.get(where)).json()
        assert (await http.get(message["image_url"])).raise_for_status().content == PNG
        (await http.post(where, json={"text": "Well done"})).raise_for_status()
        newest = (await http.get(where)).json()
        assert [each["text"] for each in newest] == ["Well done", "Die Prüfung ist bestanden"]


async def check_the_agent(copy: RunningServer, ada: Credentials, trigger: str) -> None:
    """It connects with its secret and gets what is due, what is said and what GitHub calls for."""
    assert await signed_call(copy, trigger, "what somebody guesses") == 401
    assert await signed_call(copy, trigger, GITHUB_SECRET) == 202
    connection = await open_socket(copy, ada, acks=True)
    async with asyncio.timeout(30):
        events: list[dict[str, Any]] = [json.loads(await connection.recv()) for _ in range(3)]
    await connection.close()
    assert sorted(event["type"] for event in events) == ["task_due", "task_trigger", "user_message"]


async def check_the_webhook(
    copy: RunningServer, bob: Credentials, bearer: dict[str, str], receiver: Any
) -> None:
    """What is sent there carries the signature that its secret makes."""
    async with httpx.AsyncClient(base_url=copy.url, headers=bearer) as http:
        (await http.post(f"/api/agents/{bob.agent.id}/test-webhook")).raise_for_status()
    await until(lambda: receiver.calls)
    call = receiver.calls[-1]
    assert Webhook(bob.webhook_secret).verify(call.body, call.headers)


# what the command says


async def test_the_copy_is_told_table_by_table_with_what_to_do_next(
    data: Path, target: str
) -> None:
    ended = await run(command(data, target), data)
    assert ended.returncode == 0, ended.stderr
    assert "Copying agents (1 rows)" in ended.stderr
    assert "Checking agents (1 rows)" in ended.stderr
    lines = ended.stdout.splitlines()
    (agents,) = (line.split() for line in lines if line.startswith("agents "))
    assert agents[1:3] == ["1", "1"]
    assert agents[3] == agents[4] != "0" * 16
    assert f"{data / 'nod.db'} is as it was." in ended.stdout
    assert f"NOD_DATABASE_URL='{target}' nod serve" in ended.stdout
    assert lines[-1].startswith(f"Its secrets are sealed with the key in {data / 'secret.key'}: ")


async def test_json_has_each_table_with_its_count_and_hash(data: Path, target: str) -> None:
    told = json.loads(await move(data, target, "--json"))
    tables = {each["table"]: each for each in told["tables"]}
    assert (tables["agents"]["rows"], tables["events"]["rows"]) == (1, 0)
    assert len(tables["agents"]["hash"]) == 64
    assert told["rows"] == sum(each["rows"] for each in tables.values())
    assert told["key_fits"] is True


async def test_the_file_may_be_copied_although_its_server_was_killed(
    tmp_path: Path, target: str
) -> None:
    server = await asyncio.to_thread(RunningServer(tmp_path / "data").start)
    await server.add_agent()
    await asyncio.to_thread(server.kill)  # what is new stands in the log beside the file
    await move(server.data_dir, target)
    assert (await rows_left(target))["agents"] == 1


async def test_a_backup_can_be_copied_and_stays_as_it_is(data: Path, target: str) -> None:
    kept = data.parent / "kept.db"
    made = await run([str(path_of("nod")), "backup", str(kept)], data)
    assert made.returncode == 0, made.stderr
    before = kept.read_bytes()
    nod = [str(path_of("nod")), "db", "copy", "--from", sqlite_url(kept), "--to", target]
    ended = await run(nod, data)
    assert ended.returncode == 0, ended.stderr
    assert kept.read_bytes() == before
    assert (await rows_left(target))["agents"] == 1


@pytest.mark.parametrize("key", ["another", "set", "gone"])
async def test_what_has_to_be_done_about_the_key_is_said(data: Path, target: str, key: str) -> None:
    environment = {}
    if key == "set":
        environment["NOD_SECRET_KEY"] = (data / "secret.key").read_text().strip()
    elif key == "another":
        environment["NOD_SECRET_KEY"] = "k" * 32
    else:
        (data / "secret.key").unlink()
    ended = await run(command(data, target), data, **environment)
    assert ended.returncode == 0, ended.stderr
    if key == "set":
        last = ended.stdout.splitlines()[-1]
        assert last == "NOD_SECRET_KEY, which its secrets are sealed with, stays as it is"
    else:
        assert "sealed with a key that is not here: set NOD_SECRET_KEY or" in ended.stderr


async def test_a_password_is_not_shown(data: Path, target: str) -> None:
    mark = target.index("nod@") + len("nod")
    ended = await run(command(data, f"{target[:mark]}:sesame{target[mark:]}"), data)
    assert ended.returncode == 0, ended.stderr
    assert "sesame" not in ended.stdout + ended.stderr
    assert "or better in PGPASSWORD" in ended.stdout


# what it refuses


async def refusal(data: Path, target: str) -> str:
    ended = await run(command(data, target), data)
    assert ended.returncode == 1, (ended.stdout, ended.stderr)
    return ended.stderr.rpartition("nod: ")[2].strip()


async def test_a_running_server_is_left_to_run(tmp_path: Path, target: str) -> None:
    server = await asyncio.to_thread(RunningServer(tmp_path / "data").start)
    try:
        said = await refusal(server.data_dir, target)
    finally:
        await asyncio.to_thread(server.kill)
    assert said.startswith(f"another Nod is using {server.data_dir / 'nod.db'}; stop it first")


async def test_no_server_starts_on_the_file_while_it_is_copied(data: Path, target: str) -> None:
    async with stuck(data, target) as running:
        served = await run([str(path_of("nod")), "serve", "--port", "0"], data)
        assert served.returncode == 1
        assert "another Nod is using" in served.stderr
        assert running.poll() is None


async def test_a_copy_that_is_killed_leaves_the_target_empty_and_can_be_made_again(
    data: Path, target: str
) -> None:
    async with stuck(data, target) as running:
        running.send_signal(signal.SIGKILL)
    await until(lambda: nobody_copies(target))
    assert await rows_left(target) == {}
    async with connected(target) as connection:
        await connection.execute("DROP FUNCTION meddle CASCADE")
    await move(data, target)
    assert (await rows_left(target))["agents"] == 1


@pytest.mark.parametrize(
    ("source", "to", "said"),
    [
        (
            "postgresql://h/nod",
            "postgresql://h/new",
            "it copies from a SQLite file to a PostgreSQL",
        ),
        (
            "postgresql://h/nod",
            "sqlite:////tmp/nod.db",
            "it copies from a SQLite file to a Postgre",
        ),
        ("nod.db", "postgresql://h/nod", "must be sqlite:/// and a path, such as sqlite:////"),
        ("sqlite:////tmp/nod.db", "sqlite:////tmp/b.db", "`nod backup` copies to a file"),
        ("sqlite:////tmp/nod.db", "mysql://h/nod", "must be like postgresql://nod@db.example.org"),
    ],
)
async def test_other_ways_than_up_are_refused(
    tmp_path: Path, source: str, to: str, said: str
) -> None:
    nod = [str(path_of("nod")), "db", "copy", "--from", source, "--to", to]
    ended = await run(nod, tmp_path)
    assert ended.returncode == 2
    assert said in ended.stderr


async def test_a_file_that_is_not_there_is_not_made(tmp_path: Path, target: str) -> None:
    said = await refusal(tmp_path, target)
    assert said.startswith(f"there is no database {tmp_path / 'nod.db'}; name the server's")
    assert not (tmp_path / "nod.db").exists()


async def test_a_copy_that_differs_is_shown_and_ends_with_1(data: Path, target: str) -> None:
    await make_schema(target)
    await on_insert(target, "agents", "new.name := 'Eve'; RETURN new")
    ended = await run(command(data, target), data)
    assert ended.returncode == 1
    (agents,) = (line for line in ended.stdout.splitlines() if line.startswith("agents "))
    assert agents.endswith("  differs")
    assert "nod: the copy of agents differs, and nothing of it is kept" in ended.stderr
    assert await rows_left(target) == {}


async def test_a_target_with_data_and_one_that_is_not_there_are_refused(
    data: Path, target: str
) -> None:
    await move(data, target)
    assert "has data already (users, agents, conversations)" in await refusal(data, target)
    said = await refusal(data, f"postgresql://nod@127.0.0.1:{free_port()}/nod")
    assert said.startswith("cannot use the database to copy to: ")


@asynccontextmanager
async def stuck(data: Path, target: str) -> AsyncIterator["subprocess.Popen[bytes]"]:
    """A copy that has begun and waits at the agents until this is left."""
    await make_schema(target)
    await on_insert(target, "agents", "PERFORM pg_advisory_xact_lock(7); RETURN new")
    async with connected(target) as connection:
        await connection.execute("SELECT pg_advisory_lock(7)")
        with begin(data, target) as running:
            try:
                await until(lambda: connection.fetchval(WAITING))
                yield running
            finally:
                running.kill()


async def nobody_copies(target: str) -> bool:
    """Whether the server has noticed that nobody is there any more."""
    async with connected(target) as connection:
        left = await connection.fetchval(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = 'nod'"
        )
    return bool(left == 0)
