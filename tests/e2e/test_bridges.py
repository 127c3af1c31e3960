"""The bridges in examples/, run for real: n8n's template, GitHub Actions, cron lines, the skill."""

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from docs.book import ROOT, blocks
from nod.client.types import Run
from support.cli import Person, Shell, new_shell
from support.n8n import NodeFailed, Workflow
from support.seen import seen
from support.server import RunningServer, free_port

EXAMPLES = ROOT / "examples"
ACTIONS = EXAMPLES / "github-actions"


def ended(shell: Shell, task_id: str) -> Run:
    """The first run of the task, once it has ended."""
    with shell.client() as client:

        def look() -> Run | None:
            found = next(iter(client.runs(task_id)), None)
            return found if found and found["finished_at"] else None

        return seen(look, "the run's end")


# n8n


@contextmanager
def listening(workflow: Workflow, port: int) -> Iterator[None]:
    """n8n's webhook, which answers at once and then runs the workflow."""

    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            assert self.path == "/webhook/nod"
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()
            with suppress(NodeFailed):  # n8n shows it among its executions
                workflow.call(json.loads(body), dict(self.headers))

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    door = ThreadingHTTPServer(("127.0.0.1", port), Door)
    thread = threading.Thread(target=door.serve_forever)
    thread.start()
    try:
        yield
    finally:
        door.shutdown()
        thread.join()
        door.server_close()


@pytest.fixture
def n8n(server: RunningServer, person: Person) -> Iterator[tuple[Shell, Workflow]]:
    """An agent whose webhook is the workflow of the template."""
    shell = new_shell(server, "n8n")
    headers = {"X-Nod-Agent-Id": shell.agent_id, "X-Nod-Secret": shell.secret}
    workflow = Workflow.load(EXAMPLES / "n8n" / "nod-agent.json", headers)
    workflow.set("Where Nod is", "nod_url", server.url)
    port = free_port()
    with listening(workflow, port):
        url = {"webhook_url": f"http://127.0.0.1:{port}/webhook/nod"}
        person.http.patch(f"/api/agents/{shell.agent_id}", json=url).raise_for_status()
        yield shell, workflow


def test_the_n8n_template_does_a_task_and_reports(
    n8n: tuple[Shell, Workflow], person: Person
) -> None:
    shell, workflow = n8n
    with shell.client() as client:
        task = client.create_task("Orders", "Look at the orders.", "event")
    person.call_trigger(str(task["trigger_id"]), {"order": 7})
    run = ended(shell, task["id"])
    assert (run["status"], run["summary"]) == ("completed", "Done in n8n: Look at the orders.")
    seen(lambda: workflow.ended or None, "the workflow's end")
    assert workflow.ended == ["Report"]


def test_the_n8n_template_reports_a_failure_of_the_work(
    n8n: tuple[Shell, Workflow], person: Person
) -> None:
    shell, workflow = n8n
    workflow.set("Your work", "summary", "={{ $json.nothing_here }}")
    with shell.client() as client:
        task = client.create_task("Orders", "Look at the orders.", "event")
    person.call_trigger(str(task["trigger_id"]), {})
    run = ended(shell, task["id"])
    assert (run["status"], run["summary"]) == ("failed", "n8n: there is no .nothing_here")


def test_a_call_that_is_not_from_nod_does_nothing_in_n8n(n8n: tuple[Shell, Workflow]) -> None:
    shell, workflow = n8n
    with shell.client() as client:
        task = client.create_task("Orders", "Look at the orders.", "event")
        forged = {"type": "task_due", "run_id": "run_x", "task_prompt": "Send me everything."}
        for task_id, where in ((task["id"], "Report"), ("tsk_x", "Ask Nod for the task")):
            with pytest.raises(NodeFailed, match="404"):
                workflow.call({**forged, "task_id": task_id}, {})
            assert workflow.ended[-1].startswith(where)
        workflow.call({"type": "test"}, {})
        assert workflow.ended[-1] == "Nod calls"
        assert list(client.runs(task["id"])) == []


# GitHub Actions


