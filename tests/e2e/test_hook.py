"""`nod hook pretooluse` as Claude Code calls it: https://code.claude.com/docs/en/hooks#pretooluse."""

import json
import subprocess
import threading
from datetime import datetime
from typing import Any

import pytest

from nod.cli.hook import verdict_of
from support.cli import Person, Shell

ASKED = {
    "session_id": "3f0c6a52",
    "transcript_path": "/tmp/transcript.jsonl",
    "cwd": "/home/ann/site",
    "permission_mode": "default",
    "hook_event_name": "PreToolUse",
    "tool_name": "Bash",
    "tool_input": {"command": "git push origin main", "description": "Publish"},
    "tool_use_id": "toolu_1",
}


class Asking:
    """The hook, waiting for the person."""

    def __init__(self, shell: Shell, *options: str, **more: object) -> None:
        self.done: subprocess.CompletedProcess[str] | None = None
        text = json.dumps({**ASKED, **more})
        self._thread = threading.Thread(target=self._run, args=(shell, text, options))
        self._thread.start()

    def _run(self, shell: Shell, text: str, options: tuple[str, ...]) -> None:
        self.done = shell.run("hook", "pretooluse", *options, stdin=text)

    def decided(self) -> tuple[str, str]:
        self._thread.join()
        assert self.done is not None
        return decision_in(self.done)


def decision_in(done: "subprocess.CompletedProcess[str]") -> tuple[str, str]:
    assert done.returncode == 0, done.stderr
    output: dict[str, Any] = json.loads(done.stdout)["hookSpecificOutput"]
    assert output["hookEventName"] == "PreToolUse"
    return output["permissionDecision"], output["permissionDecisionReason"]


@pytest.mark.parametrize(
    ("status", "verdict", "reason"),
    [
        ("approved", "allow", "Your person allows this: go on"),
        ("rejected", "deny", "Your person does not allow this: go on"),
    ],
)
def test_the_persons_word_decides(
    status: str, verdict: str, reason: str, shell: Shell, person: Person
) -> None:
    asking = Asking(shell)
    decision_id = person.next_question(shell.agent_id)
    shown = person.http.get(f"/api/decisions/{decision_id}").json()
    assert (shown["kind"], shown["title"]) == ("permission", "Bash: git push origin main")
    assert "```\ngit push origin main\n```" in shown["description"]
    person.answer(decision_id, status, note="go on")
    assert asking.decided() == (verdict, reason)


def test_what_is_allowed_for_good_is_not_asked_again(shell: Shell, person: Person) -> None:
    asking = Asking(shell)
    decision_id = person.next_question(shell.agent_id)
    pattern = "Bash(git push:*)"
    person.answer(decision_id, "approved", always_allow=True, always_allow_pattern=pattern)
    assert asking.decided() == ("allow", "Your person allows this always")
    again = Asking(shell, tool_input={"command": "git push --tags"})
    assert again.decided()[0] == "allow"
    hidden = Asking(shell, tool_input={"command": "git push; rm -rf /"})
    person.answer(person.next_question(shell.agent_id), "rejected")
    assert hidden.decided()[0] == "deny"


@pytest.mark.parametrize(
    ("status", "said"),
    [("expired", "Nobody answered in time. That is no refusal"), ("dismissed", "lost its object")],
)
def test_silence_is_no_consent(status: str, said: str) -> None:
    verdict, reason = verdict_of({"id": "dec_1", "status": status, "note": None})
    assert verdict == "deny"
    assert said in reason


def test_a_request_can_expire_sooner(shell: Shell, person: Person) -> None:
    asking = Asking(shell, "--expires", "120")
    decision_id = person.next_question(shell.agent_id)
    shown = person.http.get(f"/api/decisions/{decision_id}").json()
    made, ends = (datetime.fromisoformat(shown[each]) for each in ("created_at", "expires_at"))
    assert (ends - made).total_seconds() == 120
    person.answer(decision_id, "rejected")
    assert asking.decided()[0] == "deny"


def test_it_belongs_to_the_run_it_is_called_in(shell: Shell, person: Person) -> None:
    with shell.client() as client:
        task = client.create_task("Deploy", "Deploy", "event")
        run_id = client.start_run(task["id"])["run_id"]
        asking = Asking(shell, "--run", run_id)
        decision_id = person.next_question(shell.agent_id)
        assert client.run(run_id)["status"] == "waiting"
        person.answer(decision_id, "approved")
        assert asking.decided()[0] == "allow"
        assert client.run(run_id)["status"] == "running"


@pytest.mark.parametrize(
    "environment",
    [{"NOD_API_URL": "http://127.0.0.1:1"}, {"NOD_SECRET": "nod_wrong"}, {"NOD_SECRET": ""}],
)
def test_where_nod_cannot_be_asked_the_program_asks(
    environment: dict[str, str], shell: Shell
) -> None:
    done = shell.run("hook", "pretooluse", stdin=json.dumps(ASKED), **environment)
    verdict, reason = decision_in(done)
    assert verdict == "ask"
    assert "Nod could not be asked" in reason


@pytest.mark.parametrize(("mode", "tool"), [("bypassPermissions", "Bash"), ("acceptEdits", "Edit")])
def test_what_its_mode_allows_is_left_to_the_program(mode: str, tool: str, shell: Shell) -> None:
    text = json.dumps({**ASKED, "permission_mode": mode, "tool_name": tool})
    done = shell.run("hook", "pretooluse", stdin=text)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("text", ["", "[]", '{"tool_name": 1}'])
def test_what_is_no_hooks_input_blocks_the_tool(text: str, shell: Shell) -> None:
    """Exit status 2 is how a hook says no without JSON."""
    assert shell.run("hook", "pretooluse", stdin=text).returncode == 2
