"""`nod work` against a real server: commands run, and whatever happens their results arrive."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from support.cli import Shell, new_shell
from support.server import RunningServer
from support.worker import RunningWorker, add_once, only_run

Worker = Callable[..., RunningWorker]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    running = RunningServer(tmp_path_factory.mktemp("server")).start()
    yield running
    running.stop()


@pytest.fixture
def work(shell: Shell) -> Iterator[Worker]:
    """Starts `nod work` with a shell script as its command; returns when it is connected."""
    running: list[RunningWorker] = []

    def start(script: str, *options: str, **environment: str) -> RunningWorker:
        command = ["work", *options, "--", "/bin/sh", "-c", script]
        worker = RunningWorker(shell.start(*command, **environment))
        running.append(worker)
        worker.logged("connected to")
        return worker

    yield start
    for worker in running:
        worker.clean_up()


def test_the_prompt_goes_in_and_the_output_is_the_deliverable(shell: Shell, work: Worker) -> None:
    worker = work('cat; echo " $NOD_TASK_NAME $NOD_TASK_ID"; test -n "$NOD_RUN_ID"')
    task_id = add_once(shell, prompt="Do it")
    worker.logged("completed after")
    run = only_run(shell, task_id)
    assert (run["status"], run["summary"]) == ("completed", f"Do it Standup {task_id}")
    assert run["delivery"] == "delivered"
    assert worker.stop() == 0


def test_a_long_output_arrives_whole(shell: Shell, work: Worker) -> None:
    worker = work("seq 20000")
    task_id = add_once(shell)
    worker.logged("completed after")
    assert only_run(shell, task_id)["summary"] == "\n".join(map(str, range(1, 20_001)))


def test_a_failure_says_why(shell: Shell, work: Worker) -> None:
    worker = work("echo partly; echo no such file >&2; exit 4")
    task_id = add_once(shell)
    worker.logged("failed after")
    run = only_run(shell, task_id)
    assert run["status"] == "failed"
    assert run["summary"] is not None
    for part in ("exit status 4", "no such file", "partly"):
        assert part in run["summary"]


def test_a_command_that_cannot_be_run_fails_its_run(
    shell: Shell, tmp_path: Path, work: Worker
) -> None:
    worker = work("exit 0", "--once")
    script = tmp_path / "agent"
    script.write_text("no interpreter")
    script.chmod(0o755)
    task_id = add_once(shell)
    assert worker.end() == 0
    broken = RunningWorker(shell.start("work", "--once", "--", str(script)))
    try:
        task_id = add_once(shell)
        assert broken.end() == 1
    finally:
        broken.clean_up()
    run = only_run(shell, task_id)
    assert run["status"] == "failed"
    assert run["summary"] is not None
    assert "cannot run" in run["summary"]


def test_the_agents_own_commands_work_inside(shell: Shell, work: Worker) -> None:
    script = """
        nod context add "step one" &&
        nod context show &&
        nod message "half way" &&
        echo "# The report" | nod-task-output &&
        seq 2000
    """
    worker = work(script)
    task_id = add_once(shell)
    worker.logged("completed after")
    assert only_run(shell, task_id)["summary"] == "# The report\n"


def test_a_call_from_outside_is_found_in_a_private_file(
    server: RunningServer, shell: Shell, work: Worker
) -> None:
    worker = work('stat -c %a "$NOD_PAYLOAD_FILE"; cat "$NOD_PAYLOAD_FILE" "$NOD_CONTEXT_FILE"')
    with shell.client() as client:
        task = client.create_task("Push", "Look", "event")
    url = f"{server.url}/api/webhooks/{task['trigger_id']}"
    assert httpx.post(url, json={"ref": "main"}).status_code == 202
    worker.logged("completed after")
    summary = only_run(shell, task["id"])["summary"]
    assert summary is not None
    mode, _, rest = summary.partition("\n")
    assert mode == "600"
    assert json.loads(rest.removesuffix("[]")) == {"ref": "main"}


def test_further_runs_wait_in_order(shell: Shell, tmp_path: Path, work: Worker) -> None:
    log, gate = tmp_path / "log", tmp_path / "gate"
    os.mkfifo(gate)
    worker = work(f'echo "$NOD_TASK_NAME" >> {log}; cat {gate}')
    tasks = [add_once(shell, name, seconds=s) for name, s in (("first", 1), ("second", 1.2))]
    worker.logged("started: first")
    worker.logged("waits for a free place: second")
    for name in ("first", "second"):
        worker.logged(f"started: {name}")
        gate.write_text("on")
        worker.logged("completed after", f": {name}")
    assert log.read_text().split() == ["first", "second"]
    assert [only_run(shell, task)["status"] for task in tasks] == ["completed", "completed"]


def test_several_run_at_the_same_time_when_asked(
    shell: Shell, tmp_path: Path, work: Worker
) -> None:
    worker = work(f"cat {tmp_path}/$NOD_TASK_NAME", "--concurrency", "2")
    for name in ("first", "second"):
        os.mkfifo(tmp_path / name)
        add_once(shell, name)
    worker.logged("started", times=2)
    for name in ("first", "second"):
        (tmp_path / name).write_text("on")
    worker.logged("completed after", times=2)


def test_a_cancelled_run_ends_its_command_and_all_it_started(
    shell: Shell, tmp_path: Path, work: Worker
) -> None:
    alive = tmp_path / "alive"
    os.mkfifo(alive)
    worker = work(f"exec 3>{alive}; sleep 1000 & sleep 1000")
    task_id = add_once(shell)
    with alive.open() as held:
        worker.logged("started")
        run = only_run(shell, task_id)
        with shell.client() as client:
            client.delete_task(task_id)
        held.read()  # ends when the last of them has let go
    worker.logged(run["id"], "stopped, Nod says it is cancelled")
    with shell.client() as client:
        assert client.run(run["id"])["status"] == "cancelled"


def test_a_command_that_takes_too_long_is_stopped(shell: Shell, work: Worker) -> None:
    worker = work("sleep 1000", "--timeout", "0.2")
    task_id = add_once(shell)
    worker.logged("failed after")
    summary = only_run(shell, task_id)["summary"]
    assert summary == "the command was stopped after 0.2 s (--timeout)"


def test_stopping_lets_a_command_finish_within_its_grace(
    shell: Shell, tmp_path: Path, work: Worker
) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    worker = work(f"cat {gate}; echo done")
    task_id = add_once(shell)
    waiting = add_once(shell, "second", seconds=1.2)
    worker.logged("started")
    worker.logged("waits for a free place: second")
    worker.process.send_signal(signal.SIGTERM)
    worker.logged("stopping: 1 running")
    gate.write_text("")
    assert worker.end() == 0
    assert only_run(shell, task_id)["summary"] == "done"
    unstarted = only_run(shell, waiting)
    assert unstarted["status"] == "failed"
    assert unstarted["summary"] == "not started: the worker was stopped"


def test_what_does_not_end_within_its_grace_is_reported_as_failed(
    shell: Shell, work: Worker
) -> None:
    worker = work("sleep 1000", "--grace", "0.1")
    task_id = add_once(shell)
    worker.logged("started")
    assert worker.stop(signal.SIGINT) == 0
    summary = only_run(shell, task_id)["summary"]
    assert summary == "the worker was stopped, and this did not end within 0.1 s"


def test_a_second_signal_stops_at_once(shell: Shell, work: Worker) -> None:
    worker = work("sleep 1000", "--grace", "1000")
    add_once(shell)
    worker.logged("started")
    worker.process.send_signal(signal.SIGTERM)
    worker.logged("stopping")
    assert worker.stop() == 1


def test_a_result_outlasts_a_restart_of_the_server(tmp_path: Path) -> None:
    """The server is killed while the command runs; the report arrives when it is back."""
    server = RunningServer(tmp_path / "server").start()
    shell = new_shell(server)
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    script = f"cat {gate} >/dev/null; echo the result"
    worker = RunningWorker(shell.start("work", "--", "/bin/sh", "-c", script))
    try:
        task_id = add_once(shell)
        worker.logged("started")
        server.kill()
        worker.logged("trying again")
        gate.write_text("on")
        server.start()
        worker.logged("completed after")
        run = only_run(shell, task_id)
        assert (run["status"], run["summary"]) == ("completed", "the result")
        assert len([line for line in worker.lines if " started: " in line]) == 1
        worker.logged("connected to", times=2)
        add_once(shell, "after the restart")
        gate.write_text("on")
        worker.logged("completed after", "after the restart")
    finally:
        worker.clean_up()
        server.stop()


def test_a_worker_that_can_keep_nothing_says_so_and_works(shell: Shell, work: Worker) -> None:
    worker = work("echo done", XDG_STATE_HOME="/proc/nothing")
    worker.logged("what is in hand will be lost if this worker is killed")
    task_id = add_once(shell)
    worker.logged("completed after")
    assert only_run(shell, task_id)["summary"] == "done"


def test_a_worker_with_a_wrong_secret_says_so_and_ends(shell: Shell) -> None:
    told = shell.run("work", "--", "true", NOD_SECRET="nod_wrong")
    assert told.returncode == 1
    assert "NOD_SECRET is not this agent's secret" in told.stderr
