"""The server of a test, as the test sees it: every call blocks, and may come from any thread."""

import asyncio
import tempfile
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import httpx

from nod.client.agent import Agent
from nod.client.client import Client
from nod.client.types import Run
from nod.domain.instant import from_datetime, to_datetime
from nod.testing.inside import Inside, Question
from nod.testing.receiver import Receiver, receiving

T = TypeVar("T")

_START_S = 30.0


class _Thread:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="nod.testing")
        self._thread.start()

    def call(self, work: Coroutine[Any, Any, T], timeout_s: float) -> T:
        """The result of `work`. Raises TimeoutError when it takes longer."""
        running = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return running.result(timeout_s)
        except TimeoutError:
            running.cancel()
            raise

    def end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class NodServer:
    """A real server on a free port, with one person and one agent. Made by `server`.

    `client` has the agent's calls. What waits for something raises TimeoutError after `timeout_s`
    seconds of real time.
    """

    def __init__(self, thread: _Thread, inside: Inside) -> None:
        self._thread = thread
        self._inside = inside
        self._triggers: dict[str, str] = {}
        self.url = inside.url
        self.agent_id = inside.agent.id
        self.secret = inside.secret
        self.client = Client(self.url, self.agent_id, self.secret)

    @property
    def environ(self) -> dict[str, str]:
        """What a program needs to be this agent, as environment variables."""
        return {
            "NOD_API_URL": self.url,
            "NOD_AGENT_ID": self.agent_id,
            "NOD_SECRET": self.secret,
        }

    # time

    def now(self) -> datetime:
        """What time it is for the server."""
        return to_datetime(self._inside.clock.now())

    def advance(self, *, timeout_s: float = 30.0, **by: float) -> None:
        """Lets time pass, at once: `advance(hours=1)`, in the words of `datetime.timedelta`.

        Whatever is due on the way fires at its time, and its runs are there when this returns.
        A run that is being worked on gives no sign of life meanwhile.
        """
        until = self._inside.clock.now() + round(timedelta(**by).total_seconds() * 1000)
        self._thread.call(self._inside.move_to(until), timeout_s)

    # the agent

    @contextmanager
    def working(self, agent: Agent, *, concurrency: int = 4) -> Iterator[Agent]:
        """The agent's handlers at work, in a thread, as this server's agent."""
        mine = agent.copy(self.url, self.agent_id, self.secret)
        failure: list[BaseException] = []
        ready = threading.Event()

        def serve() -> None:
            try:
                asyncio.run(_serve(mine, concurrency, ready.set))
            except BaseException as error:  # noqa: BLE001 - it is raised in the test
                failure.append(error)
            finally:
                ready.set()

        thread = threading.Thread(target=serve, name="nod.testing agent")
        thread.start()
        try:
            if not ready.wait(_START_S):
                raise TimeoutError(f"the agent has not connected within {_START_S:g} s")
            if not failure:
                yield mine
        finally:
            mine.stop()
            thread.join()
        if failure:
            raise failure[0]

    @contextmanager
    def receiving(self) -> Iterator[Receiver]:
        """An endpoint on a real socket to which the agent's events go as webhooks."""
        with receiving(self.secret, lambda: self.now().timestamp()) as receiver:
            self._thread.call(self._inside.set_webhook(receiver.url), _START_S)
            try:
                yield receiver
            finally:
                self._thread.call(self._inside.set_webhook(None), _START_S)

    # the world outside

    def call(self, task: str, payload: Any = None, *, prompt: str = "Do it.") -> str:
        """Calls the trigger of the event task of that name, which is made first if this server has
        not made it yet. Returns the run's id.
        """
        if task not in self._triggers:
            made = self._inside.make_trigger(task, prompt)
            self._triggers[task] = self._thread.call(made, _START_S)
        url = f"{self.url}/api/webhooks/{self._triggers[task]}"
        answer = httpx.post(url, json={} if payload is None else payload)
        return str(answer.raise_for_status().json()["run_id"])

    def result(self, run_id: str, *, timeout_s: float = 10.0) -> Run:
        """The run, once it has ended."""
        self.client.run(run_id)  # or there is none
        self._thread.call(self._inside.ended(run_id), timeout_s)
        return self.client.run(run_id)

    # the person

    def question(self, title: str | None = None, *, timeout_s: float = 10.0) -> Question:
        """The oldest question of the agent that waits, or that of this title, once it is there."""
        return self._thread.call(self._inside.question(title), timeout_s)

    def answer(
        self,
        status: str = "approved",
        note: str | None = None,
        *,
        title: str | None = None,
        timeout_s: float = 10.0,
    ) -> Question:
        """Answers the question that `question` returns, as the person: `approved`, `rejected`, or
        `responded` with a `note`, which for a choice is the option.
        """
        question = self.question(title, timeout_s=timeout_s)
        self._thread.call(self._inside.answer(question, status, note), timeout_s)
        return question

    def say(self, text: str, *, timeout_s: float = 10.0) -> str:
        """Writes to the agent as the person, and returns what it replies."""
        return self._thread.call(self._inside.say(text), timeout_s)


async def _serve(agent: Agent, concurrency: int, connected: Callable[[], None]) -> None:
    """Serves until it is stopped, and tells when it has connected."""
    working = asyncio.create_task(agent.serve(concurrency=concurrency))
    online = asyncio.create_task(agent.wait_connected())
    await asyncio.wait({working, online}, return_when=asyncio.FIRST_COMPLETED)
    online.cancel()
    (refused,) = await asyncio.gather(online, return_exceptions=True)
    if refused is None:
        connected()
    await working  # which raises what was wrong


@contextmanager
def server(at: datetime | None = None) -> Iterator[NodServer]:
    """A server with a database of its own, gone afterwards. Its clock begins `at` or now."""
    start = None if at is None else from_datetime(at)
    thread = _Thread()
    with tempfile.TemporaryDirectory(prefix="nod-testing-") as folder:
        try:
            inside = thread.call(Inside.start(Path(folder), start), _START_S)
            found = NodServer(thread, inside)
            try:
                yield found
            finally:
                found.client.close()
                thread.call(inside.stop(), _START_S)
        finally:
            thread.end()
