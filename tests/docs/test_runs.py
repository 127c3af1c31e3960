"""What the documentation shows as running runs: shell and Python blocks, on a real server."""

import hashlib
import hmac
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from docs.book import ROOT, Block, blocks, pages
from support.cli import Person, Shell, add_account, new_shell, seen
from support.server import RunningServer

# As much of curl as the pages use: what they show is parsed and sent, also where curl is not there.
_CURL = """#!{python}
import argparse, sys, urllib.error, urllib.request
parser = argparse.ArgumentParser()
parser.add_argument("url")
parser.add_argument("-sf", action="store_true")
parser.add_argument("-H", action="append", default=[])
parser.add_argument("-d")
parser.add_argument("-X")
given = parser.parse_args()
headers = dict(each.split(": ", 1) for each in given.H)
body = None if given.d is None else given.d.encode()
request = urllib.request.Request(given.url, body, headers, method=given.X)
try:
    with urllib.request.urlopen(request) as answer:
        sys.stdout.write(answer.read().decode() + "\\n")
except urllib.error.HTTPError as error:
    sys.exit(f"{{given.url}}: {{error.code}} {{error.read().decode()}}")
"""

SHELL = ("runs", "sh")


def marked(mark: str, language: str) -> list[Block]:
    return [b for path in pages() for b in blocks(path) if (b.mark, b.language) == (mark, language)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    running = RunningServer(tmp_path_factory.mktemp("nod")).start()
    add_account(running)
    yield running
    running.stop()


def _path_with_curl(folder: Path) -> str:
    curl = folder / "curl"
    curl.write_text(_CURL.format(python=sys.executable), encoding="utf-8")
    curl.chmod(0o755)
    return os.pathsep.join([str(folder), str(Path(sys.executable).parent), os.environ["PATH"]])


def _run_shell_blocks(
    page: str, shell: Shell, server: RunningServer, folder: Path, **variables: str
) -> str:
    """Run what a page shows, from its first line to its last; what it printed."""
    shown = [each.code for each in blocks(ROOT / page) if (each.mark, each.language) == SHELL]
    ours = {"PATH": _path_with_curl(folder), "NOD_DATA_DIR": str(server.data_dir)}
    done = subprocess.run(
        ["sh", "-eu", "-c", "".join(shown)],
        env=shell.environ({**ours, **variables}),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_quickstart_works_from_the_first_line_to_the_last(
    server: RunningServer, tmp_path: Path
) -> None:
    printed = _run_shell_blocks("docs/quickstart.md", new_shell(server), server, tmp_path)
    for expected in ("whsec_", "Every weekday at 09:00", "42 % used", "accepted", "Got:"):
        assert expected in printed
    assert "The task did not exist at 09:00" in printed


@pytest.mark.parametrize(
    "page", ["docs/http-api.md", "docs/people-api.md", "docs/triggers.md", "docs/concepts.md"]
)
def test_calls_that_are_shown_are_answered(
    server: RunningServer, tmp_path: Path, page: str
) -> None:
    shell = new_shell(server)
    with shell.client() as client:
        task = client.create_task("Report", "Write it.", "event")
        run_id = client.start_run(task["id"])["run_id"]
        asked = client.ask("Deploy 1.4?")["decision_id"]
    token = Person.log_in(server).http.headers["Authorization"].removeprefix("Bearer ")
    _run_shell_blocks(
        page,
        shell,
        server,
        tmp_path,
        TASK=task["id"],
        RUN=run_id,
        DECISION=asked,
        TRIGGER=str(task["trigger_id"]),
        TOKEN=token,
        SHARED="0123456789abcdef",
    )


@pytest.mark.parametrize("block", marked("runs", "python"), ids=lambda b: b.page.name)
def test_python_that_is_shown_runs(server: RunningServer, block: Block) -> None:
    shell = new_shell(server)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", block.code],
        env=shell.environ({}),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("block", marked("runs as an agent", "python"), ids=lambda b: b.page.name)
def test_an_agent_that_is_shown_does_its_work(server: RunningServer, block: Block) -> None:
    shell = new_shell(server)
    with shell.client() as client:
        task = client.create_task("Deploy", "Deploy it.", "event")
        agent = subprocess.Popen([sys.executable, "-c", block.code], env=shell.environ({}))
        try:
            _call(shell, str(task["trigger_id"]))
            with Person.log_in(server).http as http:
                assert _first_result(shell, task["id"], Person(http)) == "completed"
        finally:
            agent.terminate()
            agent.wait()


def test_the_tests_that_are_shown_pass(tmp_path: Path) -> None:
    (block,) = marked("runs as a test", "python")
    shown = tmp_path / "test_shown.py"
    shown.write_text(block.code, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(shown)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert "2 passed" in done.stdout, done.stdout + done.stderr


def _call(shell: Shell, trigger_id: str) -> None:
    httpx.post(f"{shell.url}/api/webhooks/{trigger_id}", json={"version": "1.4"}).raise_for_status()


def _first_result(shell: Shell, task_id: str, person: Person) -> str:
    """The status in which the task's first run ends, where a person agrees to whatever it asks."""
    with shell.client() as client:

        def look() -> str | None:
            run = next(iter(client.runs(task_id)))
            if not run["finished_at"]:
                person.agree(shell.agent_id)
                return None
            return run["status"]

        return seen(look, "a result")


def test_the_check_of_a_webhook_that_is_shown_takes_nods_and_no_other() -> None:
    (block,) = marked("runs on a webhook", "python")
    shown: dict[str, object] = {}
    exec(block.code, shown)  # noqa: S102 - it is our own page
    is_from_nod = shown["is_from_nod"]
    assert callable(is_from_nod)

    secret, body, sent = "nod_" + "0" * 40, json.dumps({"type": "task_due"}).encode(), time.time()
    key = hmac.digest(secret.encode(), b"nod-webhook", hashlib.sha256)
    stamp = str(int(sent))
    proof = hmac.digest(key, f"{stamp}.".encode() + body, hashlib.sha256).hex()
    headers = {"X-Nod-Timestamp": stamp, "X-Nod-Signature": f"sha256={proof}"}
    assert is_from_nod(body, headers, secret)
    assert not is_from_nod(body + b" ", headers, secret)
    assert not is_from_nod(body, headers, "nod_" + "1" * 40)
