"""Handlers of an agent against a real server: what they return, ask, and find after a restart."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from nod import Agent, Answer, BlockingRun, Client, Message, Run
from nod.client import agent as agent_module
from nod.client import conversation
from nod.client import run as run_module
from nod.client import serving as serving_module
from support.cli import Person, Shell, add_account
from support.inprocess import until
from support.server import RunningServer


@pytest.fixture
def agent(shell: Shell) -> Agent:
    return Agent(shell.url, shell.agent_id, shell.secret)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent_module, "FIRST_BACKOFF_S", 0.01)
    monkeypatch.setattr(agent_module, "LONGEST_BACKOFF_S", 0.1)
    monkeypatch.setattr(conversation, "LONGEST_DELAY_S", 0.1)
    monkeypatch.setattr(serving_module, "_HEARTBEAT_S", 0.02)
    monkeypatch.setattr(serving_module, "_REST_HEARTBEAT_S", 0.02)


@asynccontextmanager
async def serving(agent: Agent, concurrency: int = 4, grace_s: float = 10) -> AsyncIterator[None]:
    """The agent at work; stopped at the end, as a signal stops it."""
    serving = asyncio.create_task(agent.serve(concurrency=concurrency, grace_s=grace_s))
    try:
        yield
    finally:
        agent.stop()
        await serving


def fire(client: Client, person: Person, name: str = "Report", payload: object = None) -> str:
    """A new event task of that name that has been called; the id of its run."""
    wanted = {"name": name, "prompt": f"Do the {name}.", "schedule": "event"}
    made = person.http.post(f"/api/tasks/{client.settings.agent_id}", json=wanted)
    task = made.raise_for_status().json()
    person.call_trigger(str(task["trigger_id"]), payload or {})
    return next(client.runs(task["id"]))["id"]


async def ended(client: Client, run_id: str) -> dict[str, object]:
    """The run, once it is over."""

    def look() -> dict[str, object] | None:
        run = dict(client.run(run_id))
        return run if run["finished_at"] else None

    found: dict[str, object] = await until(lambda: asyncio.to_thread(look))
    return found


def question(person: Person, shell: Shell) -> str:
    return person.next_question(shell.agent_id)


async def test_what_a_handler_returns_completes_its_run(
    agent: Agent, client: Client, person: Person
) -> None:
    @agent.task("Greet")
    async def greet(run: Run) -> str:
        run.progress("Greeting")
        run.usage(input_tokens=3, cost_usd=0.5)
        return f"{run.task_name}: {run.prompt} {run.payload['name']} {run.trigger is not None}"

    @agent.task()
    def other(run: BlockingRun) -> None:
        run.output(f"# {run.task_name}")

    async with serving(agent):
        greeted = fire(client, person, "Greet", {"name": "Ann"})
        others = fire(client, person, "Anything")
        run = await ended(client, greeted)
        assert run["summary"] == "Greet: Do the Greet. Ann True"
        assert run["status"] == "completed"
        assert run["usage"] == {"input_tokens": 3, "output_tokens": None, "cost_usd": 0.5}
        assert (await ended(client, others))["summary"] == "# Anything"


async def test_long_text_is_kept_whole_and_its_first_lines_are_the_summary(
    agent: Agent, client: Client, person: Person
) -> None:
    lines = "\n".join(f"line {number}" for number in range(1000))

    @agent.task()
    async def report(run: Run) -> str:
        if run.task_name == "Both":
            run.output("# Before")
        return lines

    async with serving(agent):
        assert (await ended(client, fire(client, person)))["summary"] == lines
        both = await ended(client, fire(client, person, "Both"))
        assert both["summary"] == f"# Before\n\n{lines}"


async def test_an_error_fails_the_run_with_its_message_and_the_next_goes_on(
    agent: Agent, client: Client, person: Person
) -> None:
    @agent.task("Bad")
    def bad(run: BlockingRun) -> str:
        raise ValueError(f"{run.payload['disk']} is full")

    async with serving(agent):
        failed = await ended(client, fire(client, person, "Bad", {"disk": "the disk"}))
        assert (failed["status"], failed["error"]) == ("failed", "agent: the disk is full")
        nobody = await ended(client, fire(client, person, "Unknown"))
        assert "no handler for the task 'Unknown'" in str(nobody["error"])


@pytest.mark.parametrize("kind", ["async", "thread"])
async def test_a_handler_asks_and_goes_on_with_the_answer(
    kind: str, agent: Agent, client: Client, person: Person, shell: Shell
) -> None:
    async def deploy(run: Run) -> str:
        chosen = await run.ask("Where?", options=["here", "there"])
        go = await run.ask("Deploy?", description="1.4")
        return f"{chosen.note} {bool(chosen)} {bool(go)}"

    def blocking(run: BlockingRun) -> str:
        chosen = run.ask("Where?", options=["here", "there"])
        go = run.ask("Deploy?", description="1.4")
        return f"{chosen.note} {bool(chosen)} {bool(go)}"

    if kind == "async":
        agent.task()(deploy)
    else:
        agent.task()(blocking)
    async with serving(agent, concurrency=1):
        run_id = fire(client, person)
        where = await asyncio.to_thread(question, person, shell)
        assert client.run(run_id)["status"] == "waiting"
        person.answer(where, "responded", note="there")
        person.answer(await asyncio.to_thread(question, person, shell), "approved")
        assert (await ended(client, run_id))["summary"] == "there False True"


async def test_who_waits_for_a_person_keeps_no_other_run_from_its_turn(
    agent: Agent, client: Client, person: Person, shell: Shell
) -> None:
    @agent.task("Ask")
    async def ask(run: Run) -> str:
        return (await run.ask("Deploy?")).status

    @agent.task("Work")
    async def work(run: Run) -> str:
        return run.task_name

    async with serving(agent, concurrency=1):
        asking = fire(client, person, "Ask")
        asked = await asyncio.to_thread(question, person, shell)
        assert (await ended(client, fire(client, person, "Work")))["summary"] == "Work"
        person.answer(asked, "rejected")
        assert (await ended(client, asking))["summary"] == "rejected"


async def test_no_more_runs_than_allowed_are_worked_on_at_once(
    agent: Agent, client: Client, person: Person
) -> None:
    go, running, most = asyncio.Event(), 0, 0

    @agent.task()
    async def work(run: Run) -> str:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await go.wait()
        running -= 1
        return run.id

    async with serving(agent, concurrency=2):
        runs = [fire(client, person, f"Task {number}") for number in range(4)]
        await until(lambda: running == 2)
        go.set()
        assert [(await ended(client, each))["status"] for each in runs] == ["completed"] * 4
    assert most == 2


async def test_an_agent_that_is_back_asks_nothing_twice(
    agent: Agent, client: Client, person: Person, shell: Shell
) -> None:
    begun: list[list[str]] = []

    @agent.task("Deploy")
    async def deploy(run: Run) -> str:
        begun.append(list(run.context))
        if not run.context:
            await run.context.append("built")
        first = await run.ask("Sure?")
        second = await run.ask("Sure?")
        third = await run.ask("Now?", key="last")
        return f"{first.note} {second.note} {third.note} {run.payload['ref']}"

    ref = "x" * 100_000
    async with serving(agent):
        run_id = fire(client, person, "Deploy", {"ref": ref})
        person.answer(await asyncio.to_thread(question, person, shell), "approved", note="one")
        waiting = await asyncio.to_thread(question, person, shell)
    assert client.run(run_id)["status"] == "waiting"
    person.answer(waiting, "approved", note="two")
    async with serving(agent.copy(shell.url, shell.agent_id, shell.secret)):
        person.answer(await asyncio.to_thread(question, person, shell), "approved", note="three")
        assert (await ended(client, run_id))["summary"] == f"one two three {ref}"
    assert begun == [[], ["built"]]
    asked = person.http.get("/api/decisions").json()
    assert len([each for each in asked if each["agent_id"] == shell.agent_id]) == 3


_PROGRAM = """
from nod import Agent, BlockingRun
agent = Agent()

