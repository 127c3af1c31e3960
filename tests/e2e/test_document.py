"""The original document, played in its order by plain tools against a real `nod serve`.

Each example of the document stands here as it was published. What the server answers has every
field of the example, with the same JSON type; ids have their prefix; times end in Z.
"""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from nod.actions.agents import Credentials
from support.person import token_of_first_person
from support.plain import Answer, WebSocket, call
from support.server import RunningServer

# The document's examples, word for word.
TASK_DUE = {
    "type": "task_due",
    "task_id": "tsk_abc123",
    "run_id": "run_xyz789",
    "task_name": "Daily standup summary",
    "task_prompt": "Summarize yesterday's git commits.",
    "schedule": "0 9 * * 1-5",
}
DUE_TASK = {
    "id": "tsk_abc123",
    "name": "Daily standup summary",
    "prompt": "Summarize yesterday's git commits.",
    "schedule": "0 9 * * 1-5",
    "trigger_type": "scheduled",
    "enabled": True,
}
PENDING_TRIGGER = {
    "id": "evt_abc123",
    "task_id": "tsk_xyz",
    "task_name": "Process push",
    "task_prompt": "Analyze the push event.",
    "payload": {"ref": "refs/heads/main"},
    "run_id": "run_abc123",
    "received_at": "2025-09-01T10:30:00Z",
}
RUN_STARTED = {"run_id": "run_abc123"}
COMPLETION = {
    "status": "completed",
    "summary": "## Daily Summary\n\n- **12 commits** across 3 PRs\n- 2 issues closed",
}
COMPLETED = {"status": "completed", "run_id": "run_abc123"}
RUN = {
    "id": "run_abc123",
    "task_id": "tsk_abc123",
    "agent_id": "agt_abc123",
    "status": "completed",
    "summary": "# Daily Standup Summary\n\n## PRs Merged\n- Fix login bug (#234)...",
    "started_at": "2025-09-01T09:00:00Z",
    "finished_at": "2025-09-01T09:02:30Z",
}
SCHEDULED_TASK = {
    "id": "tsk_abc123",
    "name": "Daily standup",
    "prompt": "Summarize git activity.",
    "schedule": "0 9 * * 1-5",
    "trigger_type": "scheduled",
    "next_run_at": "2025-09-02T09:00:00Z",
    "last_run_status": "completed",
    "enabled": True,
}
EVENT_TASK = {
    "id": "tsk_xyz",
    "name": "Process push",
    "prompt": "Analyze the push event.",
    "schedule": "event",
    "trigger_type": "event",
    "trigger_id": "a1b2c3d4...64chars",
    "enabled": True,
}
NEW_TASK = {
    "name": "Health check",
    "prompt": "Run the test suite and report failures.",
    "schedule": "0 */6 * * *",
}
TASK_CREATED = {
    "id": "tsk_new123",
    "name": "Health check",
    "schedule": "0 */6 * * *",
    "trigger_type": "scheduled",
    "next_run_at": "2025-09-01T18:00:00Z",
    "enabled": True,
}
TASK_TRIGGER = {
    "type": "task_trigger",
    "task_id": "tsk_xyz",
    "run_id": "run_abc123",
    "task_name": "Process push",
    "task_prompt": "Analyze the push event.",
    "payload": {"ref": "refs/heads/main", "commits": [{"message": "Fix login bug"}]},
}
CONTEXT_TEXT = "Fetched daily goals: stand-up 9am, review PRs, ship invoice module"
CONTEXT_ADDED = {"status": "ok", "block_id": 1}
BLOCK = {"id": 1, "text": "Fetched daily goals: ...", "created_at": "2025-09-01T09:00:05Z"}
CONTEXT = {"run_id": "run_abc123", "blocks": [BLOCK]}
CRON_EXAMPLES = ["0 9 * * 1-5", "0 */6 * * *", "30 8 * * 1", "*/15 * * * *"]

_ID = re.compile(r"(agt|tsk|run|evt|dec|msg|conv)_\w+")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def assert_like(found: Any, example: Any, where: str = "$") -> None:
    """`found` has all that the example has: fields, types, kinds of ids, times in UTC."""
    assert type(found) is type(example), f"{where}: {found!r} is not as {example!r}"
    if isinstance(example, dict):
        for name, value in example.items():
            assert name in found, f"{where}.{name} is not there"
            if name != "payload":
                assert_like(found[name], value, f"{where}.{name}")
    elif isinstance(example, list):
        for each in found:
            assert_like(each, example[0], f"{where}[]")
    elif isinstance(example, str):
        if prefix := _ID.fullmatch(example):
            assert re.fullmatch(rf"{prefix[1]}_[0-9a-f]{{16,}}", found), f"{where}: {found}"
        if _TIME.fullmatch(example):
            assert _TIME.fullmatch(found), f"{where}: {found}"


