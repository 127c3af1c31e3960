"""What all stand-ins have in common."""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Turn:
    """One call of a stand-in: `session` is the one it was told to go on with."""

    session: str | None
    prompt: str

    def wants(self, what: str) -> str | None:
        """What stands behind `@@what` in the prompt."""
        found = re.search(rf"@@{what}\b *([^\n]*)", self.prompt)
        return found[1].strip() if found else None

    def act(self) -> str:
        """Does what the prompt says; returns the last words."""
        if (gate := self.wants("wait")) is not None:
            Path(gate).read_text()
        if (title := self.wants("ask")) is not None:
            nod("ask", title)
        if (title := self.wants("answered")) is not None:
            sys.stderr.write(nod("ask", "--wait", title))
        if self.wants("env"):
            names = sorted(os.environ)
            return f"Saw {names}"
        words = [line for line in self.prompt.splitlines() if line.strip()]
        return f"Done: {words[-1]}"


def noted(program: str, session: str | None) -> Turn:
    """Notes the call, and reads its prompt."""
    turn = Turn(session, sys.stdin.read())
    note = {
        "program": program,
        "argv": sys.argv[1:],
        "prompt": turn.prompt,
        "folder": str(Path.cwd()),
        "environment": sorted(os.environ),
    }
    with Path(os.environ["NOD_TEST_NOTES"]).open("a") as notes:
        notes.write(json.dumps(note) + "\n")
    return turn


def say(line: object) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def nod(*arguments: str) -> str:
    return subprocess.run(
        [str(Path(sys.executable).with_name("nod")), *arguments],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
