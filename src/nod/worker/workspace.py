"""The files and the environment a command finds: private to its user, gone when it ends."""

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nod.client.settings import Settings
from nod.client.types import Context
from nod.worker.job import Job

# `nod-task-output` touches the file this names, so that the worker leaves the output alone.
OUTPUT_MARKER = "NOD_OUTPUT_MARKER"
_OURS = ("NOD_PAYLOAD_FILE", "NOD_TRIGGER_FILE", "NOD_CONTEXT_FILE", OUTPUT_MARKER)


@dataclass(frozen=True, slots=True)
class Workspace:
    """`prompt` is the file for standard input."""

    prompt: Path
    environment: Mapping[str, str]
    marker: Path

    def output_was_set(self) -> bool:
        """Whether the command has set the run's output itself."""
        return self.marker.exists()


@contextmanager
def workspace(job: Job, context: Context, settings: Settings) -> Iterator[Workspace]:
    """Files for one run of the command, removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="nod-run-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        files = {"NOD_CONTEXT_FILE": _json(folder / "context.json", context["blocks"])}
        if job.triggered:
            files["NOD_PAYLOAD_FILE"] = _json(folder / "payload.json", job.payload)
            files["NOD_TRIGGER_FILE"] = _json(folder / "trigger.json", job.trigger)
        marker = folder / "output-set"
        prompt = _write(folder / "prompt.md", job.prompt)
        names = {key: str(path) for key, path in {**files, OUTPUT_MARKER: marker}.items()}
        yield Workspace(prompt, {**_inherited(), **_about(job, settings), **names}, marker)


def _inherited() -> dict[str, str]:
    """The worker's own environment, less what another run left, with `nod` on the path."""
    environment = {key: value for key, value in os.environ.items() if key not in _OURS}
    if shutil.which("nod") is None:
        scripts = str(Path(sys.executable).parent)
        environment["PATH"] = os.pathsep.join([environment.get("PATH", os.defpath), scripts])
    return environment


def _about(job: Job, settings: Settings) -> dict[str, str]:
    return {
        "NOD_API_URL": settings.url,
        "NOD_AGENT_ID": settings.agent_id,
        "NOD_SECRET": settings.secret,
        "NOD_RUN_ID": job.run_id,
        "NOD_TASK_ID": job.task_id,
        # A NUL cannot stand in an environment.
        "NOD_TASK_NAME": job.name.replace("\x00", "\ufffd"),
    }


def _json(path: Path, value: Any) -> Path:
    return _write(path, json.dumps(value, ensure_ascii=False, indent=2))


def _write(path: Path, text: str) -> Path:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8", errors="replace") as file:
        file.write(text)
    return path