class Agent:
    """An agent that has read the document and nothing else."""

    def __init__(self, server: RunningServer, who: Credentials) -> None:
        self.id = who.agent.id
        self.secret = who.secret
        self._server = server

    def call(self, method: str, path: str, body: object | None = None) -> Answer:
        headers = {"X-Nod-Agent-Id": self.id, "X-Nod-Secret": self.secret}
        return call(method, f"{self._server.url}/api/agent/tasks{path}", headers, body)

    def does(self, method: str, path: str, body: object | None = None) -> Any:
        """What the call answers; it has to succeed."""
        answer = self.call(method, path, body)
        assert answer.status == 200, answer
        return answer.body

    def connect(self) -> WebSocket:
        socket = WebSocket(f"{self._server.ws_url}/ws/agent/{self.id}")
        socket.send({"type": "auth", "secret": self.secret})
        assert socket.receive() == {"type": "auth_ok", "agent_id": self.id}
        return socket

    def fires(self, url: str, payload: object) -> Answer:
        """Somebody calls a trigger."""
        return call("POST", f"{self._server.url}/api/webhooks/{url}", {}, payload)

    def once(self, after_s: float = 1) -> dict[str, Any]:
        """A one-time task that is due in a moment: nobody waits for nine o'clock here."""
        at = datetime.now(UTC) + timedelta(seconds=after_s)
        body = {
            "name": TASK_DUE["task_name"],
            "prompt": TASK_DUE["task_prompt"],
            "schedule": "once",
            "run_at": at.isoformat(),
        }
        made: dict[str, Any] = self.does("POST", "", body)
        return made

    def until_due(self) -> list[Any]:
        """What polling for due tasks finds once it finds something."""
        end = datetime.now(UTC) + timedelta(seconds=20)
        while datetime.now(UTC) < end:
            if found := self.does("GET", "/due"):
                return list(found)
        raise AssertionError("nothing became due")


@pytest.fixture
def agent(server: RunningServer) -> Agent:
    return Agent(server, asyncio.run(server.add_agent()))


def test_creating_and_listing_tasks(agent: Agent) -> None:
    assert agent.does("GET", "") == []
    created = agent.does("POST", "", NEW_TASK)
    assert_like(created, TASK_CREATED)
    assert {name: created[name] for name in NEW_TASK} == NEW_TASK
    assert int(created["next_run_at"][11:13]) % 6 == 0
    assert created["next_run_at"].endswith(":00:00Z")
    event = agent.does("POST", "", {name: EVENT_TASK[name] for name in NEW_TASK})
    assert_like(event, EVENT_TASK)
    assert re.fullmatch("[0-9a-f]{64}", event["trigger_id"])
    assert {name: event[name] for name in ("name", "prompt", "schedule", "trigger_type")} == {
        name: EVENT_TASK[name] for name in ("name", "prompt", "schedule", "trigger_type")
    }
    run = agent.does("POST", f"/{created['id']}/run/start")["run_id"]
    agent.does("POST", f"/runs/{run}/complete", COMPLETION)
    listed = agent.does("GET", "")
    assert [task["id"] for task in listed] == [created["id"], event["id"]]
    assert_like(listed[0], SCHEDULED_TASK)
    assert_like(listed[1], EVENT_TASK)
    assert listed[0]["last_run_status"] == "completed"


@pytest.mark.parametrize("schedule", CRON_EXAMPLES)
def test_the_cron_examples_are_schedules(agent: Agent, schedule: str) -> None:
    created = agent.does("POST", "", {**NEW_TASK, "schedule": schedule})
    assert_like(created, {**TASK_CREATED, "schedule": schedule})
    assert created["schedule"] == schedule


def test_a_task_that_is_due_is_pushed_executed_and_completed(
    agent: Agent, server: RunningServer
) -> None:
    socket = agent.connect()
    task = agent.once()
    due = socket.receive()
    assert_like(due, TASK_DUE)
    assert {name: due[name] for name in TASK_DUE if name != "run_id"} == {
        "type": "task_due",
        "task_id": task["id"],
        "task_name": TASK_DUE["task_name"],
        "task_prompt": TASK_DUE["task_prompt"],
        "schedule": "once",
    }
    run = f"/runs/{due['run_id']}"

    # The scratchpad.
    added = agent.does("POST", f"{run}/context", {"run_id": due["run_id"], "text": CONTEXT_TEXT})
    assert added == CONTEXT_ADDED
    second = {"run_id": due["run_id"], "text": "User selected: review PRs first"}
    assert agent.does("POST", f"{run}/context", second) == {"status": "ok", "block_id": 2}
    context = agent.does("GET", f"{run}/context")
    assert_like(context, CONTEXT)
    assert context["run_id"] == due["run_id"]
    assert [(block["id"], block["text"]) for block in context["blocks"]] == [
        (1, CONTEXT_TEXT),
        (2, second["text"]),
    ]

    # The result.
    done = agent.does("POST", f"{run}/complete", COMPLETION)
    assert_like(done, COMPLETED)
    assert done == {"status": "completed", "run_id": due["run_id"]}
    found = agent.does("GET", run)
    assert_like(found, RUN)
    assert (found["id"], found["task_id"], found["agent_id"], found["summary"]) == (
        due["run_id"],
        task["id"],
        agent.id,
        COMPLETION["summary"],
    )

    # The scratchpad is cleared, and the person has a bubble in the chat without another call.
    assert agent.does("GET", f"{run}/context") == {"run_id": due["run_id"], "blocks": []}
    (bubble,) = chat_of_first_person(server, agent)
    assert (bubble["kind"], bubble["task_run_id"], bubble["text"]) == (
        "task",
        due["run_id"],
        COMPLETION["summary"],
    )
    socket.close()


