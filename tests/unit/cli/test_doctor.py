"""What `nod doctor` tells of a place where something is wrong, thing by thing."""

import asyncio
import contextlib
import json
import os
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from nod.cli import doctor_here, doctor_reach
from nod.cli.doctor import doctor
from nod.cli.doctor_here import Stored, Way
from nod.cli.finding import Finding, show
from nod.clock import SystemClock
from nod.config import Settings, load
from nod.domain.instant import HOUR, SECOND, to_datetime
from nod.domain.model import NotifyTarget
from nod.engine.notifier import make_vapid_key
from nod.opening import open_database
from nod.secrets import Vault, read_key
from nod.store import sqlite_check
from nod.store.store import Store, Tx
from support.clock import MONDAY_9, FakeClock
from support.server import RunningServer, free_port

Found = dict[str, Finding]


@pytest.fixture
async def settings(tmp_path: Path) -> Settings:
    """Of a place with an agent in its database, which nobody serves."""
    server = RunningServer(tmp_path / "data")
    await server.add_agent()
    server.data_dir.chmod(0o700)
    return load(server._environ(), {})


def by_name(found: list[Finding]) -> Found:
    return {each.check: each for each in found}


def told(finding: Finding) -> tuple[str, str]:
    return finding.state, finding.seen


async def stored(settings: Settings) -> Stored:
    found = (await doctor_here.database(settings)).stored
    assert found is not None
    return found


def looked(way: Way) -> tuple[list[Finding], Stored | None]:
    return way.found, way.stored


def change(settings: Settings, sql: str, *values: object) -> None:
    with contextlib.closing(sqlite3.connect(settings.database_path)) as file, file:
        file.execute(sql, values)


# on this machine


def kept_in(folder: Path, **environ: str) -> Settings:
    return load(environ, {"data_dir": folder})


def test_a_directory_that_others_may_look_into_is_a_warning(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    found = doctor_here.data_directory(kept_in(tmp_path))[0]
    assert told(found) == ("warning", f"others on this machine may look into {tmp_path}")
    assert found.do == f"chmod 700 {tmp_path}"
    tmp_path.chmod(0o700)
    assert doctor_here.data_directory(kept_in(tmp_path))[0].state == "ok"


def test_a_directory_of_somebody_else_is_to_be_looked_at_by_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 4242)
    found = doctor_here.data_directory(kept_in(tmp_path))[0]
    assert told(found) == (
        "warning",
        f"{tmp_path} belongs to user {tmp_path.stat().st_uid}, and you are 4242",
    )


def test_a_directory_that_cannot_be_written_has_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert doctor_here.data_directory(kept_in(tmp_path))[0].state == "failed"


def test_a_directory_that_is_missing_is_a_warning_unless_nothing_would_be_in_it(
    tmp_path: Path,
) -> None:
    missing = tmp_path / "data"
    there = {"NOD_DATABASE_URL": "postgresql://db.example.org/nod"}
    for environ, state in (
        ({}, "warning"),
        (there, "warning"),  # the key
        ({**there, "NOD_SECRET_KEY": "s" * 43}, "ok"),
    ):
        (found,) = doctor_here.data_directory(kept_in(missing, **environ))
        assert told(found)[0] == state


@pytest.mark.parametrize(
    ("free", "state"),
    [
        (64 * 1024**2 - 1, "failed"),
        (64 * 1024**2, "warning"),
        (1024**3 - 1, "warning"),
        (1024**3, "ok"),
    ],
)
def test_little_room_is_a_warning_and_next_to_none_has_failed(free: int, state: str) -> None:
    assert doctor_here.room(Path("/data"), free).state == state


async def test_a_whole_database_is_read_and_could_be_written(settings: Settings) -> None:
    way = await doctor_here.database(settings)
    assert [(each.check, each.state) for each in way.found] == [
        ("database", "ok"),
        ("writing", "ok"),
        ("server", "ok"),
    ]
    assert way.stored is not None
    assert [agent.name for agent in way.stored.agents] == ["Ada"]
    assert not way.in_use