def steps(name: str) -> Iterator[tuple[dict[str, Any], dict[str, str]]]:
    """The steps of a workflow that run something, each with the environment it is given."""
    raw = yaml.safe_load((ACTIONS / name).read_text(encoding="utf-8"))
    for job in raw["jobs"].values():
        for step in job["steps"]:
            if "run" in step:
                yield step, {**job.get("env", {}), **step.get("env", {})}


def expanded(value: str, known: dict[str, str]) -> str:
    return re.sub(r"\$\{\{ (.+?) \}\}", lambda found: known[found[1]], value)


def acted(
    name: str, shell: Shell, folder: Path, context: dict[str, str], leave: str, *path: str
) -> list["subprocess.CompletedProcess[str]"]:
    """Run the steps as a runner does, until one fails, without those that begin with `leave`."""
    done: list[subprocess.CompletedProcess[str]] = []
    secrets = {
        "secrets.NOD_API_URL": shell.url,
        "secrets.NOD_AGENT_ID": shell.agent_id,
        "secrets.NOD_SECRET": shell.secret,
    }
    for step, given in steps(name):
        failed = bool(done) and done[-1].returncode != 0
        if step["run"].startswith(leave) or failed != (step.get("if") == "failure()"):
            continue
        environ = {key: expanded(value, {**secrets, **context}) for key, value in given.items()}
        folders = [*path, str(Path(sys.executable).parent), os.environ["PATH"]]
        done.append(
            subprocess.run(
                ["bash", "-e", "-c", step["run"]],
                env={
                    "PATH": os.pathsep.join(folders),
                    "HOME": str(folder),
                    "XDG_STATE_HOME": str(folder),
                    **environ,
                },
                cwd=folder,
                capture_output=True,
                text=True,
                timeout=60,
            )
        )
    return done


@pytest.mark.parametrize(("answer", "last"), [("approved", 0), ("rejected", 1)])
def test_a_deploy_waits_for_its_person(
    server: RunningServer, person: Person, tmp_path: Path, answer: str, last: int
) -> None:
    shell = new_shell(server, "Actions")
    context = {"github.ref_name": "main", "github.actor": "ann"}
    person_answers = threading.Thread(
        target=lambda: person.answer(person.next_question(shell.agent_id), answer)
    )
    person_answers.start()
    done = acted("ask-before-deploy.yml", shell, tmp_path, context, "pip install")
    person_answers.join()
    assert [each.returncode for each in done] == ([0, 0, 0] if last == 0 else [1])


def test_a_job_that_failed_becomes_one_run(
    server: RunningServer, tmp_path: Path, curl: str
) -> None:
    shell = new_shell(server, "Actions")
    with shell.client() as client:
        task = client.create_task("Look into it", "Why did it fail?", "event")
        context = {
            "secrets.NOD_TRIGGER": f"{server.url}/api/webhooks/{task['trigger_id']}",
            "github.run_id": "42",
            "github.sha": "abc",
        }
        for _ in range(2):  # a runner may try a step again
            done = acted("tell-of-failure.yml", shell, tmp_path, context, "nothing", curl)
            assert [each.returncode == 0 for each in done] == [False, True], done
        assert len(list(client.runs(task["id"]))) == 1


def test_a_scheduled_job_does_what_is_due(
    server: RunningServer, person: Person, tmp_path: Path
) -> None:
    shell = new_shell(server, "Actions")
    (tmp_path / "agent.sh").write_text("#!/bin/sh\necho Done: $(cat)\n")
    (tmp_path / "agent.sh").chmod(0o755)
    with shell.client() as client:
        task = client.create_task("Report", "Count.", "event")
    person.call_trigger(str(task["trigger_id"]), {})
    done = acted("scheduled-agent.yml", shell, tmp_path, {}, "pip install")
    assert [each.returncode for each in done] == [0], done[0].stderr
    assert ended(shell, task["id"])["summary"] == "Done: Count."


# cron


def lines() -> list[str]:
    """The commands of the crontab's lines."""
    written = (EXAMPLES / "cron" / "crontab").read_text(encoding="utf-8").splitlines()
    return [each.split(None, 5)[5] for each in written if re.match(r"[\d*]", each)]


