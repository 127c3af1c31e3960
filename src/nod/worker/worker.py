"""Taking task events from the agent's inbox and giving them to places, in order."""

import asyncio
import logging

from nod.client.agent import Agent
from nod.client.inbox import Seen
from nod.client.types import Event
from nod.worker.job import ENDED, Job, job_of
from nod.worker.place import Options, Place, Signals

logger = logging.getLogger("nod.work")

_RUNS_REMEMBERED = 100_000
# Beyond the grace of the commands: how long it may take to end them and to report.
_REPORT_S = 20.0


class Worker:
    """Runs a command for each task of the agent, `concurrency` at the same time.

    An event is acknowledged when it arrives; its run counts as taken up only when a place is free
    and the command starts. A run is never started twice by one worker.
    """

    def __init__(self, agent: Agent, options: Options) -> None:
        self._agent = agent
        self._options = options
        self._jobs: asyncio.Queue[Job] = asyncio.Queue()
        self._seen = Seen(_RUNS_REMEMBERED)
        self._working: dict[str, Signals] = {}
        self._closing = asyncio.Event()  # takes no more events
        self._stopping = asyncio.Event()  # and starts no more commands
        self.failed = 0
        self.unreported = 0

    async def run(self, *, once: bool = False) -> None:
        """Works until `stop`; with `once` until the runs that have come are done.

        Raises AuthError when the server refuses the agent.
        """
        async with self._agent:
            taking = asyncio.create_task(self._take())
            closing = asyncio.create_task(self._closing.wait())
            places = [
                asyncio.create_task(self._place(once)) for _ in range(self._options.concurrency)
            ]
            try:
                await asyncio.wait([taking, closing], return_when=asyncio.FIRST_COMPLETED)
                await self._agent.hang_up()
                await taking
                await self._finish()
            finally:
                await _cancel(taking, closing, *places)

    def stop(self) -> None:
        """Takes no more runs. Commands that run get their grace, then they are ended."""
        self._stopping.set()
        self._closing.set()

    async def _take(self) -> None:
        async for event in self._agent.events():
            self._sort(event)

    def _sort(self, event: Event) -> None:
        job = job_of(event)
        if job is not None:
            self._enqueue(job)
        elif event.get("type") != "error":
            logger.info("%s: nothing to do for this worker", event.get("type"))
        elif event.get("run_id") in self._working and event.get("status") in ENDED:
            self._working[event["run_id"]].end(event["status"])
        else:
            logger.warning("Nod answered: %s", event.get("detail"))

    def _enqueue(self, job: Job) -> None:
        if not self._seen.add(job.run_id):
            return
        if len(self._working) + self._jobs.qsize() >= self._options.concurrency:
            logger.info("%s waits for a free place: %s", job.run_id, job.name)
        self._jobs.put_nowait(job)

    async def _place(self, once: bool) -> None:
        """One place: job after job."""
        while True:
            job = await self._jobs.get()
            signals = self._working[job.run_id] = Signals(self._stopping)
            try:
                completed = await Place(self._agent, self._options, job, signals).work_safely()
            finally:
                del self._working[job.run_id]
                self._jobs.task_done()
            self.failed += not completed
            if once and not self._working and self._jobs.empty():
                self._closing.set()

    async def _finish(self) -> None:
        """Waits for the jobs that are left; after `stop` no longer than the grace allows."""
        finishing = asyncio.create_task(self._jobs.join())
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


async def _cancel(*tasks: "asyncio.Task[object]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