@agent.task()
def deploy(run: BlockingRun) -> str:
    print("begun", flush=True)
    return f"It is {run.ask('Deploy?').status}."

agent.run()
"""


def _start(shell: Shell) -> "subprocess.Popen[str]":
    code = [sys.executable, "-W", "error", "-c", _PROGRAM]
    environ = shell.environ({})
    return subprocess.Popen(code, env=environ, stdout=subprocess.PIPE, text=True)


async def test_a_program_that_is_killed_while_it_waits_finds_the_answer(
    client: Client, person: Person, shell: Shell
) -> None:
    run_id = fire(client, person)
    first = _start(shell)
    asked = question(person, shell)
    await until(lambda: any("asked" in b["text"] for b in client.context(run_id)["blocks"]))
    first.kill()
    assert first.communicate()[0] == "begun\n"
    person.answer(asked, "approved")
    second = _start(shell)
    assert (await ended(client, run_id))["summary"] == "It is approved."
    second.terminate()
    assert (second.communicate()[0], second.returncode) == ("begun\n", 0)


@pytest.mark.parametrize("kind", ["async", "thread", "asking"])
async def test_a_cancelled_run_ends_its_handler(
    kind: str, agent: Agent, client: Client, person: Person
) -> None:
    begun, over = asyncio.Event(), threading.Event()

    async def wait(run: Run) -> None:
        begun.set()
        try:
            await (run.ask("Deploy?") if kind == "asking" else asyncio.Event().wait())
        except asyncio.CancelledError:
            over.set()
            raise

    def wait_in_thread(run: BlockingRun) -> None:
        try:
            while True:
                run.progress("Working")
                run.context.append("and on")
        except asyncio.CancelledError:
            over.set()
            raise

    if kind == "thread":
        agent.task()(wait_in_thread)
    else:
        agent.task()(wait)
    async with serving(agent):
        run_id = fire(client, person)
        await until(lambda: client.run(run_id)["status"] == _underway(kind))
        person.http.post(f"/api/runs/{run_id}/cancel").raise_for_status()
        await until(over.is_set)
    assert client.run(run_id)["status"] == "cancelled"


def _underway(kind: str) -> str:
    return "waiting" if kind == "asking" else "running"


async def test_an_agent_that_is_stopped_fails_what_it_cannot_end_in_time(
    agent: Agent, client: Client, person: Person
) -> None:
    begun = asyncio.Event()

    @agent.task()
    async def work(run: Run) -> None:
        run.progress("Working")
        begun.set()
        await asyncio.Event().wait()

    async with serving(agent, grace_s=0.01):
        run_id = fire(client, person)
        await begun.wait()
    run = client.run(run_id)
    assert (run["status"], "the agent was stopped" in str(run["error"])) == ("failed", True)


async def test_the_person_sees_what_is_being_done(
    agent: Agent, client: Client, person: Person, shell: Shell
) -> None:
    go = asyncio.Event()

    @agent.task()
    async def work(run: Run) -> None:
        run.progress("Reading the news")
        await go.wait()

    def seen() -> bool:
        return bool(
            person.http.get(f"/api/agents/{shell.agent_id}").json()["status_text"]
            == "Reading the news"
        )

    async with serving(agent):
        run_id = fire(client, person)
        await until(lambda: asyncio.to_thread(seen))
        go.set()
        assert (await ended(client, run_id))["status"] == "completed"


async def test_handlers_outlast_a_killed_server(tmp_path_factory: pytest.TempPathFactory) -> None:
    server = RunningServer(tmp_path_factory.mktemp("killed")).start()
    add_account(server)
    made = await server.add_agent()
    agent, begun, go = (
        Agent(server.url, made.agent.id, made.secret),
        asyncio.Event(),
        asyncio.Event(),
    )

    @agent.task()
    async def work(run: Run) -> str:
        begun.set()
        await go.wait()
        await run.context.append("noted")
        return f"{(await run.ask('Deploy?')).status}, {list(run.context)}"

    person = Person.log_in(server)
    try:
        with Client(server.url, made.agent.id, made.secret) as client, person.http:
            async with serving(agent):
                run_id = fire(client, person)
                await begun.wait()
                server.kill()
                go.set()
                await asyncio.to_thread(server.start)
                asked = await asyncio.to_thread(person.next_question, made.agent.id)
                server.kill()
                await asyncio.to_thread(server.start)
                person.answer(asked, "approved")
                assert (await ended(client, run_id))["summary"] == "approved, ['noted']"
    finally:
        server.stop()


async def test_a_message_is_answered_where_it_was_written(
    agent: Agent, person: Person, shell: Shell
) -> None:
    @agent.on_message
    async def chat(message: Message) -> str:
        if message.text == "first":
            raise ValueError("a fault of the handler")
        return f"{message.sender_name} wrote {message.text}"

    conversations = person.http.get("/api/conversations").json()
    (own,) = [each["id"] for each in conversations if each["agent_id"] == shell.agent_id]
    async with serving(agent):
        for text in ("first", "second"):
            sent = person.http.post(f"/api/conversations/{own}/messages", json={"text": text})
            sent.raise_for_status()

        def replied() -> bool:
            found = person.http.get(f"/api/conversations/{own}/messages").json()
            return any("wrote second" in str(each["text"]) for each in found)

        await until(lambda: asyncio.to_thread(replied))


async def test_an_answer_that_no_run_waits_for_is_handed_out(
    agent: Agent, client: Client, person: Person
) -> None:
    answers: list[Answer] = []

    @agent.on_decision
    def decided(answer: Answer) -> None:
        answers.append(answer)

    async with serving(agent):
        asked = client.ask("Deploy?")["decision_id"]
        person.answer(asked, "approved", note="go")
        await until(lambda: bool(answers))
    assert answers == [Answer(asked, "approved", "go")]
    assert answers[0]


async def test_an_answer_whose_event_went_elsewhere_is_found(
    agent: Agent, client: Client, person: Person, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "_LOOK_S", 0.05)
    monkeypatch.setattr(serving_module.Serving, "_resolved", lambda *_: None)

    @agent.task()
    async def ask(run: Run) -> str:
        return (await run.ask("Deploy?")).status

    async with serving(agent):
        run_id = fire(client, person)
        person.answer(await asyncio.to_thread(question, person, shell), "approved")
        assert (await ended(client, run_id))["summary"] == "approved"


def test_a_decorator_without_its_brackets_says_so() -> None:
    with pytest.raises(TypeError, match=r"@agent\.task"):
        Agent().task(print)  # type: ignore[arg-type]


def test_handlers_are_typed_for_who_writes_them(tmp_path: Path) -> None:
    """A program of a user's, under the strictest checks."""
    program = tmp_path / "program.py"
    program.write_text(_TYPED, encoding="utf-8")
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path), str(program)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    wrong = [line.rpartition(":")[2].strip() for line in checked.stdout.splitlines()[:-1]]
    assert checked.stdout.count("error:") == 2, checked.stdout
    assert all("type variable" in each or "int" in each for each in wrong), checked.stdout


_TYPED = """
from nod import Agent, Answer, BlockingRun, Message, Run

agent = Agent()

@agent.task("Daily summary")
async def summary(run: Run) -> str:
    run.usage(input_tokens=1)
    await run.context.append("noted")
    answer = await run.ask("Deploy?", options=["yes", "no"])
    return answer.note or run.context[0]

@agent.task()
def rest(run: BlockingRun) -> None:
    answer: Answer = run.ask("Deploy?", key="deploy")
    run.output(answer.status)

@agent.on_message
def chat(message: Message) -> str | None:
    return None

@agent.on_decision
async def decided(answer: Answer) -> None:
    pass

@agent.task()
def wrong(run: BlockingRun) -> int:
    return 1

@agent.on_message
def also_wrong(number: int) -> None:
    pass

if __name__ == "__main__":
    agent.run(concurrency=2)
"""
