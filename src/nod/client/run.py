"""What a handler works with: `Run` where it is async, `BlockingRun` where it is not.

There is one description of what a run can do. `BlockingRun` carries out the coroutines of `Run`
on the agent's event loop and waits for them in the handler's thread.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Unpack, overload

from nod.client import requests
from nod.client.async_client import AsyncClient
from nod.client.bridge import Bridge
from nod.client.errors import Conflict
from nod.client.memory import Memory, asked_block, event_blocks
from nod.client.patience import answered, brought
from nod.client.slot import Slot
from nod.client.types import Decision, Event, QuestionFields, Usage

# The states in which a run is over for the server, and work on it is for nothing.
ENDED = ("completed", "failed", "cancelled", "skipped")
# The answer comes as an event. One that went to another process is found by looking this often.
_LOOK_S = 30.0


@dataclass(frozen=True, slots=True)
class Answer:
    """A person's answer. It is true when it is `approved`, and only then.

    `status` is `approved`, `rejected`, `responded`, `dismissed` or `expired`; `note` is what was
    chosen or written. `run_id` names the run that asked, if one did.
    """

    decision_id: str
    status: str
    note: str | None
    run_id: str | None = None
    always_allow: bool = False

    def __bool__(self) -> bool:
        return self.status == "approved"


@dataclass
class Work:
    """One run under way: what its handler has said so far, and what the server has."""

    event: Event
    client: AsyncClient
    memory: Memory
    slot: Slot
    status_text: str | None = None
    usage: Usage | None = None
    output: str | None = None
    over: str | None = None  # the status in which the server has ended it
    left: bool = False  # the agent stops while this waits for a person; nothing is reported
    answers: dict[str, asyncio.Event] = field(default_factory=dict)

    @property
    def run_id(self) -> str:
        return str(self.event["run_id"])

    def answer(self, decision_id: str) -> asyncio.Event:
        """Set once the decision is resolved."""
        return self.answers.setdefault(decision_id, asyncio.Event())

    async def add(self, text: str) -> None:
        """Adds a block to the scratchpad."""
        async with self.wanted():
            await brought(self.client, requests.add_context(self.run_id, text))

    @asynccontextmanager
    async def wanted(self) -> AsyncIterator[None]:
        """What the server refuses because the run has ended, ends the handler."""
        try:
            yield
        except Conflict:
            await self.end_if_over()
            raise

    async def end_if_over(self) -> None:
        """Raises CancelledError when the run has ended: nobody waits for its handler then."""
        run = await answered(self.client, requests.run(self.run_id))
        if run["status"] in ENDED:
            self.over = run["status"]
            raise asyncio.CancelledError


class _Facts:
    """What a run is, and what its handler can say without waiting."""

    def __init__(self, work: Work) -> None:
        self._work = work

    @property
    def id(self) -> str:
        """The run's id."""
        return self._work.run_id

    @property
    def task_id(self) -> str:
        """The id of its task."""
        return str(self._work.event["task_id"])

    @property
    def task_name(self) -> str:
        """The name of its task."""
        return str(self._work.event["task_name"])

    @property
    def prompt(self) -> str:
        """What to do."""
        return str(self._work.event["task_prompt"])

    @property
    def payload(self) -> Any:
        """What the caller of the trigger sent: data, never instructions. None without a caller."""
        return self._work.event.get("payload")

    @property
    def trigger(self) -> Any:
        """The call's source, headers and query. None without a caller."""
        return self._work.event.get("trigger")

    def progress(self, text: str) -> None:
        """Says what is being done. It goes out with the next heartbeat, within a second."""
        self._work.status_text = text

    def usage(self, **used: Unpack[Usage]) -> None:
        """Says what the run has used so far, in all. It goes out with the next heartbeat."""
        self._work.usage = {**(self._work.usage or {}), **used}

    def output(self, text: str) -> None:
        """Makes `text` (Markdown) the deliverable. It is stored when the handler ends."""
        self._work.output = text


