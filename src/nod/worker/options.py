"""How `nod work` was told to work."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nod.worker.recipes.recipe import Recipe

OUTPUT_BYTES = 1024 * 1024  # the most a run keeps


@dataclass(frozen=True, slots=True)
class Options:
    """What to run and how.

    `command` is the command, or with a `recipe` what is added to its command line. `script`: the
    prompt is a file that the command runs, and not its standard input. `timeout_s` None: as long as
    the server lets it. `folder` is where it runs; with `per_task` in a folder of the task's own in
    it. `environment` names the variables that are passed on; None passes all. `ask`: the person is
    asked for permissions.
    """

    command: Sequence[str]
    recipe: Recipe | None = None
    script: bool = False
    concurrency: int = 1
    timeout_s: float | None = None
    grace_s: float = 10.0
    folder: Path = Path()
    per_task: bool = False
    environment: Sequence[str] | None = None
    output_bytes: int = OUTPUT_BYTES
    ask: bool = False

    @property
    def program(self) -> str:
        """What is run, for people."""
        return self.recipe.program if self.recipe else self.command[0]
