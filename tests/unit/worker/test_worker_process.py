"""Real commands: their streams are read whole, and they end when they must."""

import asyncio
import os
import stat
from dataclasses import dataclass
from pathlib import Path

import pytest

from nod.client.settings import Settings
from nod.client.types import Context
from nod.worker import leftovers
from nod.worker import process as process_module
from nod.worker.capture import Capture
from nod.worker.environment import inherited
from nod.worker.job import Job, job_of
from nod.worker.options import Options
from nod.worker.process import Process, Start
from nod.worker.workspace import workspace

JOB = Job("run_1", "tsk_1", "Stand\x00up", "Do it\n", False, None, None)
SETTINGS = Settings("http://127.0.0.1:1", "agt_1", "nod_secret")
OPTIONS = Options(["true"])


@dataclass
class Started:
    """A process, and what it has printed."""

    process: Process
    stdout: Capture
    stderr: Capture


async def started(
    tmp_path: Path, script: str, prompt: str = "", work_id: str = "run_test"
) -> Started:
    stdin = tmp_path / "prompt"
    stdin.write_text(prompt)
    stdout, stderr = Capture(1_000, 500), Capture(1_000, 500)
    what = Start(["/bin/sh", "-c", script], dict(os.environ), stdin, tmp_path, work_id)
    return Started(await Process.start(what, stdout.add, stderr.add), stdout, stderr)


async def start(tmp_path: Path, script: str, prompt: str = "") -> Process:
    return (await started(tmp_path, script, prompt, f"run_{tmp_path.name}")).process


async def test_the_prompt_is_standard_input_and_both_streams_are_kept(tmp_path: Path) -> None:
    it = await started(tmp_path, "cat; echo oops >&2; exit 3", "the prompt")
    assert await it.process.wait() == 3
    assert it.stdout.text() == "the prompt"
    assert it.stderr.text() == "oops\n"


async def test_a_command_that_never_reads_its_prompt_ends_all_the_same(tmp_path: Path) -> None:
    process = await start(tmp_path, "exit 0", "x" * 1_000_000)
    assert await process.wait() == 0


async def test_much_output_on_both_streams_at_once_does_not_block(tmp_path: Path) -> None:
    loop = "i=0; while [ $i -lt 40 ]; do head -c 100000 /dev/zero >&2; head -c 100000 /dev/zero;"
    it = await started(tmp_path, f"{loop} i=$((i+1)); done")
    assert await it.process.wait() == 0
    for stream in (it.stdout, it.stderr):
        assert f"{4_000_000 - 1_500} bytes left out" in stream.text()


async def test_stopping_ends_the_whole_group(tmp_path: Path) -> None:
    alive = held(tmp_path / "alive")
    process = await start(tmp_path, f"exec 3>{tmp_path}/alive; sleep 1000 & echo up >&3; wait")
    assert await alive.opened == "up"
    assert await process.stop() == -15
    await alive.released


async def test_stopping_ends_also_what_has_left_the_group(tmp_path: Path) -> None:
    alive = held(tmp_path / "alive")
    script = f"exec 3>{tmp_path}/alive; setsid sh -c 'echo up >&3; sleep 1000' & sleep 1000"
    process = await start(tmp_path, script)
    assert await alive.opened == "up"
    assert await process.stop() == -15
    await alive.released


async def test_what_a_dead_worker_left_is_found_by_its_work_id(tmp_path: Path) -> None:
    alive = held(tmp_path / "alive")
    script = f"exec 3>{tmp_path}/alive; setsid sh -c 'echo up >&3; sleep 1000' & sleep 1000"
    other = await started(tmp_path, "sleep 1000", work_id="run_another")
    it = await started(tmp_path, script, work_id="run_left")
    assert await alive.opened == "up"
    leftovers.end_all("run_left")
    await alive.released
    assert await it.process.wait() == -9
    assert await other.process.stop() == -15  # it had been left alone


async def test_what_ignores_the_request_to_end_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_module, "TERM_S", 0.1)
    alive = held(tmp_path / "alive")
    deaf = "trap '' TERM; echo up >&3; while :; do sleep 0.1; done"
    process = await start(tmp_path, f"exec 3>{tmp_path}/alive; {deaf}")
    assert await alive.opened == "up"
    assert await process.stop() == -9
    await alive.released


async def test_a_child_that_keeps_the_pipes_does_not_keep_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_module, "_LINGER_S", 0.1)
    alive = held(tmp_path / "alive")
    process = await start(tmp_path, f"exec 3>{tmp_path}/alive; echo up >&3; sleep 1000 & exit 0")
    assert await process.wait() == 0
    await alive.released


