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
from support.cli import Person, Shell, add_account, new_shell
from support.curl import install_curl
from support.programs import Programs
from support.seen import seen
from support.server import RunningServer, free_port, is_listening

SHELL = ("runs", "sh")


def marked(mark: str, language: str) -> list[Block]:
    return [b for path in pages() for b in blocks(path) if (b.mark, b.language) == (mark, language)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    running = RunningServer(tmp_path_factory.mktemp("nod")).start()
    add_account(running)
    yield running
    running.stop()


def _run_shell_blocks(
    page: str, shell: Shell, server: RunningServer, folder: Path, **variables: str
) -> str:
    """Run what a page shows, from its first line to its last; what it printed."""
    ours = [install_curl(folder), str(Programs.install(folder / "programs").folder)]
    path = os.pathsep.join([*ours, str(Path(sys.executable).parent), os.environ["PATH"]])
    shown = [each.code for each in blocks(ROOT / page) if (each.mark, each.language) == SHELL]
    own = {"PATH": path, "NOD_DATA_DIR": str(server.data_dir)}
    done = subprocess.run(
        ["sh", "-eu", "-c", "".join(shown)],
        env=shell.environ({**own, **variables}),
        cwd=folder,
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


CONNECT = sorted({each.page.name for each in marked(*SHELL) if each.page.parent.name == "connect"})


@pytest.mark.parametrize("page", CONNECT)
def test_each_kind_of_agent_does_a_task_as_its_page_shows(
    server: RunningServer, tmp_path: Path, page: str
) -> None:
    shell = new_shell(server)
    _run_shell_blocks(f"docs/connect/{page}", shell, server, tmp_path)
    with shell.client() as client:
        ended = [run for task in client.tasks() for run in client.runs(task["id"])]
    assert ended
    assert {(run["status"], run["error"]) for run in ended} == {("completed", None)}


def test_the_application_that_is_shown_takes_its_webhooks(
    server: RunningServer, tmp_path: Path
) -> None:
    (block,) = marked("runs as an application", "python")
    (tmp_path / "my_agent.py").write_text(block.code, encoding="utf-8")
    shell, port = new_shell(server), free_port()
    with Person.log_in(server).http as http, shell.client() as client:
        url = {"webhook_url": f"http://127.0.0.1:{port}/nod"}
        http.patch(f"/api/agents/{shell.agent_id}", json=url).raise_for_status()
        task = client.create_task("Report", "Count.", "event")
        command = [sys.executable, "-m", "uvicorn", "my_agent:app", "--port", str(port)]
        application = subprocess.Popen(command, cwd=tmp_path, env=shell.environ({}))
        try:
            seen(lambda: is_listening(port) or None, "the application")
            _call(shell, str(task["trigger_id"]))
            assert _first_result(shell, task["id"], Person(http)) == "completed"
        finally:
            application.terminate()
            application.wait()


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