class _Notes(Sequence[str]):
    def __init__(self, work: Work) -> None:
        self._work = work

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        return self._work.memory.notes[index]

    def __len__(self) -> int:
        return len(self._work.memory.notes)

    def __iter__(self) -> Iterator[str]:
        return iter(self._work.memory.notes)


class Notes(_Notes):
    """The run's scratchpad: what it has noted so far, the oldest first, also before a restart."""

    async def append(self, text: str) -> None:
        """Adds a block, which is stored when this returns and lasts until the run ends."""
        await self._work.add(text)
        self._work.memory.notes.append(text)


class Run(_Facts):
    """A run, for an async handler."""

    def __init__(self, work: Work) -> None:
        super().__init__(work)
        self.context = Notes(work)
        self._titles: Counter[str] = Counter()
        self._storing = asyncio.Lock()

    async def ask(
        self, title: str, *, key: str | None = None, **fields: Unpack[QuestionFields]
    ) -> Answer:
        """Puts a question before the person and waits for the answer, over restarts.

        A `choice` with `options`, else an `approval`, unless `kind` says otherwise. When the
        process was restarted meanwhile, the handler is called again from its start, and the same
        question returns the same answer without being asked again. The same is the one with the
        same `key`: the title if none is given, and how many times this run has asked it.
        """
        self._titles[title] += 1
        known_as = key or f"{title}#{self._titles[title]}"
        decision_id = await self._decision_of(known_as, title, fields)
        async with self._work.slot.left():
            found = await self._resolved(decision_id)
        return answer_of(found, decision_id, self.id)

    async def _decision_of(self, key: str, title: str, fields: QuestionFields) -> str:
        """The decision the question has become, now or before a restart."""
        work = self._work
        async with self._storing:
            if key not in work.memory.asked:
                if work.memory.event is None:
                    for block in event_blocks(work.event):
                        await work.add(block)
                    work.memory.event = work.event
                if "options" in fields:
                    fields = {"kind": "choice", **fields}
                async with work.wanted():
                    request = requests.ask(title, task_run_id=work.run_id, **fields)
                    sent = await brought(work.client, request)
                work.memory.asked[key] = sent["decision_id"]
                await work.add(asked_block(key, sent["decision_id"]))
        return work.memory.asked[key]

    async def _resolved(self, decision_id: str) -> Decision:
        client = self._work.client
        while True:
            found = await answered(client, requests.decision(decision_id))
            if found["status"] == "dismissed":  # a run that ends takes its questions with it
                await self._work.end_if_over()
            if found["status"] != "pending":
                return found
            try:
                async with asyncio.timeout(_LOOK_S):
                    await self._work.answer(decision_id).wait()
            except TimeoutError:
                continue


def answer_of(found: Decision | Event, decision_id: str, run_id: str | None) -> Answer:
    """The answer that a decision, or the event of its end, holds."""
    always = bool(found.get("always_allow"))
    return Answer(decision_id, str(found["status"]), found.get("note"), run_id, always)


class BlockingNotes(_Notes):
    """The run's scratchpad: what it has noted so far, the oldest first, also before a restart."""

    def __init__(self, work: Work, bridge: Bridge) -> None:
        super().__init__(work)
        self.append = bridge.blocking(Notes(work).append)


class BlockingRun(_Facts):
    """A run, for a handler that is no coroutine: the same as `Run`, and its calls block.

    When the run is cancelled, the next call, also of `progress`, raises asyncio.CancelledError.
    """

    def __init__(self, work: Work, bridge: Bridge) -> None:
        super().__init__(work)
        self.context = BlockingNotes(work, bridge)
        self.ask = bridge.blocking(Run(work).ask)
        self._bridge = bridge

    def progress(self, text: str) -> None:
        """Says what is being done. It goes out with the next heartbeat, within a second."""
        self._bridge.check()
        super().progress(text)
