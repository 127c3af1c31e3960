"""One turn of a program that a recipe knows: a prompt in, an answer out, its progress meanwhile."""

import asyncio
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any

from nod.worker.capture import Capture
from nod.worker.lines import Lines
from nod.worker.options import Options
from nod.worker.process import Start
from nod.worker.recipes.recipe import Call, Heard, Line, Recipe
from nod.worker.report import Finished
from nod.worker.watch import Signals, Watch

# What is kept of what a program prints beside its lines: enough to say why it failed.
_BESIDE_BYTES = 32 * 1024


class Turn:
    """`heard` grows while it runs; `session` is the one to go on with, and then the one it was."""

    def __init__(self, recipe: Recipe, options: Options, name: str, session: str | None) -> None:
        self._recipe = recipe
        self._options = options
        self._call = Call(name, session, options.command, options.ask)
        self.heard = Heard(session)
        self.began = asyncio.Event()
        self._stray = Capture(_BESIDE_BYTES // 2, _BESIDE_BYTES // 2)
        self._stderr = Capture(_BESIDE_BYTES // 2, _BESIDE_BYTES // 2)

    @property
    def session(self) -> str | None:
        """As far as it is known."""
        return self.heard.session

    def _hear(self, line: Line) -> None:
        self._recipe.hear(self.heard, line)
        if self._recipe.named and self.heard.session is None:
            self.heard.session = self._call.name
        if self.heard.session is not None:
            self.began.set()

    async def run(
        self,
        prompt: Path,
        place: Path,
        environment: Mapping[str, str],
        signals: Signals,
        beat: Coroutine[Any, Any, None],
    ) -> Finished:
        """Runs the program to its end. Raises OSError when it cannot be started."""
        lines = Lines(self._hear, self._stray.add)
        command = self._recipe.argv(self._call)
        what = Start(command, environment, prompt, place, self._call.name)
        watch = Watch(self._options, signals)
        status, ended_by = await watch.run(what, lines.add, self._stderr.add, beat)
        lines.end()
        return self._finished(status, ended_by)

    def _finished(self, status: int, ended_by: str | None) -> Finished:
        beside = "\n".join(filter(None, (self._stray.text().strip(), self._stderr.text().strip())))
        return Finished(
            status,
            self.heard.text,
            beside,
            output_was_set=False,
            ended_by=ended_by or self._complaint(status),
            output_bytes=self._options.output_bytes,
        )

    def _complaint(self, status: int) -> str | None:
        program = self._recipe.program
        if self.heard.error:
            return f"{program} says: {self.heard.error}"
        if status == 0 and not self.heard.ended:
            return f"{program} ended without a result"
        return None
