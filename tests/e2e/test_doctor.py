"""`nod doctor` beside a running server, and where there is none yet."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.cli import path_of
from support.server import RunningServer, free_port


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    made = RunningServer(tmp_path / "data")
    made.environ = {"NOD_PUBLIC_URL": made.url}
    made.data_dir.mkdir(mode=0o700)
    yield made.start()
    made.kill()


def doctor(data: Path, *arguments: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NOD_")}
    return subprocess.run(
        [str(path_of("nod")), "doctor", *arguments],
        env={**kept, "NOD_DATA_DIR": str(data), **environ},
        capture_output=True,
        text=True,
        timeout=60,
    )


def states(ended: "subprocess.CompletedProcess[str]") -> dict[str, str]:
    told: dict[str, Any] = json.loads(ended.stdout)
    assert told["ok"] is (ended.returncode == 0)
    return {each["check"]: each["state"] for each in told["checks"]}


def test_beside_a_server_that_is_well_everything_is_ok(server: RunningServer) -> None:
    ended = doctor(server.data_dir, "--json", **server.environ)
    assert ended.returncode == 0, ended.stdout
    found = states(ended)
    assert set(found) == {
        "settings",
        "data directory",
        "disk",
        "database",
        "writing",
        "server",
        "bus",
        "secret key",
        "public URL",
        "sockets",
        "clock",
        "webhooks",
        "push key",
        "push",
        "Apprise",
    }
    assert {name: state for name, state in found.items() if state != "ok"} == {}
    assert server.stop() == 0
    assert "Traceback" not in server.log


def test_what_has_failed_is_in_the_exit_status(server: RunningServer) -> None:
    elsewhere = f"http://127.0.0.1:{free_port()}"
    ended = doctor(server.data_dir, "--public-url", elsewhere)
    assert ended.returncode == 1
    (line,) = [each for each in ended.stdout.splitlines() if "✗ failed" in each]
    assert f"public URL      {elsewhere} does not answer" in line
    assert ended.stdout.splitlines()[-1].endswith("checks: 1 failed, 0 with a warning")


def test_where_there_is_nothing_yet_nothing_is_made_and_nothing_has_failed(tmp_path: Path) -> None:
    ended = doctor(tmp_path / "none", "--json", NOD_PUBLIC_URL=f"http://127.0.0.1:{free_port()}")
    assert ended.returncode == 0, ended.stdout
    found = states(ended)
    assert [name for name, state in found.items() if state == "warning"] == [
        "data directory",
        "database",
        "public URL",
    ]
    assert not (tmp_path / "none").exists()
