"""A backup that is taken while Nod works can be served again, with everything that is in it."""

import asyncio
import contextlib
import json
import os
import resource
import signal
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any, Self

import httpx
import pytest

from nod.actions.agents import Credentials
from nod.store.migrate import load_migrations
from support.cli import path_of
from support.server import RunningServer

SERVER_URL = "postgresql://nod:open%20sesame@db.example.org/nod"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    made = RunningServer(tmp_path / "data")
    yield made
    if made.process is not None and made.process.poll() is None:
        made.kill()


def nod(*arguments: str | Path, data: Path, **more: Any) -> "subprocess.CompletedProcess[str]":
    """The command's end."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("NOD_")}
    return subprocess.run(
        [str(path_of("nod")), *map(str, arguments)],
        env={**environ, "NOD_DATA_DIR": str(data), **more.pop("environ", {})},
        capture_output=True,
        text=True,
        timeout=60,
        **more,
    )


def good(*arguments: str | Path, data: Path, **more: Any) -> str:
    """What a command prints that does what it is told."""
    ended = nod(*arguments, data=data, **more)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def refusal(*arguments: str | Path, data: Path, **more: Any) -> str:
    """The sentence of a command that is refused."""
    ended = nod(*arguments, data=data, **more)
    assert (ended.returncode, ended.stdout) == (1, "")
    return ended.stderr.rpartition("nod: ")[2].strip()


def headers(of: Credentials) -> dict[str, str]:
    return {"X-Nod-Agent-Id": of.agent.id, "X-Nod-Secret": of.secret}


def count(database: Path, table: str = "messages") -> int:
    with contextlib.closing(sqlite3.connect(database)) as file:
        return int(file.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608


class Talker:
    """An agent that says something over and over."""

    def __init__(self, server: RunningServer, ada: Credentials) -> None:
        self.said = 0
        self.under_way = threading.Event()
        self._http = httpx.Client(base_url=server.url, headers=headers(ada))
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._talk)

    def _talk(self) -> None:
        while not self._enough.is_set():
            body = {"type": "message", "text": f"{self.said} " + "and so on " * 300}
            self._http.post("/api/agent/events", json=body).raise_for_status()
            self.said += 1
            if self.said == 20:
                self.under_way.set()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._enough.set()
        self._thread.join()
        self._http.close()


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """The directory of a database with an agent in it, which nobody serves."""
    asyncio.run(RunningServer(tmp_path / "data").add_agent())
    return tmp_path / "data"


def test_a_backup_taken_while_nod_is_writing_is_whole_and_can_be_served_again(
    server: RunningServer, tmp_path: Path
) -> None:
    ada = asyncio.run(server.start().add_agent())
    kept = tmp_path / "kept"
    kept.mkdir()
    with Talker(server, ada) as talker:
        assert talker.under_way.wait(30)
        before = talker.said
        told = good("backup", kept / "nod.db", data=server.data_dir)
        after = talker.said
    assert after > before
    assert told.startswith(f"{kept / 'nod.db'}  ")
    assert f"{kept / 'nod.db.key'}  the key" in told
    assert sorted(each.name for each in kept.iterdir()) == ["nod.db", "nod.db.key"]
    assert [each.stat().st_mode & 0o077 for each in kept.iterdir()] == [0, 0]
    assert before <= count(kept / "nod.db") <= after + 1

    again = RunningServer(tmp_path / "elsewhere" / "data")
    good("restore", kept / "nod.db", data=again.data_dir)
    again.start()
    try:
        with httpx.Client(base_url=again.url, headers=headers(ada)) as http:
            assert http.get("/api/agent/tasks").json() == []
            http.post("/api/agent/events", json={"type": "message", "text": "back"})
        assert "WrongSecretKey" not in again.log
        assert again.stop() == 0
    finally:
        again.kill()
    assert count(again.data_dir / "nod.db") == count(kept / "nod.db") + 1
    assert (again.data_dir / "secret.key").read_bytes() == (
        server.data_dir / "secret.key"
    ).read_bytes()


def test_progress_is_told_on_standard_error_and_the_result_on_standard_output(
    database: Path, tmp_path: Path
) -> None:
    ended = nod("backup", tmp_path / "b", "--json", data=database)
    assert "Copying" in ended.stderr
    assert "Checking" in ended.stderr
    assert json.loads(ended.stdout) == {
        "file": str(tmp_path / "b"),
        "bytes": (tmp_path / "b").stat().st_size,
        "key_file": str(tmp_path / "b.key"),
    }


def test_nothing_is_overwritten_unless_it_is_asked_for(database: Path, tmp_path: Path) -> None:
    (tmp_path / "b").write_text("mine")
    assert "is there already" in refusal("backup", tmp_path / "b", data=database)
    assert (tmp_path / "b").read_text() == "mine"

    (tmp_path / "b").unlink()
    (tmp_path / "b.key").write_text("another key")
    assert "b.key is there already" in refusal("backup", tmp_path / "b", data=database)
    assert not (tmp_path / "b").exists()

    good("backup", tmp_path / "b", "--force", data=database)
    assert count(tmp_path / "b", "agents") == 1
    assert (tmp_path / "b.key").read_bytes() == (database / "secret.key").read_bytes()


def test_a_key_that_is_beside_already_is_in_nobodys_way(database: Path, tmp_path: Path) -> None:
    good("backup", tmp_path / "b", data=database)
    (tmp_path / "b").unlink()
    good("backup", tmp_path / "b", data=database)


def test_a_key_that_the_operator_keeps_is_not_written_and_that_is_said(
    database: Path, tmp_path: Path
) -> None:
    key = (database / "secret.key").read_text().strip()
    told = good("backup", tmp_path / "b", data=database, environ={"NOD_SECRET_KEY": key})
    assert "NOD_SECRET_KEY, which its secrets are sealed with, is not in it" in told
    assert not (tmp_path / "b.key").exists()
    (database / "secret.key").unlink()
    told = nod("backup", tmp_path / "c", data=database).stderr
    assert f"There is no {database / 'secret.key'}" in told


def test_places_that_cannot_be_are_named(database: Path, tmp_path: Path) -> None:
    nowhere = refusal("backup", tmp_path / "no" / "b", data=database)
    assert nowhere == f"there is no directory {tmp_path / 'no'}"
    itself = refusal("backup", database / "nod.db", "--force", data=database)
    assert "is the database itself" in itself
    empty = refusal("backup", tmp_path / "b", data=tmp_path / "other")
    assert f"there is no database {tmp_path / 'other' / 'nod.db'}" in empty
    assert not (tmp_path / "other").exists()


def little_room() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))


def test_a_full_disk_leaves_what_was_there_before_and_nothing_else(
    database: Path, tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    good("backup", kept / "b", data=database)
    before = (kept / "b").read_bytes()
    said = refusal("backup", kept / "b", "--force", data=database, preexec_fn=little_room)
    assert "the disk reports an error" in said
    assert (kept / "b").read_bytes() == before
    assert sorted(each.name for each in kept.iterdir()) == ["b", "b.key"]

    at = (database / "nod.db").read_bytes()
    said = refusal("restore", kept / "b", data=database, preexec_fn=little_room)
    assert "the disk reports an error" in said
    assert (database / "nod.db").read_bytes() == at
    assert not list(database.glob(".restore*"))


def test_a_backup_that_is_ended_leaves_nothing_under_its_name(
    database: Path, tmp_path: Path
) -> None:
    with contextlib.closing(sqlite3.connect(database / "nod.db", isolation_level=None)) as file:
        # Nobody else can read it, so that the copy has begun and is not done.
        file.execute("PRAGMA locking_mode = EXCLUSIVE")
        file.execute("BEGIN EXCLUSIVE")
        running = subprocess.Popen(
            [str(path_of("nod")), "backup", str(tmp_path / "b")],
            env={**os.environ, "NOD_DATA_DIR": str(database)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            # A process in the background of a shell heeds no SIGINT, and hands that on.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no thread, one call
        )
        assert running.stderr is not None
        assert b"Copying" in running.stderr.readline()
        running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=30)
    assert (running.returncode, b"cannot copy" in said) == (1, False)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["data"]


def test_a_restore_is_refused_while_a_server_uses_the_directory(
    server: RunningServer, tmp_path: Path
) -> None:
    ada = asyncio.run(server.start().add_agent())
    good("backup", tmp_path / "b", data=server.data_dir)
    said = refusal("restore", tmp_path / "b", data=server.data_dir)
    assert said.startswith(f"another Nod is using {server.data_dir / 'nod.db'}; stop it first")
    assert httpx.get(f"{server.url}/api/agent/tasks", headers=headers(ada)).status_code == 200


def test_what_a_restore_replaces_is_kept_under_the_name_it_prints(
    server: RunningServer, tmp_path: Path
) -> None:
    ada = asyncio.run(server.start().add_agent())
    good("backup", tmp_path / "b", data=server.data_dir)
    with httpx.Client(base_url=server.url, headers=headers(ada)) as http:
        for number in range(5):
            body = {"type": "message", "text": f"after the backup: {number}"}
            http.post("/api/agent/events", json=body).raise_for_status()
    server.kill()  # what is new stands in the log beside the file
    told = json.loads(good("restore", tmp_path / "b", "--json", data=server.data_dir))
    (kept,) = told["kept"]
    assert Path(kept).name.startswith("nod.db.before-")
    assert (count(Path(kept)), count(server.data_dir / "nod.db")) == (5, 0)
    server.start()
    assert httpx.get(f"{server.url}/api/agent/tasks", headers=headers(ada)).status_code == 200


def test_what_is_no_backup_of_nod_replaces_nothing(database: Path, tmp_path: Path) -> None:
    before = (database / "nod.db").read_bytes()
    (tmp_path / "diary").write_text("Dear diary, " * 1000)
    with contextlib.closing(sqlite3.connect(tmp_path / "songs")) as other:
        other.execute("CREATE TABLE songs (id)")
    (tmp_path / "empty").touch()
    for name in ("diary", "songs", "empty"):
        said = refusal("restore", tmp_path / name, data=database)
        assert "not a database of Nod" in said
        assert name in said
    assert nod("restore", tmp_path / "nothing", data=database).returncode == 2
    assert (database / "nod.db").read_bytes() == before


def test_a_backup_of_a_newer_nod_is_refused(database: Path, tmp_path: Path) -> None:
    good("backup", tmp_path / "b", data=database)
    newer = len(load_migrations(files("nod.store") / "migrations")) + 1
    with contextlib.closing(sqlite3.connect(tmp_path / "b")) as file, file:
        file.execute("INSERT INTO schema_versions VALUES (?, 'later', 0, 0)", (newer,))
    said = refusal("restore", tmp_path / "b", data=database)
    assert said.startswith("this database was made by a newer Nod")
    assert count(database / "nod.db", "schema_versions") == newer - 1


def test_a_backup_comes_with_its_key_and_the_present_one_is_kept(
    database: Path, tmp_path: Path
) -> None:
    good("backup", tmp_path / "b", data=database)
    other = tmp_path / "other"
    asyncio.run(RunningServer(other).add_agent("Bob"))
    bobs = (other / "secret.key").read_bytes()

    (tmp_path / "b.key").rename(tmp_path / "elsewhere")
    said = refusal("restore", tmp_path / "b", data=other)
    assert said.startswith("no key here opens the secrets in")
    assert (other / "secret.key").read_bytes() == bobs

    (tmp_path / "elsewhere").rename(tmp_path / "b.key")
    kept = json.loads(good("restore", tmp_path / "b", "--json", data=other))["kept"]
    assert (other / "secret.key").read_bytes() == (database / "secret.key").read_bytes()
    assert [Path(each).read_bytes() for each in kept if "key" in each] == [bobs]


def test_a_key_that_is_set_has_to_be_the_backups(database: Path, tmp_path: Path) -> None:
    good("backup", tmp_path / "b", data=database)
    wrong = {"NOD_SECRET_KEY": "k" * 32}
    said = refusal("restore", tmp_path / "b", data=tmp_path / "new", environ=wrong)
    assert said.startswith(f"set NOD_SECRET_KEY to what is in {tmp_path / 'b.key'}")
    (tmp_path / "b.key").unlink()
    said = refusal("restore", tmp_path / "b", data=tmp_path / "new", environ=wrong)
    assert said.startswith("NOD_SECRET_KEY does not open the secrets in")
    assert not (tmp_path / "new" / "nod.db").exists()


def test_a_backup_whose_key_is_lost_can_be_restored_without_it(
    database: Path, tmp_path: Path
) -> None:
    good("backup", tmp_path / "b", data=database)
    (tmp_path / "b.key").unlink()
    good("restore", tmp_path / "b", "--without-key", data=tmp_path / "new")
    assert count(tmp_path / "new" / "nod.db", "agents") == 1


@pytest.mark.parametrize(
    ("command", "tool"),
    [
        ("backup", "pg_dump --format=custom --file={file} "),
        ("restore", "pg_restore --clean --if-exists --no-owner {file} "),
    ],
)
def test_of_a_postgresql_server_the_tool_is_named_with_its_whole_line(
    tmp_path: Path, command: str, tool: str
) -> None:
    file = tmp_path / "b"
    file.touch()
    line = tool.format(file=file)
    said = refusal(command, file, data=tmp_path, environ={"NOD_DATABASE_URL": SERVER_URL})
    assert f'\n  {line}--dbname="$NOD_DATABASE_URL"\n' in said
    said = refusal(command, file, "--database-url", SERVER_URL, data=tmp_path)
    assert f"\n  {line}--dbname=postgresql://nod@db.example.org/nod\n" in said
    assert "sesame" not in said
    other = "postgresql://db.example.org/nod?user=nod&password=sesame&sslmode=require"
    said = refusal(command, file, "--database-url", other, data=tmp_path)
    shown = "'postgresql://db.example.org/nod?user=nod&sslmode=require'"
    assert f"\n  {line}--dbname={shown}\n" in said
