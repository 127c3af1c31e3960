"""The scripts in examples/: each does a whole task with a decision in the middle."""

import subprocess
import sys
from pathlib import Path

import pytest
from playwright._impl._driver import compute_driver_executable

from docs.book import ROOT
from nod.client.types import Run
from support.cli import Person, Shell, new_shell
from support.seen import seen
from support.server import RunningServer

EXAMPLES = ROOT / "examples"
NODE, _ = compute_driver_executable()  # the one that comes with the tests' browser
SCRIPTS = {"plain.py": (sys.executable, 15), "plain.mjs": (NODE, 20)}


def start(script: str, shell: Shell) -> "subprocess.Popen[bytes]":
    command = [SCRIPTS[script][0], str(EXAMPLES / script)]
    return subprocess.Popen(command, env=shell.environ({}))


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_plain_script_does_a_whole_task_with_a_decision(
    script: str, server: RunningServer, person: Person
) -> None:
    shell = new_shell(server)
    with shell.client() as client:
        task = client.create_task("Backup", "Make a backup.", "event")
        person.call_trigger(str(task["trigger_id"]), {})
        (run,) = client.runs(task["id"])
        first = start(script, shell)
        asked = person.next_question(shell.agent_id)
        assert client.decision(asked)["status"] == "pending"
        first.kill()
        first.wait()
        second = start(script, shell)
        try:
            person.answer(asked, "approved")

            def look() -> Run | None:
                found = client.run(run["id"])
                return found if found["finished_at"] else None

            done = seen(look, "the script's result")
        finally:
            second.kill()
            second.wait()
    assert (done["status"], done["summary"]) == ("completed", "You said: approved.")


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_scripts_stay_as_short_as_they_say(script: str) -> None:
    lines = (EXAMPLES / script).read_text(encoding="utf-8").splitlines()
    most = SCRIPTS[script][1]
    assert len([line for line in lines if line]) <= most
    assert f"[{script}]({script}), {most} lines" in (EXAMPLES / "README.md").read_text()


def test_the_examples_are_all_tried_and_listed() -> None:
    bridges = {"n8n", "github-actions", "cron", "skill"}  # in test_bridges.py
    assert {path.name for path in Path(EXAMPLES).iterdir()} == {*SCRIPTS, *bridges, "README.md"}
    readme = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    files = [path for path in EXAMPLES.rglob("*") if path.is_file() and path.name != "README.md"]
    assert [each for each in files if f"]({each.relative_to(EXAMPLES)})" not in readme] == []
