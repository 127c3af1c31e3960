"""A run that a program works on in turns: the task first, then answers to what it has asked."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from typing import Any

from nod.client import requests
from nod.client.async_client import AsyncClient
from nod.client.errors import ApiError, NodError
from nod.client.patience import answered
from nod.client.types import Context, Event, Run, Usage
from nod.worker import leftovers
from nod.worker.job import Job
from nod.worker.options import Options
from nod.worker.prompts import answer_prompt, interrupted, task_prompt
from nod.worker.recipes.recipe import Recipe
from nod.worker.report import Finished, Report, not_run, report_of
from nod.worker.session import note, session_of, without_notes
from nod.worker.turn import Turn
from nod.worker.watch import Signals
from nod.worker.workspace import Workspace

logger = logging.getLogger("nod.work")

_AGAIN_S = 2.0


class RecipeRun:
    """Works on one run. `doing` and `usage` say how far it is."""

    def __init__(
        self,
        client: AsyncClient,
        options: Options,
        recipe: Recipe,
        job: Job,
        signals: Signals,
        done_with: Callable[[Event], None],
    ) -> None:
        self._client = client
        self._options = options
        self._recipe = recipe
        self._job = job
        self._signals = signals
        self._done_with = done_with
        self._turn: Turn | None = None
        self._before: Usage = {}
        self._noted: str | None = None

    @property
    def doing(self) -> str:
        """One line about what is being done."""
        return self._turn.heard.doing if self._turn is not None else ""

    @property
    def usage(self) -> Usage:
        """What the run has used so far."""
        return self._before if self._turn is None else self._used(self._turn.heard.usage)

    async def work(
        self,
        run: Run,
        context: Context,
        files: Workspace,
        beat: Callable[[], Coroutine[Any, Any, None]],
        *,
        broken_off: bool,
    ) -> Report | None:
        """The report; None when the run waits for its person and no turn can go on.

        `broken_off`: an earlier turn was ended in the middle, together with its worker.
        """
        self._before = _usage_of(run)
        session = self._noted = session_of(context["blocks"], self._recipe.name)
        if broken_off and (session is None or not leftovers.CAN_BE_FOUND):
            return not_run(BROKEN_OFF)  # the program may run still, where nobody can tell
        given: list[Event] = []
        if session is None:
            prompt = task_prompt(self._job, without_notes(context["blocks"]))
        elif self._signals.answers and not broken_off:
            given, prompt = await self._answers(files)
        else:
            prompt = interrupted()
        while True:
            finished = await self._one_turn(files, prompt, session, beat)
            for event in given:
                self._done_with(event)
            if self._signals.over.is_set() or not _worked(finished):
                return self._report(finished, files)
            session = self.session
            # The look first: it gives an answer that is on its way the time to come.
            waits = (await answered(self._client, requests.run(self._job.run_id)))["status"]
            given, prompt = await self._answers(files)
            if not given:
                return None if waits == "waiting" else self._report(finished, files)

    @property
    def session(self) -> str | None:
        """The session that the next turn goes on with."""
        return self._turn.session if self._turn is not None else None

    async def _one_turn(
        self,
        files: Workspace,
        prompt: str,
        session: str | None,
        beat: Callable[[], Coroutine[Any, Any, None]],
    ) -> Finished:
        turn = self._turn = Turn(self._recipe, self._options, self._job.run_id, session)
        noting = asyncio.create_task(self._note_session(turn, str(files.place.resolve())))
        try:
            return await turn.run(
                files.file_with(prompt), files.place, files.environment, self._signals, beat()
            )
        finally:
            self._before = self._used(turn.heard.usage)
            turn.heard.usage = {}
            if turn.session is None:
                noting.cancel()
            await asyncio.wait([noting], timeout=_AGAIN_S)
            noting.cancel()

    async def _note_session(self, turn: Turn, folder: str) -> None:
        """Keeps the session with the run as soon as it is known: a restart needs it."""
        await turn.began.wait()
        if turn.session is None or turn.session == self._noted:
            return
        if (text := note(self._recipe.name, turn.session, folder)) is None:
            logger.warning("%s: its session cannot be resumed: odd id", self._job.run_id)
            return
        if await _until_done(lambda: self._client.add_context(self._job.run_id, text)):
            self._noted = turn.session

    async def _answers(self, files: Workspace) -> tuple[list[Event], str]:
        """The answers that the program has not waited for itself, and the turn that tells them."""
        seen = files.answers_had()
        arrived, self._signals.answers[:] = list(self._signals.answers), []
        for event in arrived:
            if event["decision_id"] in seen:
                self._done_with(event)
        fresh = [event for event in arrived if event["decision_id"] not in seen]
        told = [answer_prompt(event, await self._title(event["decision_id"])) for event in fresh]
        return fresh, "\n\n".join(told)

    async def _title(self, decision_id: str) -> str:
        try:
            decision = await answered(self._client, requests.decision(decision_id))
        except ApiError:
            return decision_id
        return str(decision.get("title") or decision_id)

    def _report(self, finished: Finished, files: Workspace) -> Report:
        report = report_of(replace(finished, output_was_set=files.output_was_set()))
        return replace(report, usage=self.usage or None)

    def _used(self, turn: Usage) -> Usage:
        if not turn:
            return self._before
        if self._recipe.usage_of_session:
            return turn
        before = self._before
        used: Usage = {
            "input_tokens": before.get("input_tokens", 0) + turn.get("input_tokens", 0),
            "output_tokens": before.get("output_tokens", 0) + turn.get("output_tokens", 0),
        }
        if "cost_usd" in before or "cost_usd" in turn:
            used["cost_usd"] = before.get("cost_usd", 0.0) + turn.get("cost_usd", 0.0)
        return used


BROKEN_OFF = (
    "The worker was ended in the middle of this run, and its command with it. Part of the work may"
    " be done already, so it is not done again by itself."
)


def _worked(finished: Finished) -> bool:
    return finished.status == 0 and finished.ended_by is None


def _usage_of(run: Run) -> Usage:
    """What the run had used when it was looked at."""
    reported = run.get("usage") or {}
    counts: Usage = {
        "input_tokens": reported.get("input_tokens") or 0,
        "output_tokens": reported.get("output_tokens") or 0,
    }
    if reported.get("cost_usd") is not None:
        counts["cost_usd"] = reported["cost_usd"]
    return counts if any(counts.values()) else {}


async def _until_done(call: Callable[[], Awaitable[object]]) -> bool:
    """Tries a call until the server has answered it. Whether it said yes."""
    while True:
        try:
            await call()
        except ApiError as error:
            logger.debug("the session is not noted: %s", error)
            return False
        except NodError:
            await asyncio.sleep(_AGAIN_S)
        else:
            return True