async def test_a_damaged_database_has_failed_with_what_to_do(settings: Settings) -> None:
    path = settings.database_path
    with path.open("r+b") as file:
        file.seek(8 * 4096)
        file.write(b"\xff" * (path.stat().st_size - 8 * 4096))
    found, read = looked(await doctor_here.database(settings))
    assert found[0].state == "failed"
    assert read is None
    path.write_bytes(b"Dear diary, " * 1000)
    found, _ = looked(await doctor_here.database(settings))
    assert found[0].state == "failed"
    assert "the file is not a database" in found[0].seen


async def test_another_programs_database_has_failed(settings: Settings, tmp_path: Path) -> None:
    other = replace(settings, database_url=f"sqlite:///{tmp_path / 'songs.db'}")
    change(other, "CREATE TABLE songs (id)")
    found, read = looked(await doctor_here.database(other))
    assert told(found[0]) == ("failed", f"{tmp_path / 'songs.db'} is not a database of Nod")
    assert read is None


async def test_a_newer_schema_has_failed_and_an_older_is_left_as_it_is(settings: Settings) -> None:
    change(settings, "INSERT INTO schema_versions VALUES (99, 'later', 0, 0)")
    found, _ = looked(await doctor_here.database(settings))
    assert found[0].state == "failed"
    assert "made by a newer Nod (schema 99" in found[0].seen

    change(settings, "DELETE FROM schema_versions WHERE version > 1")
    found, read = looked(await doctor_here.database(settings))
    assert found[0].state == "warning"
    assert "has schema 1, and 1 newer" in found[0].seen
    assert read is None
    with contextlib.closing(sqlite3.connect(settings.database_path)) as file:
        assert file.execute("SELECT max(version) FROM schema_versions").fetchone() == (1,)


async def test_a_database_that_cannot_be_written_has_failed(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_check, "_BUSY_TIMEOUT_S", 0.01)
    with contextlib.closing(sqlite3.connect(settings.database_path)) as other:
        other.execute("BEGIN IMMEDIATE")
        found = by_name((await doctor_here.database(settings)).found)
    assert found["writing"].state == "failed"
    assert "another program keeps the database locked" in found["writing"].seen


async def test_a_key_is_there_opens_what_is_stored_and_is_nobody_elses(settings: Settings) -> None:
    read = await stored(settings)
    path = settings.data_dir / "secret.key"
    assert doctor_here.secret_key(settings, read).state == "ok"
    path.chmod(0o640)
    assert doctor_here.secret_key(settings, read).do == f"chmod 600 {path}"
    path.write_text("k" * 32)
    wrong = doctor_here.secret_key(settings, read)
    assert told(wrong) == ("failed", f"{path} does not open what is stored")
    path.write_text("short")
    assert doctor_here.secret_key(settings, read).state == "failed"
    path.unlink()
    missing = doctor_here.secret_key(settings, read)
    assert told(missing) == ("failed", f"{path} is missing, and secrets are stored")
    assert not path.exists()
    assert doctor_here.secret_key(settings, None).state == "ok"
    given = replace(settings, secret_key="k" * 32)
    assert told(doctor_here.secret_key(given, read)) == (
        "failed",
        "NOD_SECRET_KEY does not open what is stored",
    )


def seen_at(newest: int | None, offset_s: float | None = None) -> Way:
    return Way([], Stored(None, None, [], [], newest), True, offset_s)


@pytest.mark.parametrize(
    ("newest", "offset_s", "state"),
    [
        (None, None, "ok"),
        (MONDAY_9, 0.4, "ok"),
        (MONDAY_9 + SECOND, -1.9, "ok"),
        (MONDAY_9, 2.5, "warning"),
        (MONDAY_9, -61.0, "failed"),
        (MONDAY_9 + HOUR, 0.0, "failed"),
    ],
)
def test_the_clock_is_held_against_the_newest_event_and_the_public_url(
    newest: int | None, offset_s: float | None, state: str
) -> None:
    found = doctor_here.clock(FakeClock(), seen_at(newest), offset_s)
    assert found.state == state
    assert bool(found.do) is (state != "ok")