async def test_a_command_that_cannot_be_started_leaves_nothing_open(tmp_path: Path) -> None:
    stdin = tmp_path / "prompt"
    stdin.touch()
    before = open_files()
    what = Start([str(tmp_path / "nothing")], {}, stdin, tmp_path, "run_1")
    with pytest.raises(FileNotFoundError):
        await Process.start(what, Capture(1, 1).add, Capture(1, 1).add)
    assert open_files() == before


@dataclass
class Held:
    """A named pipe that the processes under test hold open: `opened` is their first line,
    `released` comes when the last of them has ended.
    """

    opened: "asyncio.Future[str]"
    released: "asyncio.Task[None]"


def held(path: Path) -> Held:
    os.mkfifo(path)
    loop = asyncio.get_running_loop()
    opened: asyncio.Future[str] = loop.create_future()

    def read() -> None:
        with path.open() as pipe:
            line = pipe.readline().strip()
            loop.call_soon_threadsafe(opened.set_result, line)
            pipe.read()

    return Held(opened, asyncio.create_task(asyncio.to_thread(read)))


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_files_are_private_and_gone_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOD_PAYLOAD_FILE", "/left/by/another/run")
    blocks: list[dict[str, object]] = [{"id": 1, "text": "ü", "created_at": "2025-09-01T09:00:00Z"}]
    context: Context = {"run_id": "run_1", "blocks": blocks}  # type: ignore[typeddict-item]
    with workspace(JOB, context, SETTINGS, OPTIONS, tmp_path) as files:
        kept = Path(files.environment["NOD_CONTEXT_FILE"])
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
        assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700
        assert '"text": "ü"' in kept.read_text()
        assert files.prompt.read_text() == "Do it\n"
        assert "NOD_PAYLOAD_FILE" not in files.environment
        assert files.environment["NOD_TASK_NAME"] == "Stand\ufffdup"
        assert files.environment["NOD_RUN_ID"] == "run_1"
        assert files.environment["NOD_SECRET"] == "nod_secret"
        assert not files.output_was_set()
        Path(files.environment["NOD_OUTPUT_MARKER"]).touch()
        assert files.output_was_set()
        assert files.answers_had() == set()
        Path(files.environment["NOD_ASKED_FILE"]).write_text('{"had": "dec_1"}\n')
        assert files.answers_had() == {"dec_1"}
    assert not kept.parent.exists()


def test_secrets_are_passed_on_by_name_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", "secret")
    monkeypatch.setenv("OTHER_API_KEY", "secret")
    assert inherited(None)["SOME_API_KEY"] == "secret"
    allowed = inherited(("SOME_API_KEY",))
    assert "OTHER_API_KEY" not in allowed
    assert allowed["SOME_API_KEY"] == "secret"
    assert allowed["HOME"] == os.environ["HOME"]


def test_each_task_can_have_a_folder_of_its_own(tmp_path: Path) -> None:
    options = Options(["true"], folder=tmp_path, per_task=True)
    with workspace(JOB, {"run_id": "run_1", "blocks": []}, SETTINGS, options, tmp_path) as files:
        assert files.place == tmp_path / "tsk_1"
        assert stat.S_IMODE(files.place.stat().st_mode) == 0o700
    assert files.place.exists()


def test_a_run_started_from_outside_finds_what_was_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setenv("TRACEPARENT", "of the worker")
    event = {
        "type": "task_trigger",
        "event_id": "evt_1",
        "run_id": "run_1",
        "task_id": "tsk_1",
        "task_name": "Push",
        "task_prompt": "Look",
        "payload": {"ref": "main"},
        "trigger": {"source": "github"},
        "traceparent": "00-1-2-01",
    }
    job = job_of(event)
    assert job is not None
    with workspace(job, {"run_id": "run_1", "blocks": []}, SETTINGS, OPTIONS, tmp_path) as files:
        assert '"ref": "main"' in Path(files.environment["NOD_PAYLOAD_FILE"]).read_text()
        assert files.environment["TRACEPARENT"] == "00-1-2-01"
        assert '"github"' in Path(files.environment["NOD_TRIGGER_FILE"]).read_text()
        # `nod` can be called inside, also where its environment is not on the path.
        assert files.environment["PATH"].startswith("/nowhere:")
    assert job_of({"type": "task_due", "run_id": "run_1"}) is None
    assert job_of({"type": "user_message", "text": "hello"}) is None
