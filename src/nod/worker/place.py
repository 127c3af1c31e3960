"""One run from its start to its report."""

import asyncio
import logging
import time
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

from nod.client import requests
from nod.client.agent import Agent
from nod.client.errors import ApiError, Conflict, NodError, NotFound
from nod.worker.job import ENDED, Job
from nod.worker.process import Process
from nod.worker.report import Finished, Report, not_run, report_of
from nod.worker.reporting import answered, deliver
from nod.worker.workspace import Workspace, workspace

logger = logging.getLogger("nod.work")

_HEARTBEAT_S = 1.0
# Without a socket each heartbeat is a request.
_REST_HEARTBEAT_S = 5.0


@dataclass(frozen=True, slots=True)
class Options:
    """What to run and how. `timeout_s` None: as long as the server lets it."""

    command: Sequence[str]
    concurrency: int = 1
    timeout_s: float | None = None
    grace_s: float = 10.0


@dataclass(slots=True)
class Signals:
    """What can end a command from outside: `over` by the server, `stopping` by the operator."""

    stopping: asyncio.Event
    over: asyncio.Event = field(default_factory=asyncio.Event)
    over_status: str = ""

    def end(self, status: str) -> None:
        """The run is over for the server."""
        self.over_status = status
        self.over.set()


class Place:
    """Does one job. `signals` may be set from outside at any time."""

    def __init__(self, agent: Agent, options: Options, job: Job, signals: Signals) -> None:
        self._agent = agent
        self._client = agent.client
        self._options = options
        self._job = job
        self._signals = signals

    async def work_safely(self) -> bool:
        """`work`, where nothing that one run meets ends the worker. True if completed."""
        try:
            return await self.work()
        except ApiError as error:
            logger.warning("%s cannot be done: %s", self._job.run_id, error.detail)
        except Exception:
            logger.exception("%s met an error of this worker", self._job.run_id)
            await deliver(
                self._client, self._job.run_id, not_run("the worker met an error; see its log")
            )
        return False

    async def work(self) -> bool:
        """Runs the command and reports. True if the run is completed.

        1. Look whether the run is still wanted, and fetch its scratchpad.
        2. Run the command under heartbeats until it ends or must end.
        3. Report, unless the server has closed the run already.
        """
        job, began = self._job, time.monotonic()
        if self._signals.stopping.is_set():
            return await self._report(not_run("not started: the worker was stopped"), began)
        run = await answered(self._client, requests.run(job.run_id))
        if run["status"] in ENDED:
            logger.info("%s not started, it is already %s: %s", job.run_id, run["status"], job.name)
            return False
        context = await answered(self._client, requests.context(job.run_id))
        logger.info("%s started: %s", job.run_id, job.name)
        try:
            with workspace(job, context, self._client.settings) as files:
                report = await self._run(files)
        except OSError as error:
            report = not_run(f"cannot run {self._options.command[0]!r} here: {error}")
        if report is None:
            status = self._signals.over_status
            logger.info("%s stopped, Nod says it is %s: %s", job.run_id, status, job.name)
            return False
        return await self._report(report, began)

    async def _run(self, files: Workspace) -> Report | None:
        """The report on the command; None when the server no longer waits for one."""
        process = await Process.start(self._options.command, files.environment, files.prompt)
        heart = asyncio.create_task(self._beat())
        try:
            status, ended_by = await self._until_end(process)
        finally:
            heart.cancel()
            await asyncio.wait([heart])
        if self._signals.over.is_set():
            return None
        finished = Finished(
            status,
            process.stdout.text(),
            process.stderr.text(),
            files.output_was_set(),
            ended_by,
        )
        return report_of(finished)

    async def _until_end(self, process: Process) -> tuple[int, str | None]:
        """The exit status, and who ended the command if it did not end by itself."""
        ending = asyncio.create_task(process.wait())
        reasons = [asyncio.create_task(reason) for reason in self._reasons()]
        try:
            done, _ = await asyncio.wait([ending, *reasons], return_when=asyncio.FIRST_COMPLETED)
            if ending in done:
                return ending.result(), None
            return await process.stop(), next(each.result() for each in reasons if each.done())
        except BaseException:
            await process.stop()
            raise
        finally:
            for task in (ending, *reasons):
                task.cancel()
            await asyncio.wait([ending, *reasons])

    def _reasons(self) -> list[Coroutine[Any, Any, str]]:
        reasons = [self._closed_by_server(), self._worker_stopped()]
        if self._options.timeout_s is not None:
            reasons.append(self._time_up(self._options.timeout_s))
        return reasons

    async def _closed_by_server(self) -> str:
        await self._signals.over.wait()
        return f"Nod closed the run: {self._signals.over_status}"

    async def _worker_stopped(self) -> str:
        await self._signals.stopping.wait()
        await asyncio.sleep(self._options.grace_s)
        return f"the worker was stopped, and this did not end within {self._options.grace_s:g} s"

    async def _time_up(self, timeout_s: float) -> str:
        await asyncio.sleep(timeout_s)
        return f"the command was stopped after {timeout_s:g} s (--timeout)"

    async def _beat(self) -> None:
        """Signs of life for the server; what it says of the run comes back over the socket."""
        while True:
            try:
                await self._agent.heartbeat(self._job.run_id, status_text=self._job.name[:200])
            except (Conflict, NotFound):
                await self._look()
            except NodError as error:
                logger.debug("%s: no sign of life: %s", self._job.run_id, error)
            await asyncio.sleep(_HEARTBEAT_S if self._agent.connected else _REST_HEARTBEAT_S)

    async def _look(self) -> None:
        """Finds out how the run has ended, when a heartbeat by REST was refused for it."""
        try:
            run = await self._client.run(self._job.run_id)
        except NodError as error:
            logger.debug("%s: cannot be looked at: %s", self._job.run_id, error)
        else:
            if run["status"] in ENDED:
                self._signals.end(run["status"])

    async def _report(self, report: Report, began: float) -> bool:
        job, took_s = self._job, time.monotonic() - began
        outcome = await deliver(self._client, job.run_id, report)
        logger.info("%s %s after %.1f s: %s", job.run_id, outcome, took_s, job.name)
        return outcome == "completed"
