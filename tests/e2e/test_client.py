"""The SDK against a real server over real sockets."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from nod import (
    Agent,
    AsyncClient,
    AuthError,
    BadRequest,
    Client,
    Conflict,
    NotFound,
)
from nod.client import agent as agent_module
from nod.client.types import Event
from support.cli import Person, Shell, soon
from support.server import RunningServer


@pytest.fixture
async def agent(shell: Shell) -> AsyncIterator[Agent]:
    async with Agent(shell.url, shell.agent_id, shell.secret) as agent:
        yield agent


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent_module, "FIRST_BACKOFF_S", 0.01)
    monkeypatch.setattr(agent_module, "LONGEST_BACKOFF_S", 0.1)


async def next_event(agent: Agent) -> Event:
    async with asyncio.timeout(30):
        async for event in agent.events():
            return event
    raise AssertionError("the events ended")


def test_a_task_lives_from_its_making_to_its_end(client: Client) -> None:
    task = client.create_task("Standup", "Do it", "0 9 * * 1-5", timezone="Europe/Berlin")
    assert client.tasks() == [client.task(task["id"])]
    assert client.update_task(task["id"], name="Daily")["name"] == "Daily"
    paused = client.pause_task(task["id"], "holidays")
    assert (paused["enabled"], paused["pause_reason"]) == (False, "holidays")
    assert client.resume_task(task["id"])["enabled"]
    assert "why" in client.why(task["id"], "2025-09-01T09:00:00Z")
    client.delete_task(task["id"])
    with pytest.raises(NotFound):
        client.task(task["id"])
    with pytest.raises(BadRequest, match="cron"):
        client.create_task("Bad", "x", "every day")


def test_a_trigger_can_be_rotated(client: Client) -> None:
    task = client.create_task("Push", "Look", "event")
    assert client.rotate_trigger(task["id"])["trigger_id"] != task["trigger_id"]


def test_a_run_lives_from_its_start_to_its_result(client: Client) -> None:
    task = client.create_task("Standup", "Do it", "@daily")
    run_id = client.start_run(task["id"])["run_id"]
    assert client.add_context(run_id, "step one")["block_id"] == 1
    assert [block["text"] for block in client.context(run_id)["blocks"]] == ["step one"]
    client.put_output(run_id, "# Report")
    done = client.complete_run(run_id, summary="short", usage={"input_tokens": 5})
    assert done == {"status": "completed", "run_id": run_id}
    assert client.complete_run(run_id, summary="again") == done
    with pytest.raises(Conflict):
        client.complete_run(run_id, "failed")
    assert client.run(run_id)["summary"] == "# Report"
    assert [run["id"] for run in client.runs(task["id"])] == [run_id]


def test_runs_are_read_page_after_page(client: Client) -> None:
    task = client.create_task("Standup", "Do it", "@daily")
    made = []
    for _ in range(3):
        made.append(client.start_run(task["id"])["run_id"])
        client.complete_run(made[-1])
    page = client.runs_page(task["id"], limit=2)
    assert page.next_cursor is not None
    rest = client.runs_page(task["id"], limit=2, cursor=page.next_cursor)
    assert sorted(run["id"] for run in [*page.items, *rest.items]) == sorted(made)


def test_a_schedule_is_explained(client: Client) -> None:
    preview = client.preview_schedule("0 9 * * *", start="2025-09-01T00:00:00Z", count=1)
    assert preview["next"] == ["2025-09-01T09:00:00Z"]


def test_what_an_agent_says_is_taken(client: Client) -> None:
    assert client.message("**hello**")["message_id"]
    proposed = client.propose_task("A task?", "Standup", "Do it", "@daily")
    assert client.decision(proposed["decision_id"])["status"] == "pending"
    for sent in (
        client.alert("Disk full", "98 %"),
        client.processing_start(status_text="Reading"),
        client.processing_stop(),
    ):
        assert sent["status"] == "ok"


async def test_a_question_is_answered_while_the_agent_waits(shell: Shell, person: Person) -> None:
    async with AsyncClient(shell.url, shell.agent_id, shell.secret) as client:
        decision_id = (await client.ask("Deploy?"))["decision_id"]
        waiting = asyncio.create_task(client.wait_for(decision_id, timeout_s=30))
        await asyncio.to_thread(person.answer, decision_id, "approved", note="go")
        decision = await waiting
    assert (decision["status"], decision["note"]) == ("approved", "go")


async def test_the_answer_comes_as_an_event_too(agent: Agent, person: Person) -> None:
    await agent.wait_connected()
    decision_id = (await agent.client.ask("Deploy?"))["decision_id"]
    await asyncio.to_thread(person.answer, decision_id, "rejected")
    event = await next_event(agent)
    assert (event["type"], event["decision_id"]) == ("decision_resolved", decision_id)
    assert event["status"] == "rejected"


async def test_a_due_task_reaches_the_agent_and_counts_as_delivered(agent: Agent) -> None:
    await agent.wait_connected()
    task = await agent.client.create_task("Standup", "Do it", "once", run_at=soon())
    event = await next_event(agent)
    assert (event["type"], event["task_id"], event["task_prompt"]) == (
        "task_due",
        task["id"],
        "Do it",
    )
    await agent.heartbeat(event["run_id"], status_text="Working")
    await agent.client.complete_run(event["run_id"], summary="Done")
    run = await agent.client.run(event["run_id"])
    assert (run["status"], run["delivery"]) == ("completed", "delivered")


async def test_what_came_while_the_agent_was_away_waits_for_it(shell: Shell) -> None:
    async with AsyncClient(shell.url, shell.agent_id, shell.secret) as client:
        task = await client.create_task("Standup", "Do it", "once", run_at=soon())
        (event,) = await client.events(wait_s=30)
        assert [due["id"] for due in await client.due_tasks()] == [task["id"]]
        async with Agent(shell.url, shell.agent_id, shell.secret) as agent:
            assert (await next_event(agent))["event_id"] == event["event_id"]


async def test_a_call_from_outside_waits_to_be_polled(shell: Shell, person: Person) -> None:
    async with AsyncClient(shell.url, shell.agent_id, shell.secret) as client:
        task = await client.create_task("Push", "Look", "event")
        trigger_id = task["trigger_id"]
        assert trigger_id
        await asyncio.to_thread(person.call_trigger, trigger_id, {"ref": "main"})
        (pending,) = await client.pending_triggers()
        assert pending["payload"] == {"ref": "main"}
        await client.ack_event(pending["id"])


async def test_behind_a_proxy_that_blocks_upgrades_nothing_is_lost(shell: Shell) -> None:
    async with _proxy(shell.url) as url, Agent(url, shell.agent_id, shell.secret) as agent:
        await agent.client.create_task("Standup", "Do it", "once", run_at=soon())
        event = await next_event(agent)
        assert event["type"] == "task_due"
        assert not agent.connected
        await agent.heartbeat(event["run_id"])
        assert (await agent.client.run(event["run_id"]))["status"] == "running"


async def test_the_agent_outlasts_a_killed_server(tmp_path_factory: pytest.TempPathFactory) -> None:
    server = RunningServer(tmp_path_factory.mktemp("killed")).start()
    made = await server.add_agent()
    try:
        async with Agent(server.url, made.agent.id, made.secret) as agent:
            await agent.wait_connected()
            await agent.client.create_task("Standup", "Do it", "once", run_at=soon(2))
            server.kill()
            await asyncio.to_thread(server.start)
            assert (await next_event(agent))["type"] == "task_due"
    finally:
        server.stop()


async def test_a_wrong_secret_ends_the_agent_with_the_reason(shell: Shell) -> None:
    async with Agent(shell.url, shell.agent_id, "nod_wrong") as agent:
        with pytest.raises(AuthError, match="NOD_SECRET"):
            await next_event(agent)
    async with Agent(shell.url, "agt_nobody", shell.secret) as agent:
        with pytest.raises(AuthError, match="NOD_AGENT_ID"):
            await next_event(agent)


class _proxy:  # noqa: N801 - used like a function
    """A proxy in front of the server that passes requests on and refuses upgrades."""

    def __init__(self, target: str) -> None:
        self._host, _, port = target.removeprefix("http://").partition(":")
        self._port = int(port)

    async def __aenter__(self) -> str:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if b"upgrade: websocket" in head.lower():
            writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            writer.close()
            return
        behind, before = await asyncio.open_connection(self._host, self._port)
        before.write(head)
        async with asyncio.TaskGroup() as both:
            both.create_task(_pass_on(reader, before))
            both.create_task(_pass_on(behind, writer))


async def _pass_on(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(65_536):
            target.write(data)
            await target.drain()
    except ConnectionError:
        return
    finally:
        target.close()
