"""Taking events from the agent's inbox and giving them to places, in order."""

import asyncio
import logging
from dataclasses import dataclass, field
from pathlib import Path

from nod.client.agent import Agent
from nod.client.inbox import Seen, identity
from nod.client.types import Event
from nod.worker.dialogue import Dialogue, Sessions
from nod.worker.job import ENDED, Job, job_of
from nod.worker.journal import Journal
from nod.worker.options import Options
from nod.worker.place import Place
from nod.worker.watch import Signals

logger = logging.getLogger("nod.work")

_RUNS_REMEMBERED = 100_000
_TALK = ("user_message", "decision_resolved")
# Beyond the grace of the commands: how long it may take to end them and to report.
_REPORT_S = 20.0


@dataclass(slots=True)
class _Held:
    """A run that no command works on now, and the answers that have come for it."""

    job: Job
    answers: list[Event] = field(default_factory=list)


class Worker:
    """Runs a command for each task of the agent, `concurrency` at the same time.

    `home` is where it keeps what it has in hand. An event is kept there and then acknowledged when
    it arrives; its run counts as taken up only when a place is free and the command starts. A run
    is never started twice, not by the worker after one that was killed either: there it goes on in
    its session, or is reported as failed. With a recipe a person's messages are answered as well,
    one after another, beside the runs.
    """

    def __init__(self, agent: Agent, options: Options, home: Path) -> None:
        self._agent = agent
        self._options = options
        self._journal = Journal.open(home)
        self._jobs: asyncio.Queue[_Held] = asyncio.Queue()
        self._turns: asyncio.Queue[Event] = asyncio.Queue()
        self._seen = Seen(_RUNS_REMEMBERED)
        self._kept = Seen(_RUNS_REMEMBERED)
        self._working: dict[str, Signals] = {}
        self._queued: dict[str, _Held] = {}
        self._parked: dict[str, _Held] = {}  # these wait for their person
        self._dialogue: Dialogue | None = None
        if options.recipe is not None:
            self._sessions = Sessions(home / "sessions.json", options.recipe.name)
            self._dialogue = Dialogue(agent, options, options.recipe, self._journal, self._sessions)
        self._closing = asyncio.Event()  # takes no more events
        self._stopping = asyncio.Event()  # and starts no more commands
        agent.keep = self._keep
        self.failed = 0
        self.unreported = 0

    async def run(self, *, once: bool = False) -> None:
        """Works until `stop`; with `once` until the runs that have come are done.

        Raises AuthError when the server refuses the agent.
        """
        async with self._agent:
            # Runs first: answers belong to them.
            for entry in sorted(self._journal.entries(), key=lambda each: not job_of(each.event)):
                self._sort(entry.event)
            taking = asyncio.create_task(self._take())
            closing = asyncio.create_task(self._closing.wait())
            places = [
                asyncio.create_task(self._place(once)) for _ in range(self._options.concurrency)
            ]
            places.append(asyncio.create_task(self._talk()))
            try:
                await asyncio.wait([taking, closing], return_when=asyncio.FIRST_COMPLETED)
                await self._agent.hang_up()
                await taking
                await self._finish()
            finally:
                await _cancel(taking, closing, *places)
                self._journal.close()

    def stop(self) -> None:
        """Takes no more runs. Commands that run get their grace, then they are ended."""
        self._stopping.set()
        self._closing.set()

    async def _take(self) -> None:
        async for event in self._agent.events():
            self._sort(event)

    def _keep(self, event: Event) -> None:
        """What must not be lost, before the server is told that it has arrived."""
        talk = self._dialogue is not None and event.get("type") in _TALK
        if (job_of(event) is not None or talk) and self._kept.add(identity(event) or ""):
            self._journal.keep(event)

    def _sort(self, event: Event) -> None:
        job, run_id = job_of(event), event.get("run_id")
        if job is not None:
            self._enqueue(job)
        elif self._dialogue is not None and event.get("type") in _TALK:
            self._hear(event)
        elif event.get("type") != "error":
            logger.info("%s: nothing to do for this worker", event.get("type"))
        elif run_id in self._working and event.get("status") in ENDED:
            self._working[str(run_id)].end(event["status"])
        else:
            logger.warning("Nod answered: %s", event.get("detail"))

    def _hear(self, event: Event) -> None:
        """A message, or the answer to a request: for a run, for a chat, or for nobody here."""
        run_id = event.get("task_run_id")
        conversation_id = event.get("conversation_id")
        if run_id in self._working:
            self._working[str(run_id)].answers.append(event)
        elif run_id in self._queued:
            self._queued[str(run_id)].answers.append(event)
        elif run_id in self._parked:
            held = self._parked.pop(str(run_id))
            held.answers.append(event)
            self._queue(held)
        elif event.get("type") == "user_message" or (
            not run_id and self._sessions.of(str(conversation_id))
        ):
            self._turns.put_nowait(event)
        else:
            logger.info("%s: nothing to do for this worker", event.get("type"))
            self._journal.drop(str(event.get("event_id")))

    def _enqueue(self, job: Job) -> None:
        if not self._seen.add(job.run_id):
            return
        entry = self._journal.entry(job.run_id)
        if entry is not None and entry.state == "parked":
            self._parked[job.run_id] = _Held(job)
            return
        if len(self._working) + self._jobs.qsize() >= self._options.concurrency:
            logger.info("%s waits for a free place: %s", job.run_id, job.name)
        self._queue(_Held(job))

    def _queue(self, held: _Held) -> None:
        self._queued[held.job.run_id] = held
        self._jobs.put_nowait(held)

    async def _place(self, once: bool) -> None:
        """One place: job after job."""
        while True:
            taken = await self._jobs.get()
            job, signals = taken.job, Signals(self._stopping, answers=taken.answers)
            self._working[job.run_id] = signals
            del self._queued[job.run_id]
            try:
                place = Place(self._agent, self._options, job, signals, self._journal)
                outcome = await place.work_safely()
            finally:
                del self._working[job.run_id]
                self._jobs.task_done()
            self.failed += outcome in ("failed", "left")
            if outcome == "parked":
                self._park(job, signals)
            if once and not (self._working or self._parked) and self._jobs.empty():
                self._closing.set()

    def _park(self, job: Job, signals: Signals) -> None:
        """The run waits for its person; unless the answer has come in this moment."""
        held = _Held(job, signals.answers)
        if held.answers:
            self._queue(held)
        else:
            self._parked[job.run_id] = held

    async def _talk(self) -> None:
        """Answers messages, one after another."""
        while self._dialogue is not None:
            event = await self._turns.get()
            if not self._stopping.is_set():
                await self._dialogue.answer_safely(event, Signals(self._stopping))
            self._turns.task_done()  # else it is left for the next start

    async def _finish(self) -> None:
        """Waits for the jobs that are left; after `stop` no longer than the grace allows."""
        finishing = asyncio.create_task(self._all_done())
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait([finishing, stopping], return_when=asyncio.FIRST_COMPLETED)
            if not finishing.done():
                logger.info("stopping: %d running", len(self._working))
                await asyncio.wait([finishing], timeout=self._options.grace_s + _REPORT_S)
            if not finishing.done():
                self.unreported = len(self._working) + self._jobs.qsize()
                runs = ", ".join(self._working)
                logger.warning("stopped without a report on %s: Nod is out of reach", runs)
        finally:
            await _cancel(finishing, stopping)

    async def _all_done(self) -> None:
        await self._jobs.join()
        await self._turns.join()


async def _cancel(*tasks: "asyncio.Task[object]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
