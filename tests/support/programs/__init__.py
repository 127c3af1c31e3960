"""Stand-ins for the programs of `nod work --recipe`.

Each takes the documented flags of its program and no others, and prints what that program documents
that it prints. What it does is written in the prompt: `@@fail`, `@@wait FILE`, `@@ask TITLE` and
so on. Every call is noted, so that a test can look at its command line and prompt.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parents[2]
PROGRAMS = ("claude", "codex", "gemini", "opencode", "goose")


@dataclass
class Programs:
    """A folder for the path with all stand-ins, and the notes they make."""

    folder: Path

    @classmethod
    def install(cls, folder: Path) -> "Programs":
        folder.mkdir()
        for name in PROGRAMS:
            script = folder / name
            call = f"PYTHONPATH={TESTS} exec {sys.executable} -m support.programs.{name}"
            script.write_text(f'#!/bin/sh\nNOD_TEST_NOTES={folder}/calls {call} "$@"\n')
            script.chmod(0o755)
        return cls(folder)

    def calls(self) -> list[dict[str, Any]]:
        """Every call so far: `program`, `argv`, `prompt`, `folder`, `environment`."""
        notes = self.folder / "calls"
        return [json.loads(line) for line in notes.read_text().splitlines()]