def chat_of_first_person(server: RunningServer, agent: Agent) -> list[dict[str, Any]]:
    """The agent's messages that the first account sees, over the API of people."""
    token = asyncio.run(token_of_first_person(server))
    headers = {"Authorization": f"Bearer {token}"}
    found = call("GET", f"{server.url}/api/conversations", headers).body
    (conversation,) = [each for each in found if each["agent_id"] == agent.id]
    url = f"{server.url}/api/conversations/{conversation['id']}/messages"
    messages: list[dict[str, Any]] = call("GET", url, headers).body
    return messages


def test_polling_finds_what_is_due_and_starting_takes_it_up(agent: Agent) -> None:
    assert agent.does("GET", "/due") == []
    task = agent.once()
    (due,) = agent.until_due()
    assert_like(due, DUE_TASK)
    assert (due["id"], due["name"], due["prompt"]) == (
        task["id"],
        DUE_TASK["name"],
        DUE_TASK["prompt"],
    )
    started = agent.does("POST", f"/{task['id']}/run/start")
    assert_like(started, RUN_STARTED)
    assert agent.does("GET", "/due") == []
    run = f"/runs/{started['run_id']}"
    assert agent.does("GET", run)["status"] == "running"
    failed = agent.does("POST", f"{run}/complete", {"status": "failed", "summary": "No disk."})
    assert failed == {"status": "failed", "run_id": started["run_id"]}


def test_a_trigger_that_fires_while_the_agent_is_away_waits_for_it(agent: Agent) -> None:
    task = agent.does("POST", "", {name: EVENT_TASK[name] for name in NEW_TASK})
    assert agent.does("GET", "/triggers/pending") == []
    fired = agent.fires(task["trigger_id"], PENDING_TRIGGER["payload"])
    assert fired.status == 202
    (pending,) = agent.does("GET", "/triggers/pending")
    assert_like(pending, PENDING_TRIGGER)
    assert {name: pending[name] for name in PENDING_TRIGGER if name != "received_at"} == {
        "id": fired.body["event_id"],
        "task_id": task["id"],
        "task_name": PENDING_TRIGGER["task_name"],
        "task_prompt": PENDING_TRIGGER["task_prompt"],
        "payload": PENDING_TRIGGER["payload"],
        "run_id": fired.body["run_id"],
    }
    done = agent.does("POST", f"/runs/{pending['run_id']}/complete", COMPLETION)
    assert done == {"status": "completed", "run_id": pending["run_id"]}


def test_a_trigger_that_fires_while_the_agent_is_connected_is_pushed_at_once(
    agent: Agent,
) -> None:
    task = agent.does("POST", "", {name: EVENT_TASK[name] for name in NEW_TASK})
    socket = agent.connect()
    fired = agent.fires(task["trigger_id"], TASK_TRIGGER["payload"])
    pushed = socket.receive()
    assert_like(pushed, TASK_TRIGGER)
    assert {name: pushed[name] for name in TASK_TRIGGER} == {
        "type": "task_trigger",
        "task_id": task["id"],
        "run_id": fired.body["run_id"],
        "task_name": TASK_TRIGGER["task_name"],
        "task_prompt": TASK_TRIGGER["task_prompt"],
        "payload": TASK_TRIGGER["payload"],
    }
    agent.does("POST", f"/runs/{pushed['run_id']}/complete", COMPLETION)
    assert agent.does("GET", "/triggers/pending") == []
    socket.close()


@pytest.mark.parametrize(
    ("first", "code"),
    [
        ({"type": "ping"}, 4001),
        ({"type": "auth", "secret": "nod_" + "0" * 40}, 4003),
    ],
)
def test_a_socket_that_does_not_prove_who_it_is_is_closed(
    agent: Agent, server: RunningServer, first: object, code: int
) -> None:
    socket = WebSocket(f"{server.ws_url}/ws/agent/{agent.id}")
    socket.send(first)
    assert socket.close_code() == code
    socket.close()


def test_a_socket_of_no_agent_is_closed(agent: Agent, server: RunningServer) -> None:
    socket = WebSocket(f"{server.ws_url}/ws/agent/agt_0000000000000000")
    socket.send({"type": "auth", "secret": agent.secret})
    assert socket.close_code() == 4004
    socket.close()


def test_credentials_have_the_form_of_the_document(agent: Agent) -> None:
    assert re.fullmatch("agt_[0-9a-f]{16}", agent.id)
    assert re.fullmatch("nod_[0-9a-f]{40}", agent.secret)
    agent.secret = "nod_" + "0" * 40
    answer = agent.call("GET", "")
    assert answer.status == 401
    assert list(answer.body) == ["detail"]