def test_the_clock_of_a_database_server_goes_before_that_of_the_public_url() -> None:
    found = doctor_here.clock(FakeClock(), seen_at(None, 61.0), 0.0)
    assert told(found) == ("failed", "61 s from the time of the database server")


# beyond it


@asynccontextmanager
async def answering(raw: Callable[[bytes], bytes]) -> AsyncIterator[str]:
    """A server that answers each request with these bytes; its URL."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(raw(await reader.readuntil(b"\r\n\r\n")))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def ok(*headers: str, body: str = "ok", status: str = "200 OK") -> Callable[[bytes], bytes]:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return lambda _: "\r\n".join([*lines, "", body]).encode()


async def reached(settings: Settings, url: str, *, in_use: bool = True) -> tuple[Found, Any]:
    there = replace(settings, public_url=url)
    found, offset_s = await doctor_reach.public_url(there, FakeClock(), in_use)
    return by_name(found), offset_s


async def test_a_proxy_that_passes_no_websockets_on_is_told_from_one_that_answers(
    settings: Settings,
) -> None:
    date = format_datetime(to_datetime(MONDAY_9 - 90 * SECOND), usegmt=True)
    async with answering(ok(f"Date: {date}")) as url:
        found, offset_s = await reached(settings, url)
    assert found["public URL"].state == "ok"
    assert found["sockets"].state == "failed"
    assert "docs/deploy.md" in found["sockets"].do
    assert offset_s == -89.5


@pytest.mark.parametrize("date", ["", "Date: yesterday"])
async def test_an_answer_without_a_time_is_no_clock(settings: Settings, date: str) -> None:
    async with answering(ok(*filter(None, [date]))) as url:
        _, offset_s = await reached(settings, url)
    assert offset_s is None


@pytest.mark.parametrize(
    ("answer", "seen"),
    [
        (ok(status="502 Bad Gateway"), "/healthz answers 502, and not as Nod does"),
        (ok(body="<h1>Welcome</h1>"), "/healthz answers 200, and not as Nod does"),
        (
            ok("Location: https://nod.example.org/", status="301 Moved"),
            " redirects to https://nod.example.org/",
        ),
    ],
)
async def test_what_answers_in_nods_place_is_said(
    settings: Settings, answer: Callable[[bytes], bytes], seen: str
) -> None:
    async with answering(answer) as url:
        found, _ = await reached(settings, url)
    assert told(found["public URL"]) == ("failed", url + seen)


async def test_that_nothing_answers_is_a_fault_only_while_a_server_runs(
    settings: Settings,
) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    assert (await reached(settings, url))[0]["public URL"].state == "failed"
    found, _ = await reached(settings, url, in_use=False)
    assert found["public URL"].state == "warning"
    assert found["public URL"].do == "start the server: nod serve"


def test_a_public_url_without_encryption_is_a_warning() -> None:
    assert doctor_reach.scheme("http://nod.example.org").state == "warning"
    for url in ("https://nod.example.org", "http://localhost:8000", "http://[::1]:8000"):
        assert doctor_reach.scheme(url).state == "ok"


async def test_webhooks_are_connected_to_and_nothing_is_sent(
    settings: Settings, tmp_path: Path
) -> None:
    arrived: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        arrived.append(await reader.read())
        writer.close()
        heard.set()

    heard = asyncio.Event()
    listener = await asyncio.start_server(listen, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    server = RunningServer(tmp_path / "data")
    closed = free_port()
    await server.add_agent("Good", webhook_url=f"http://127.0.0.1:{port}/secret")
    await server.add_agent("Bad", webhook_url=f"http://127.0.0.1:{closed}/secret")
    await server.add_agent("Lost", webhook_url="https://nobody.invalid/secret")
    await server.add_agent("Off", webhook_url=f"http://127.0.0.1:{port}/secret")
    change(settings, "UPDATE agents SET webhook_disabled = 'HTTP 410' WHERE name = 'Off'")

    agents = (await stored(settings)).agents
    async with listener:
        good, *wrong = await doctor_reach.webhooks(settings, agents)
        await asyncio.wait_for(heard.wait(), 10)

    assert arrived == [b""]
    assert told(good) == ("ok", "1 of 4 can be reached")
    assert [each.state for each in wrong] == ["failed", "failed", "warning"]
    assert wrong[0].seen.startswith(f"Bad: http://127.0.0.1:{closed} cannot be reached")
    assert wrong[1].seen.startswith("Lost: https://nobody.invalid:443 cannot be reached")
    assert "HTTP 410" in wrong[2].seen
    assert not [each for each in (good, *wrong) if "secret" in each.seen]

    refused = await doctor_reach.webhooks(replace(settings, allow_webhook_nets=()), agents)
    assert "list its network in NOD_ALLOW_WEBHOOK_NETS" in refused[0].seen


def target(vault: Vault, kind: Any, label: str, address: str, **more: Any) -> NotifyTarget:
    return NotifyTarget(
        id=f"ntt_{label}",
        user_id="usr_1",
        kind=kind,
        label=label,
        address_hash=label,
        address=vault.seal(address),
        enabled=True,
        failing_since=None,
        error=None,
        created_at=0,
        used_at=None,
        **more,
    )


async def test_targets_that_cannot_be_used_are_told_without_what_is_secret_in_them(
    settings: Settings,
) -> None:
    vault = Vault(read_key(settings.data_dir / "secret.key"))
    good = target(vault, "apprise", "phone", "json://example.org/open-sesame")
    failing = replace(good, id="ntt_2", label="mail", failing_since=1, error="no answer")
    off = replace(good, id="ntt_3", label="old", enabled=False)
    unknown = target(vault, "apprise", "odd", "nothing://open-sesame")
    lost = replace(good, id="ntt_4", label="lost", address=Vault(b"o" * 32).seal("json://x"))
    push = target(vault, "push", "Firefox", "{}")
    read = replace(
        await stored(settings), vapid=None, targets=[good, failing, off, unknown, lost, push]
    )
    found = await doctor_reach.notifications(settings, read)
    assert [(each.check, each.state) for each in found] == [
        ("push key", "ok"),
        ("push", "ok"),
        ("Apprise", "ok"),
        ("Apprise", "warning"),
        ("Apprise", "warning"),
        ("Apprise", "failed"),
        ("Apprise", "failed"),
    ]
    assert [each.seen for each in found if "sesame" in each.seen] == []
    assert found[2].seen == "1 of 5 are as they should be"
    assert found[3].seen == "mail fails: no answer"
    assert "odd (nothing://…)" in found[5].seen


async def test_the_key_of_the_push_services_is_loaded(settings: Settings) -> None:
    vault = Vault(read_key(settings.data_dir / "secret.key"))
    read = await stored(settings)

    async def keyed(tx: Tx) -> str | None:
        await make_vapid_key(tx, vault)
        return await tx.notify.server_key("vapid")

    store = Store(open_database(settings, exclusive=False), SystemClock(), settings.limits)
    await store.start()
    sealed = await store.write(keyed)
    await store.close()
    for vapid, state in (
        (sealed, "ok"),
        (vault.seal("no key"), "failed"),
        (Vault(b"o" * 32).seal("x"), "failed"),
    ):
        found = await doctor_reach.notifications(settings, replace(read, vapid=vapid))
        assert found[0].state == state


# what is printed


def test_each_line_has_a_sign_a_word_what_was_seen_and_what_to_do(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show(Finding("clock", "warning", "5 s from\x1b[31m the time", "let NTP set it"))
    assert capsys.readouterr().out.splitlines() == [
        "▲ warning  clock           5 s from\ufffd[31m the time",
        "                           let NTP set it",
    ]


def test_settings_that_cannot_be_used_are_the_first_thing_that_is_wrong(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NOD_PORT", "many")
    monkeypatch.setenv("NOD_DATA_DIR", str(tmp_path))
    ended = CliRunner().invoke(doctor, ["--json"])
    assert ended.exit_code == 1
    assert json.loads(ended.stdout) == {
        "ok": False,
        "checks": [
            {
                "check": "settings",
                "state": "failed",
                "seen": "NOD_PORT must be a whole number; got 'many'",
                "do": "see docs/configuration.md",
            }
        ],
    }
