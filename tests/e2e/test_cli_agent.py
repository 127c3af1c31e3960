"""The agent's commands against a real server."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from support.cli import Person, Shell
from support.server import free_port


@pytest.fixture
def run_id(shell: Shell) -> str:
    """A run that this agent has taken up."""
    with shell.client() as client:
        task = client.create_task("Standup", "Do it", "0 9 * * *")
        return client.start_run(task["id"])["run_id"]


def test_tasks_are_added_listed_shown_paused_resumed_and_removed(shell: Shell) -> None:
    options = ["--schedule", "0 9 * * 1-5", "--timezone", "Europe/Berlin", "--timeout", "600"]
    added = shell.run("tasks", "add", "Standup", "--prompt", "-", *options, "--json", stdin="Do it")
    task = json.loads(added.stdout)
    assert (task["prompt"], task["timezone"], task["timeout_s"]) == ("Do it", "Europe/Berlin", 600)

    listed = shell.run("tasks", "list").stdout.splitlines()
    assert listed[0].split() == ["ID", "NAME", "SCHEDULE", "NEXT", "LAST"]
    assert task["id"] in listed[1]
    assert "in " in listed[1]
    assert "UTC)" in listed[1]
    assert json.loads(shell.run("tasks", "list", "--json").stdout)[0]["id"] == task["id"]

    assert "Do it" in shell.run("tasks", "show", "Standup").stdout
    paused = shell.run("tasks", "pause", "Standup", "--reason", "holidays")
    assert paused.stdout == "Standup is paused\n"
    assert "holidays" in shell.run("tasks", "show", task["id"]).stdout
    assert "paused" in shell.run("tasks", "list").stdout
    assert "fires again in" in shell.run("tasks", "resume", "Standup").stdout
    assert json.loads(shell.run("tasks", "remove", "Standup", "--json").stdout)["removed"]
    assert shell.run("tasks", "list").stderr == "no tasks yet: nod tasks add\n"


def test_a_budget_is_set_and_what_was_used_is_shown(shell: Shell) -> None:
    budget = ["--budget", "runs=20", "--budget", "cost_usd=2.5"]
    shell.run("tasks", "add", "Digest", "--prompt", "Sum up", "--schedule", "event", *budget)
    assert "20 runs, $2.50 a day" in shell.run("tasks", "show", "Digest").stdout
    run = shell.run("tasks", "run", "Digest").stdout.strip()
    with shell.client() as client:
        client.complete_run(run, "completed", usage={"input_tokens": 1200, "cost_usd": 2.25})
    shown = shell.run("usage", "Digest", "--days", "2").stdout.splitlines()
    assert shown[0].split() == ["DAY", "RUNS", "TOKENS", "IN", "TOKENS", "OUT", "COST", "MINUTES"]
    assert shown[2].split()[1:5] == ["1", "1,200", "0", "$2.25"]
    assert shown[3] == (
        "Budget of the task: 20 runs, $2.50 a day; 90 % used today, nearly used up."
    )
    assert json.loads(shell.run("usage", "--json").stdout)["budgets"] == []
    wrong = shell.run("tasks", "add", "x", "--prompt", "x", "--schedule", "event", "--budget", "9")
    assert wrong.returncode == 2
    assert "is not like runs=20" in wrong.stderr


def test_an_event_task_shows_its_trigger(shell: Shell) -> None:
    added = shell.run("tasks", "add", "Push", "--prompt", "Look", "--schedule", "event")
    assert "trigger id:" in added.stdout


def test_a_run_is_taken_up_worked_on_and_completed_from_the_shell(shell: Shell) -> None:
    shell.run("tasks", "add", "Standup", "--prompt", "Do it", "--schedule", "@daily")
    run = shell.run("tasks", "run", "Standup").stdout.strip()
    assert shell.run("context", "add", "first", NOD_RUN_ID=run).returncode == 0
    added = shell.run("context", "add", "--run", run, "-", "--json", stdin="second")
    assert json.loads(added.stdout)["block_id"] == 2
    assert shell.run("context", "show", NOD_RUN_ID=run).stdout == "first\nsecond\n"
    blocks = json.loads(shell.run("context", "show", "--run", run, "--json").stdout)["blocks"]
    assert [block["text"] for block in blocks] == ["first", "second"]

    done = shell.run("runs", "complete", run, "--summary", "-", stdin="**Done**")
    assert done.stdout == f"{run} completed\n"
    shown = shell.run("runs", "show", run).stdout
    assert "completed" in shown
    assert shown.endswith("**Done**\n")
    listed = shell.run("runs", "list").stdout
    assert "Standup" in listed
    assert json.loads(shell.run("runs", "list", "Standup", "--json").stdout)[0]["id"] == run
    failed = shell.run("runs", "complete", run, "--failed")
    assert failed.returncode == 1
    assert failed.stderr.startswith("nod: ")


def test_a_file_or_standard_input_becomes_the_deliverable(
    shell: Shell, run_id: str, tmp_path: Path
) -> None:
    report = tmp_path / "report.md"
    report.write_text("# Report\n" + "ü" * 2_000)
    marker = tmp_path / "marker"
    inside = {"NOD_RUN_ID": run_id, "NOD_OUTPUT_MARKER": str(marker)}
    assert shell.run(str(report), command="nod-task-output", **inside).returncode == 0
    assert marker.exists()
    with shell.client() as client:
        assert client.run(run_id)["summary"] == report.read_text()
        shell.run(command="nod-task-output", stdin="from a pipe", NOD_RUN_ID=run_id)
        assert client.run(run_id)["summary"] == "from a pipe"
        for told in (
            shell.run("runs", "output", run_id, str(report), "--json"),
            shell.run(str(report), "--json", command="nod-task-output", NOD_RUN_ID=run_id),
        ):
            assert json.loads(told.stdout) == {"run_id": run_id, "bytes": 4_009}


def test_a_message_and_a_question_reach_the_person(shell: Shell, run_id: str) -> None:
    sent = shell.run("message", "-", "--report-title", "News", "--json", stdin="**hello**")
    assert json.loads(sent.stdout)["message_id"].startswith("msg_")
    asked = shell.run("ask", "Deploy?", "--option", "now", "--option", "later", NOD_RUN_ID=run_id)
    decision_id = asked.stdout.strip()
    with shell.client() as client:
        assert client.decision(decision_id)["status"] == "pending"
        assert client.run(run_id)["status"] == "waiting"
    unanswered = shell.run("ask", "And?", "--wait", "--timeout", "0.1")
    assert unanswered.returncode == 1
    assert unanswered.stderr == "no answer yet; the question stays open\n"


@pytest.mark.parametrize(
    ("status", "exit_status", "stdout", "stderr"),
    [
        ("approved", 0, "fine by me\n", ""),
        ("rejected", 1, "", "rejected: fine by me\n"),
        ("dismissed", 1, "", "dismissed: the question has lost its object: fine by me\n"),
    ],
)
def test_a_script_waits_for_the_persons_answer(
    shell: Shell, person: Person, status: str, exit_status: int, stdout: str, stderr: str
) -> None:
    asking = shell.start("ask", "Deploy?", "--wait")
    person.answer(person.next_question(shell.agent_id), status, note="fine by me")
    said = asking.communicate(timeout=30)
    assert (asking.returncode, *said) == (exit_status, stdout, stderr)


def test_a_script_reads_the_answer_as_json(shell: Shell, person: Person) -> None:
    asking = shell.start("ask", "Which?", "--option", "a", "--option", "b", "--wait", "--json")
    person.answer(person.next_question(shell.agent_id), "responded", option="b")
    stdout, _ = asking.communicate(timeout=30)
    assert asking.returncode == 0
    assert json.loads(stdout)["status"] == "responded"


def test_the_exit_status_says_what_kind_of_failure_it_was(shell: Shell, tmp_path: Path) -> None:
    refused = shell.run("runs", "show", "run_nothing")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("nod: ")
    unknown = shell.run("tasks", "show", "Nothing")
    assert unknown.returncode == 1
    assert "`nod tasks list` shows them" in unknown.stderr
    assert shell.run("tasks", "fly").returncode == 2
    assert shell.run("context", "add", "text").returncode == 2
    assert shell.run("runs", "output", "run_1", str(tmp_path / "nothing")).returncode == 2
    assert shell.run("tasks", "list", NOD_SECRET="").returncode == 2
    assert shell.run("work", "--", "no-such-command").returncode == 2
    wrong = shell.run("tasks", "list", NOD_SECRET="nod_wrong")
    assert wrong.returncode == 1
    away = shell.run("tasks", "list", NOD_API_URL=f"http://127.0.0.1:{free_port()}")
    assert away.returncode == 3
    assert away.stderr.startswith("nod: cannot reach Nod at")


def test_two_tasks_of_one_name_have_to_be_told_apart(shell: Shell) -> None:
    for _ in range(2):
        shell.run("tasks", "add", "Twin", "--prompt", "x", "--schedule", "@daily")
    shown = shell.run("tasks", "show", "Twin")
    assert shown.returncode == 1
    assert shown.stderr.count("tsk_") == 2


def test_cron_says_what_a_schedule_means_without_a_server(shell: Shell) -> None:
    options = ["--timezone", "Europe/Berlin", "--from", "2025-09-01T00:00:00Z", "-n", "2"]
    told = shell.run("cron", "0 9 * * 1-5", *options, NOD_SECRET="")
    assert told.returncode == 0
    assert "2025-09-01T09:00:00+02:00  2025-09-01T07:00:00Z" in told.stdout
    ours = json.loads(shell.run("cron", "0 9 * * 1-5", *options, "--json").stdout)
    with shell.client() as client:
        theirs = client.preview_schedule(
            "0 9 * * 1-5", timezone="Europe/Berlin", start="2025-09-01T00:00:00Z", count=2
        )
    assert ours == theirs
    said = shell.run("cron", "every weekday at 9", *options, "--json", NOD_SECRET="")
    assert json.loads(said.stdout) == ours
    impossible = shell.run("cron", "0 0 30 2 *")
    assert impossible.returncode == 2
    assert impossible.stderr.startswith("nod: ")


def test_text_from_elsewhere_cannot_drive_the_terminal(shell: Shell) -> None:
    shell.run("tasks", "add", "a\x1b[2Jb", "--prompt", "x\x1b]0;y\x07", "--schedule", "@daily")
    assert "\x1b" not in shell.run("tasks", "list").stdout
    with shell.client() as client:
        task_id = client.tasks()[0]["id"]
    assert "\x1b" not in shell.run("tasks", "show", task_id).stdout


def test_help_lists_every_command_without_importing_one(shell: Shell) -> None:
    code = (
        "import sys\n"
        "from nod.cli.main import main\n"
        "main(['--help'], standalone_mode=False)\n"
        "print([name for name in sys.modules if name.startswith(('httpx', 'nod.domain'))])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    for command in ("serve", "demo", "users", "agents", "tasks", "work", "cron"):
        assert f"\n  {command} " in told.stdout
    assert told.stdout.endswith("[]\n")
    assert shell.run("--version").stdout.startswith("nod, version ")
    assert shell.run("work", "--help").stdout.count("NOD_PAYLOAD_FILE") == 1


def test_where_the_servers_packages_are_missing_the_command_says_what_to_install() -> None:
    code = (
        "import sys\n"
        "sys.modules['litestar'] = sys.modules['cronsim'] = sys.modules['structlog'] = None\n"
        "from nod.cli.main import main\n"
        "main()"
    )
    for command in (["serve"], ["cron", "@daily"]):
        told = subprocess.run(
            [sys.executable, "-c", code, *command], capture_output=True, text=True
        )
        assert told.returncode == 1
        assert "pip install 'nod-tasks[server]'" in told.stderr