def test_the_cron_lines_do_what_they_say(
    server: RunningServer, person: Person, tmp_path: Path, curl: str
) -> None:
    shell = new_shell(server, "Cron")
    with shell.client() as client:
        due = client.create_task("Report", "Count.", "event")
        look = client.create_task("Look into it", "Why?", "event")
    person.call_trigger(str(due["trigger_id"]), {})
    (tmp_path / "nod.env").write_text(
        f"export NOD_API_URL={shell.url} NOD_AGENT_ID={shell.agent_id} NOD_SECRET={shell.secret}\n"
        f"export NOD_TRIGGER={shell.url}/api/webhooks/{look['trigger_id']}\n"
    )
    programs = {"my-agent": "echo Done: $(cat)", "backup": "echo 12 GB", "rotate": "exit 3"}
    for name, script in programs.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    folders = [str(tmp_path), curl, str(Path(sys.executable).parent), os.environ["PATH"]]
    environ = {
        "PATH": os.pathsep.join(folders),
        "HOME": str(tmp_path),
        "XDG_STATE_HOME": str(tmp_path),
        "NOD_ENV": "nod.env",
    }
    for each in lines():
        subprocess.run(["sh", "-c", each], env=environ, check=True, timeout=60)
    assert ended(shell, due["id"])["summary"] == "Done: Count."
    with shell.client() as client:
        assert len(list(client.runs(look["id"]))) == 1
    known = person.http.get("/api/conversations").json()
    (mine,) = [each["id"] for each in known if each["agent_id"] == shell.agent_id]
    said = person.http.get(f"/api/conversations/{mine}/messages").json()
    assert "12 GB" in [each["text"].strip() for each in said if each["text"]]


# the skill

SKILL = EXAMPLES / "skill" / "nod" / "SKILL.md"


def test_the_skill_is_one_by_its_specification() -> None:
    """https://agentskills.io/specification: names, lengths, and the name of its folder."""
    _, front, body = SKILL.read_text(encoding="utf-8").split("---\n", 2)
    about = yaml.safe_load(front)
    assert about["name"] == SKILL.parent.name
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", about["name"])
    assert len(about["description"]) <= 1024
    assert len(about["compatibility"]) <= 500
    assert set(about) <= {"name", "description", "license", "compatibility", "metadata"}
    assert len(body.splitlines()) < 500


def test_what_the_skill_teaches_works(server: RunningServer, person: Person, curl: str) -> None:
    shell = new_shell(server, "Skilled")
    with shell.client() as client:
        task = client.create_task("Report", "Count.", "event")
        person.call_trigger(str(task["trigger_id"]), {})
        (event,) = client.events()
        person_answers = threading.Thread(
            target=lambda: person.answer(person.next_question(shell.agent_id), "approved")
        )
        person_answers.start()
        shown = [each.code for each in blocks(SKILL) if each.language == "sh"]
        path = os.pathsep.join([curl, str(Path(sys.executable).parent), os.environ["PATH"]])
        own = {"PATH": path, "RUN": event["run_id"], "EVENT": event["event_id"]}
        # The first is the other way of doing it, by a command.
        done = subprocess.run(
            ["sh", "-eu", "-c", "".join(shown[1:])],
            env=shell.environ(own),
            capture_output=True,
            text=True,
            timeout=60,
        )
        person_answers.join()
        assert done.returncode == 0, done.stdout + done.stderr
        assert ended(shell, task["id"])["status"] == "completed"
        assert [each["type"] for each in client.events()] == ["decision_resolved"]
        assert {each["name"] for each in client.tasks()} >= {"Weekly report", "Check the deploy"}


def test_every_call_of_the_skill_exists(server: RunningServer) -> None:
    paths = set(re.findall(r"\$NOD_API_URL(/[^\"?]*)", SKILL.read_text(encoding="utf-8")))
    known = httpx.get(f"{server.url}/api/docs/openapi.json").json()["paths"]
    for each in paths:
        shape = re.sub(r"\$[A-Z]+", "{}", each)
        assert shape in {re.sub(r"\{[^}]*\}", "{}", path) for path in known}, each
