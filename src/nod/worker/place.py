"""One run from its start to its report."""

import asyncio
import logging
import time
from dataclasses import asdict
from typing import Literal

from nod.client import requests
from nod.client.agent import Agent
from nod.client.errors import ApiError, Conflict, NodError, NotFound
from nod.client.patience import answered
from nod.client.types import Context, Event, Run
from nod.worker import leftovers
from nod.worker.capture import Capture
from nod.worker.job import ENDED, Job
from nod.worker.journal import Journal
from nod.worker.options import Options
from nod.worker.process import Start
from nod.worker.recipe_run import BROKEN_OFF, RecipeRun
from nod.worker.report import Finished, Report, not_run, report_of
from nod.worker.reporting import deliver
from nod.worker.watch import Signals, Watch
from nod.worker.workspace import Workspace, workspace

logger = logging.getLogger("nod.work")

Outcome = Literal["completed", "failed", "parked", "left"]

_HEARTBEAT_S = 1.0
# Without a socket each heartbeat is a request.
_REST_HEARTBEAT_S = 5.0
# A heartbeat that says something new is written by the server at once.
_NEW_TEXT_S = 3.0
_STATUS_CHARS = 200


class Place:
    """Does one job. `signals` may be set from outside at any time."""

    def __init__(
        self, agent: Agent, options: Options, job: Job, signals: Signals, journal: Journal
    ) -> None:
        self._agent = agent
        self._client = agent.client
        self._options = options
        self._job = job
        self._signals = signals
        self._journal = journal
        self._recipe: RecipeRun | None = None
        if options.recipe is not None:
            self._recipe = RecipeRun(
                self._client, options, options.recipe, job, signals, self._done_with
            )

    async def work_safely(self) -> Outcome:
        """`work`, where nothing that one run meets ends the worker."""
        try:
            return await self.work()
        except ApiError as error:
            logger.warning("%s cannot be done: %s", self._job.run_id, error.detail)
            self._forget()
        except Exception:
            logger.exception("%s met an error of this worker", self._job.run_id)
            await self._report(not_run("the worker met an error; see its log"), time.monotonic())
        return "failed"

    async def work(self) -> Outcome:
        """Runs the command and reports.

        1. See how far a worker before this one has come.
        2. Look whether the run is still wanted, and fetch its scratchpad.
        3. Run the command under heartbeats until it ends or must end.
        4. Report, unless the server has closed the run already.
        """
        job, began = self._job, time.monotonic()
        entry = self._journal.entry(job.run_id)
        state = entry.state if entry is not None else "waiting"
        if entry is not None and state == "done":
            return await self._report(Report(**entry.report), began)
        if self._signals.stopping.is_set():
            if state != "waiting":
                return "left"  # for the next start
            return await self._report(not_run("not started: the worker was stopped"), began)
        run = await answered(self._client, requests.run(job.run_id))
        if run["status"] in ENDED:
            self._forget()
            logger.info("%s not started, it is already %s: %s", job.run_id, run["status"], job.name)
            return "failed"
        if state == "parked" and not self._signals.answers:
            return "parked"
        if state == "started":
            leftovers.end_all(job.run_id)
        if entry is not None and state == "parked":
            run["usage"] = entry.report["usage"]  # the server has it from the last heartbeat
        context = await answered(self._client, requests.context(job.run_id))
        return await self._do(run, context, began, broken_off=state == "started")

    async def _do(self, run: Run, context: Context, began: float, *, broken_off: bool) -> Outcome:
        job = self._job
        if broken_off:
            await self._say_broken_off()
        else:
            logger.info("%s started: %s", job.run_id, job.name)
        self._journal.mark(job.run_id, "started")
        try:
            settings, home = self._client.settings, self._journal.folder
            with workspace(job, context, settings, self._options, home) as files:
                report = await self._run(run, context, files, broken_off=broken_off)
        except OSError as error:
            report = not_run(f"cannot run {self._options.program!r} here: {error}")
        if self._signals.over.is_set():
            self._forget()
            status = self._signals.over_status
            logger.info("%s stopped, Nod says it is %s: %s", job.run_id, status, job.name)
            return "failed"
        if report is None:
            used = self._recipe.usage if self._recipe is not None else {}
            self._journal.mark(job.run_id, "parked", {"usage": used})
            logger.info("%s waits for its person: %s", job.run_id, job.name)
            return "parked"
        return await self._report(report, began)

    async def _run(
        self, run: Run, context: Context, files: Workspace, *, broken_off: bool
    ) -> Report | None:
        """The report on the work; None when it waits for the person."""
        if self._recipe is not None:
            return await self._recipe.work(run, context, files, self._beat, broken_off=broken_off)
        if broken_off:
            return not_run(BROKEN_OFF)
        return await self._command(files)

    async def _command(self, files: Workspace) -> Report:
        limit = self._options.output_bytes
        # Headings and the line about what is missing have to fit in as well.
        stdout, stderr = (Capture(limit * 3 // 4, limit * 3 // 16) for _ in range(2))
        command = list(self._options.command)
        if self._options.script:
            command.append(str(files.prompt))
        what = Start(command, files.environment, files.prompt, files.place, self._job.run_id)
        watch = Watch(self._options, self._signals)
        status, ended_by = await watch.run(what, stdout.add, stderr.add, self._beat())
        was_set = files.output_was_set()
        return report_of(Finished(status, stdout.text(), stderr.text(), was_set, ended_by, limit))

    async def _say_broken_off(self) -> None:
        """Nothing goes on silently: the person sees that there was a break."""
        logger.info("%s was broken off with its worker: %s", self._job.run_id, self._job.name)
        title = f"The worker was restarted in the middle of {self._job.name[:200]}"
        try:
            await self._client.alert(title, task_run_id=self._job.run_id)
        except NodError as error:
            logger.debug("%s: no word of the break: %s", self._job.run_id, error)

    async def _beat(self) -> None:
        """Signs of life for the server; what it says of the run comes back over the socket."""
        text, said_at = "", float("-inf")
        while True:
            if time.monotonic() - said_at >= _NEW_TEXT_S:
                text, said_at = self._status_text(), time.monotonic()
            try:
                await self._agent.heartbeat(
                    self._job.run_id,
                    status_text=text,
                    usage=(self._recipe and self._recipe.usage) or None,
                )
            except (Conflict, NotFound):
                await self._look()
            except NodError as error:
                logger.debug("%s: no sign of life: %s", self._job.run_id, error)
            await asyncio.sleep(_HEARTBEAT_S if self._agent.connected else _REST_HEARTBEAT_S)

    def _status_text(self) -> str:
        doing = self._recipe.doing if self._recipe is not None else ""
        return (doing or self._job.name)[:_STATUS_CHARS]

    async def _look(self) -> None:
        """Finds out how the run has ended, when a heartbeat by REST was refused for it."""
        try:
            run = await self._client.run(self._job.run_id)
        except NodError as error:
            logger.debug("%s: cannot be looked at: %s", self._job.run_id, error)
        else:
            if run["status"] in ENDED:
                self._signals.end(run["status"])

    async def _report(self, report: Report, began: float) -> Outcome:
        job, took_s = self._job, time.monotonic() - began
        self._journal.mark(job.run_id, "done", asdict(report))
        outcome = await deliver(self._client, job.run_id, report)
        self._forget()
        logger.info("%s %s after %.1f s: %s", job.run_id, outcome, took_s, job.name)
        return "completed" if outcome == "completed" else "failed"

    def _forget(self) -> None:
        """The run is done with, and with it the answers to its requests."""
        self._journal.drop(self._job.run_id)
        for event in self._signals.answers:
            self._done_with(event)

    def _done_with(self, event: Event) -> None:
        self._journal.drop(str(event.get("event_id")))
