"""The server of a test, on its own event loop: started, moved in time, spoken to as the person."""

import asyncio
import json
import warnings
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, cast

from nod.actions import accounts, agents, chat, tasks
from nod.actions.agents import AgentChanges
from nod.actions.answers import resolve
from nod.app import Nod
from nod.config import load
from nod.delivery.address_guard import AddressGuard
from nod.domain.decisions import Answer, Verdict
from nod.domain.instant import Instant
from nod.domain.model import Agent, Decision, User
from nod.domain.task_fields import TaskFields
from nod.server import Server, listen, make_server, port_of
from nod.store.store import Tx
from nod.testing.moved import MovedClock

T = TypeVar("T")

_LOOK_S = 0.005
# With an address of its own, so that no mail is ever sent to somebody real (RFC 2606).
_EMAIL = "person@example.org"


@dataclass(frozen=True, slots=True)
class Question:
    """What the agent asks."""

    decision_id: str
    title: str
    description: str
    kind: str
    options: list[str]
    run_id: str | None


@dataclass
class Inside:
    """A running server with one person and one agent of theirs."""

    nod: Nod
    clock: MovedClock
    url: str
    secret: str
    agent: Agent
    person: User
    guard: AddressGuard
    server: Server
    serving: "asyncio.Task[None]"

    @classmethod
    async def start(cls, folder: Path, at: Instant | None) -> "Inside":
        """A new server on a free port, its data in `folder`."""
        environ = {"NOD_DATA_DIR": str(folder), "NOD_ALLOW_WEBHOOK_NETS": "127.0.0.0/8"}
        settings, clock = load(environ, {"port": 0}), MovedClock(at)
        listener = listen(settings)
        nod = Nod(settings, clock)
        await nod.start()
        with warnings.catch_warnings():
            # The framework will want its dependencies marked in its next major version.
            warnings.simplefilter("ignore", DeprecationWarning)
            server = make_server(nod)
        url = f"http://127.0.0.1:{port_of(listener)}"
        serving = asyncio.create_task(server.serve(sockets=[listener]))

        async def started() -> bool:
            return server.started or serving.done()

        await _until(started)
        guard = AddressGuard(settings.allow_webhook_nets)

        async def people(tx: Tx) -> tuple[User, agents.Credentials]:
            person = await accounts.create_user(tx, _EMAIL, "no password", "Person")
            made = await agents.create_agent(tx, nod.vault, guard, person, "Agent")
            return person, made

        person, made = await nod.store.write(people)
        return cls(nod, clock, url, made.secret, made.agent, person, guard, server, serving)

    async def stop(self) -> None:
        """As a signal would stop it."""
        self.server.stop()
        await self.serving
        await self.nod.stop()

    async def move_to(self, at: Instant) -> None:
        """Lets time pass until `at`: whatever fires on the way fires at its time."""
        while True:
            await self._until_nothing_is_due()
            following = await self.nod.store.read(_next_fire_at)
            if following is None or following > at:
                break
            self.clock.move_to(following)
        self.clock.move_to(at)

    async def _until_nothing_is_due(self) -> None:
        async def is_quiet(tx: Tx) -> bool:
            return not await tx.tasks.due(self.clock.now(), 1)

        await _until(lambda: self.nod.store.read(is_quiet))

    async def make_trigger(self, name: str, prompt: str) -> str:
        """A new task of the person's for the agent, which a call fires; its trigger."""
        given = TaskFields(name=name, prompt=prompt, schedule="event")
        task = await self.nod.store.write(
            lambda tx: tasks.create(tx, self.nod.vault, self.agent, given, "user")
        )
        return str(task.trigger_id)

    async def ended(self, run_id: str) -> None:
        """Returns once the run has ended."""

        async def is_over(tx: Tx) -> bool:
            run = await tx.runs.get(run_id)
            return run is not None and run.finished_at is not None

        await _until(lambda: self.nod.store.read(is_over))

    async def question(self, title: str | None) -> Question:
        """The oldest question that waits, or the one of that title, once it is there."""

        async def asked(tx: Tx) -> list[Decision]:
            waiting = await tx.chat.waiting_decisions(self.agent.id)
            return [each for each in waiting if title in (None, each.title)]

        found = await _until(lambda: self.nod.store.read(asked))
        return _question(min(found, key=lambda each: each.created_at))

    async def answer(self, question: Question, status: str, note: str | None) -> None:
        """Answers as the person. Of a choice, `note` is the option."""
        option = note if question.kind == "choice" else None
        given = Answer(cast("Verdict", status), None if option else note, option)
        await self.nod.store.write(
            lambda tx: resolve(tx, self.nod.vault, self.person, question.decision_id, given)
        )

    async def say(self, text: str) -> str:
        """Writes to the agent, and returns what it says next."""

        async def write(tx: Tx) -> tuple[str, int]:
            where = await tx.chat.default_conversation(self.agent.id)
            fields = chat.UserMessageFields(text=text)
            said = await chat.user_message(tx, self.person, where.id, fields, self.url)
            return where.id, said.seq

        where, seq = await self.nod.store.write(write)

        async def replies(tx: Tx) -> list[str]:
            later = await tx.chat.messages_after(where, seq, 100)
            return [each.text for each in later if each.author == "agent" and each.kind == "text"]

        return (await _until(lambda: self.nod.store.read(replies)))[0]

    async def set_webhook(self, url: str | None) -> None:
        """Where the agent's events go while it has no connection."""
        changes = AgentChanges(webhook_url=url, given=frozenset({"webhook_url"}))
        self.agent = await self.nod.store.write(
            lambda tx: agents.update_agent(tx, self.guard, self.agent, changes)
        )


def _question(asked: Decision) -> Question:
    options = json.loads(asked.options)
    return Question(asked.id, asked.title, asked.description, asked.kind, options, asked.run_id)


async def _until(look: Callable[[], Awaitable[T]]) -> T:
    """What `look` finds, once it finds something."""
    while True:
        if found := await look():
            return found
        await asyncio.sleep(_LOOK_S)


async def _next_fire_at(tx: Tx) -> Instant | None:
    return await tx.tasks.next_fire_at()
