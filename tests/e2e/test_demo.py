"""`nod demo`, as somebody meets it who has just cloned Nod."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from nod.cli.demo import demo_settings
from nod.cli.demo_report import main as report

NOD = Path(sys.executable).with_name("nod")
PATIENCE_S = 30


class Demo:
    """The command in a process of its own. Its output is read as it comes."""

    def __init__(self, data_dir: Path) -> None:
        self.process = subprocess.Popen(
            [str(NOD), "demo", "--port", "0", "--data-dir", str(data_dir)],
            env={key: value for key, value in os.environ.items() if not key.startswith("NOD_")},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.output = ""
        self._watchdog = threading.Timer(PATIENCE_S, self.process.kill)
        self._watchdog.start()

    def until(self, pattern: str) -> re.Match[str]:
        """The first match in what is printed from now on, as soon as a line brings it."""
        assert self.process.stdout is not None
        fresh = ""
        for line in self.process.stdout:
            self.output += line
            fresh += line
            if found := re.search(pattern, fresh):
                return found
        raise AssertionError(f"{pattern} was never printed:\n{self.output}")

    def stop(self) -> tuple[int, float]:
        """Ctrl-C; the exit status, and the seconds it took."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        rest, _ = self.process.communicate()
        self.output += rest
        return self.process.returncode, time.monotonic() - began

    def close(self) -> None:
        """End it, whatever has become of the test."""
        self._watchdog.cancel()
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[type[Demo]]:
    started: list[Demo] = []

    class Started(Demo):
        def __init__(self, data_dir: Path = tmp_path) -> None:
            super().__init__(data_dir)
            started.append(self)

    yield Started
    for each in started:
        each.close()


def test_it_shows_a_result_at_once_takes_a_call_and_stops_when_told(
    start: type[Demo], tmp_path: Path
) -> None:
    demo = start(tmp_path)
    call = demo.until(r"curl (http://\S+/api/webhooks/[0-9a-f]{64})")[1]
    demo.until(r"This machine: completed in .*\n(.*\n)*?.*\*\*Disk\*\*")
    answer = httpx.post(call, json={"hello": "wörld", "list": [1, 2]})
    assert answer.status_code == 202
    demo.until(rf"A call: completed in .*{answer.json()['run_id']}\n")
    demo.until(r"\*\*`hello`\*\*: `\"wörld\"`\n")
    status, seconds = demo.stop()
    assert (status, "Traceback" in demo.output) == (0, False), demo.output
    assert seconds < 10
    assert demo.output.endswith("goes on where it was.\n")
    assert "completed" in (tmp_path / "demo" / "nod.log").read_text(encoding="utf-8")
    assert "Traceback" not in (tmp_path / "demo" / "worker.log").read_text(encoding="utf-8")


def test_what_it_prints_to_try_works_and_is_kept_for_the_next_time(
    start: type[Demo], tmp_path: Path
) -> None:
    pattern = r"NOD_API_URL=(\S+) NOD_AGENT_ID=(\S+) NOD_SECRET=(\S+)"
    first = start(tmp_path)
    shown = first.until(pattern)
    login = json.loads(first.until(r"-d '(\{\"email\".*\})'")[1])
    url, agent_id, secret = shown.groups()
    headers = {"X-Nod-Agent-Id": agent_id, "X-Nod-Secret": secret}
    tasks = httpx.get(f"{url}/api/agent/tasks", headers=headers).json()
    assert sorted([(task["name"], task["schedule"]) for task in tasks]) == [
        ("A call", "event"),
        ("This machine", "* * * * *"),
    ]
    assert httpx.post(f"{url}/api/auth/login", json=login).status_code == 200
    assert first.stop()[0] == 0

    second = start(tmp_path)
    again = second.until(pattern)
    assert again.groups()[1:] == (agent_id, secret)
    kept = httpx.get(f"{again[1]}/api/agent/tasks", headers=headers).json()
    assert [task["id"] for task in kept] == [task["id"] for task in tasks]
    second.until("This machine: completed")
    assert second.stop()[0] == 0


def test_a_lost_file_of_credentials_is_made_anew(start: type[Demo], tmp_path: Path) -> None:
    first = start(tmp_path)
    first.until("This machine: completed")
    first.stop()
    (tmp_path / "demo" / "demo.json").write_text("{}", encoding="utf-8")
    second = start(tmp_path)
    url = second.until(r"NOD_API_URL=(\S+)")[1]
    login = json.loads(second.until(r"-d '(\{\"email\".*\})'")[1])
    assert httpx.post(f"{url}/api/auth/login", json=login).status_code == 200
    assert oct((tmp_path / "demo" / "demo.json").stat().st_mode)[-3:] == "600"


def test_a_taken_port_is_said_with_what_to_do(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [str(NOD), "demo", "--port", port, "--data-dir", str(tmp_path)],
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        )
    assert done.returncode == 1
    assert "--port" in done.stderr
    assert done.stderr.count("\n") == 1


def test_it_never_touches_the_database_or_key_of_a_real_server() -> None:
    environ = {
        "HOME": "/home/ann",
        "NOD_DATA_DIR": "/srv/nod",
        "NOD_DATABASE_URL": "sqlite:////srv/nod/nod.db",
        "NOD_SECRET_KEY": "k" * 40,
    }
    settings = demo_settings(environ, {})
    assert settings.database_path == Path("/srv/nod/demo/nod.db")
    assert settings.data_dir == Path("/srv/nod/demo")
    assert settings.secret_key is None
    assert "127.0.0.0/8" in [str(network) for network in settings.allow_webhook_nets]


def test_the_report_shows_a_call_whatever_it_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    payload, about = tmp_path / "payload.json", tmp_path / "trigger.json"
    about.write_text(json.dumps({"source": "github"}), encoding="utf-8")
    monkeypatch.setenv("NOD_PAYLOAD_FILE", str(payload))
    monkeypatch.setenv("NOD_TRIGGER_FILE", str(about))
    for value, words in [
        ({"a`b\nc": {"deep": 1}, "long": "x" * 500}, ["`a'b c`", "object with 1 fields", "x…`"]),
        ([1, 2, 3], ["list of 3"]),
        ("text", ["str"]),
        (None, ["NoneType"]),
    ]:
        payload.write_text(json.dumps(value), encoding="utf-8")
        report()
        shown = capsys.readouterr().out
        assert "**From**: github" in shown
        for word in words:
            assert word in shown
