"""A person's chat: each message is a turn of the session that belongs to its conversation."""

import asyncio
import contextlib
import json
import logging
import tempfile
from collections.abc import Mapping
from pathlib import Path

from nod.client.agent import Agent
from nod.client.asking import ASKED_FILE, answers_had
from nod.client.errors import ApiError, NodError
from nod.client.types import Event
from nod.worker import leftovers
from nod.worker.environment import credentials, inherited
from nod.worker.journal import Journal, write_private
from nod.worker.options import Options
from nod.worker.prompts import answer_prompt, chat_prompt, interrupted
from nod.worker.recipes.recipe import Recipe
from nod.worker.report import Finished, report_of
from nod.worker.turn import Turn
from nod.worker.watch import Signals
from nod.worker.workspace import asked_name, folder_for

logger = logging.getLogger("nod.work")

_HEARTBEAT_S = 2.0
_AGAIN_S = 5.0
_SESSIONS = 1_000
_MESSAGE_CHARS = 200_000
_BROKEN_OFF = (
    "I was restarted while I worked on this message, and cannot tell how far I had come. Write"
    " again if it still matters:\n\n> {text}"
)


class Sessions:
    """Which session belongs to which conversation; on disk, since it outlasts the worker."""

    def __init__(self, path: Path, recipe: str) -> None:
        self._path = path
        self._recipe = recipe

    def of(self, conversation_id: str) -> str | None:
        """The conversation's session."""
        return self._all().get(conversation_id)

    def keep(self, conversation_id: str, session: str | None) -> None:
        """Notes the session, or that there is none."""
        known = {key: value for key, value in self._all().items() if key != conversation_id}
        if session is not None:
            known[conversation_id] = session
        newest = dict(list(known.items())[-_SESSIONS:])
        write_private(self._path, json.dumps({"recipe": self._recipe, "sessions": newest}))

    def _all(self) -> Mapping[str, str]:
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return {}
        return found["sessions"] if found.get("recipe") == self._recipe else {}


class Dialogue:
    """Takes chat events one after another and answers them."""

    def __init__(
        self, agent: Agent, options: Options, recipe: Recipe, journal: Journal, sessions: Sessions
    ) -> None:
        self._agent = agent
        self._options = options
        self._recipe = recipe
        self._journal = journal
        self._sessions = sessions
        self._had: set[str] = set()  # answers that a turn has waited for itself

    async def answer_safely(self, event: Event, signals: Signals) -> None:
        """Does the turn, says its last words; nothing that it meets ends the worker."""
        conversation_id = str(event.get("conversation_id"))
        if event.get("decision_id") in self._had:
            self._journal.drop(str(event.get("event_id")))
            return
        try:
            text = await self._answer(event, conversation_id, signals)
            await self._say(conversation_id, text)
        except ApiError as error:
            logger.warning("%s cannot be answered: %s", conversation_id, error.detail)
        except Exception:
            logger.exception("%s met an error of this worker", conversation_id)
        self._journal.drop(str(event.get("event_id")))

    async def _answer(self, event: Event, conversation_id: str, signals: Signals) -> str:
        key = str(event.get("event_id"))
        entry = self._journal.entry(key)
        session = self._sessions.of(conversation_id)
        broken_off = entry is not None and entry.state == "started"
        if broken_off:
            leftovers.end_all(key)
            if session is None or not leftovers.CAN_BE_FOUND:
                return _BROKEN_OFF.format(text=str(event.get("text"))[:1_000])
        self._journal.mark(key, "started")
        logger.info("%s: a turn begins", conversation_id)
        prompt = interrupted() if broken_off else await self._prompt(event, first=session is None)
        turn, finished = await self._turn(conversation_id, key, prompt, session, signals)
        if session is not None and finished.status != 0 and not turn.heard.doing:
            # The program does not know the session any more, and has done nothing.
            self._sessions.keep(conversation_id, None)
            prompt = await self._prompt(event, first=True)
            turn, finished = await self._turn(conversation_id, key, prompt, None, signals)
        return _words(finished)

    async def _prompt(self, event: Event, *, first: bool) -> str:
        if event.get("type") == "user_message":
            return chat_prompt(event, first=first)
        try:
            decision = await self._agent.client.decision(str(event["decision_id"]))
        except ApiError:
            return answer_prompt(event, str(event["decision_id"]))
        return answer_prompt(event, str(decision.get("title") or event["decision_id"]))

    async def _turn(
        self,
        conversation_id: str,
        key: str,
        prompt: str,
        session: str | None,
        signals: Signals,
    ) -> tuple[Turn, Finished]:
        turn = Turn(self._recipe, self._options, key, session)
        asked = self._journal.folder / asked_name(key)
        environment = {
            **inherited(self._options.environment),
            **credentials(self._agent.client.settings),
            ASKED_FILE: str(asked),
        }
        keeping = asyncio.create_task(self._keep_session(conversation_id, turn))
        try:
            with tempfile.TemporaryDirectory(prefix="turn-", dir=self._journal.folder) as name:
                file = Path(name) / "prompt.md"
                file.write_text(prompt, encoding="utf-8", errors="replace")
                finished = await turn.run(
                    file,
                    folder_for(self._options, conversation_id),
                    environment,
                    signals,
                    self._beat(conversation_id, turn),
                )
        except OSError as error:
            why = f"cannot run {self._recipe.program!r} here: {error}"
            finished = Finished(1, "", "", output_was_set=False, ended_by=why)
        finally:
            keeping.cancel()
            self._had |= answers_had(asked)
        if turn.session is not None and finished.status == 0:
            self._sessions.keep(conversation_id, turn.session)
        return turn, finished

    async def _keep_session(self, conversation_id: str, turn: Turn) -> None:
        await turn.began.wait()
        self._sessions.keep(conversation_id, turn.session)

    async def _beat(self, conversation_id: str, turn: Turn) -> None:
        while True:
            try:
                await self._agent.heartbeat(
                    conversation_id=conversation_id, status_text=turn.heard.doing or "Thinking"
                )
            except NodError as error:
                logger.debug("%s: no sign of life: %s", conversation_id, error)
            await asyncio.sleep(_HEARTBEAT_S)

    async def _say(self, conversation_id: str, text: str) -> None:
        """Sends the answer, however long the server is away."""
        while True:
            try:
                await self._agent.message(text, conversation_id=conversation_id)
            except ApiError:
                raise
            except NodError:
                await asyncio.sleep(_AGAIN_S)
            else:
                break
        logger.info("%s: answered", conversation_id)
        with contextlib.suppress(NodError):
            await self._agent.send({"type": "agent_idle", "conversation_id": conversation_id})


def _words(finished: Finished) -> str:
    """What is sent: the program's last words, or why there are none."""
    if finished.status == 0 and finished.ended_by is None:
        text = finished.stdout.strip() or "Done; there is nothing to say about it."
        return text[:_MESSAGE_CHARS]
    return f"That did not work. {report_of(finished).summary}"
