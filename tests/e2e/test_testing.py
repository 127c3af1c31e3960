"""What the package gives to the tests of those who write agents."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest

from nod import Agent, AuthError, BlockingRun, Message, Run
from nod.testing import NodServer, server

MONDAY_8 = datetime(2026, 3, 2, 8, tzinfo=UTC)


@pytest.fixture
def nod() -> Iterator[NodServer]:
    with server(MONDAY_8) as nod:
        yield nod


def test_a_handler_is_tried_with_its_question(nod: NodServer) -> None:
    agent = Agent()

    @agent.task("Deploy")
    async def deploy(run: Run) -> str:
        where = await run.ask("Where?", options=["here", "there"])
        return f"{where.note} {(await run.ask('Sure?')).status} {run.payload}"

    with nod.working(agent):
        run_id = nod.call("Deploy", {"version": "1.4"})
        asked = nod.answer("responded", "there")
        assert (asked.title, asked.options, asked.run_id) == ("Where?", ["here", "there"], run_id)
        nod.answer(title="Sure?")
        assert nod.result(run_id)["summary"] == "there approved {'version': '1.4'}"


def test_time_passes_when_the_test_says_so(nod: NodServer) -> None:
    agent, done = Agent(), list[str]()

    @agent.task("Daily summary")
    def summary(run: BlockingRun) -> str:
        done.append(run.id)
        return "It is written."

    task = nod.client.create_task("Daily summary", "Write it.", "0 9 * * *", timezone="UTC")
    with nod.working(agent):
        nod.advance(minutes=59)
        assert list(nod.client.runs(task["id"])) == []
        for day in range(1, 4):
            nod.advance(days=1)
            found = list(nod.client.runs(task["id"]))
            assert len(found) == day
            assert nod.result(found[0]["id"])["scheduled_for"] == f"2026-03-0{day + 1}T09:00:00Z"
    assert nod.now().date() == datetime(2026, 3, 5, tzinfo=UTC).date()


def test_whatever_fires_on_the_way_fires_at_its_time(nod: NodServer) -> None:
    task = nod.client.create_task("Hourly", "Do it.", "@hourly", overlap="allow")
    nod.advance(hours=5)
    runs = list(nod.client.runs(task["id"]))
    times = [run["scheduled_for"] for run in runs]
    assert times == [f"2026-03-02T{hour:02}:00:00Z" for hour in range(13, 8, -1)]
    assert {run["status"] for run in runs} == {"pending"}


def test_a_question_nobody_answers_expires_in_no_time(nod: NodServer) -> None:
    asked = nod.client.ask("Deploy?")["decision_id"]
    nod.advance(hours=73)
    assert nod.client.wait_for(asked, timeout_s=10)["status"] == "expired"


def test_a_message_is_replied_to(nod: NodServer) -> None:
    agent = Agent()

    @agent.on_message
    def chat(message: Message) -> str:
        return f"You wrote {message.text}"

    with nod.working(agent):
        assert nod.say("this") == "You wrote this"
        assert nod.say("that") == "You wrote that"


def test_webhooks_come_to_a_receiver_that_verifies_them(nod: NodServer) -> None:
    nod.advance(days=3)
    with nod.receiving() as receiver:
        run_id = nod.call("Push", {"ref": "main"})
        event = receiver.event("task_trigger")
        assert (event["run_id"], event["payload"]) == (run_id, {"ref": "main"})
        assert receiver.calls[0].headers["x-nod-retry-num"] == "0"
        forged = httpx.post(receiver.url, json={"type": "task_due"})
        assert (forged.status_code, len(receiver.refused), len(receiver.calls)) == (401, 1, 1)
        with pytest.raises(TimeoutError, match="no user_message"):
            receiver.event("user_message", timeout_s=0.01)


def test_what_does_not_come_about_is_said_in_time(nod: NodServer) -> None:
    with pytest.raises(TimeoutError):
        nod.question(timeout_s=0.01)
    with pytest.raises(TimeoutError):
        nod.result(nod.call("Nobody does it"), timeout_s=0.01)


def test_an_agent_that_is_refused_fails_the_test(nod: NodServer) -> None:
    nod.secret = "nod_wrong"
    with pytest.raises(AuthError), nod.working(Agent()):
        nod.say("Are you there?", timeout_s=0.1)


def test_two_servers_know_nothing_of_each_other(nod: NodServer) -> None:
    nod.client.create_task("Here", "Do it.", "@daily")
    with server() as other:
        assert other.client.tasks() == []
        assert other.environ["NOD_API_URL"] != nod.environ["NOD_API_URL"]


def test_without_the_server_it_says_what_to_install() -> None:
    code = (
        "import sys\n"
        "sys.modules['litestar'] = None\n"
        "try:\n import nod.testing\n"
        "except ImportError as error:\n print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "pip install 'nod-tasks[server]'" in done.stdout, done.stderr
