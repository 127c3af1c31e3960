"""The files and the environment a command finds: private to its user, gone when it ends."""

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from nod.client.asking import ASKED_FILE, answers_had
from nod.client.settings import Settings
from nod.client.types import Context
from nod.worker.environment import OUTPUT_MARKER, credentials, inherited
from nod.worker.job import Job
from nod.worker.journal import plain
from nod.worker.options import Options


@dataclass(frozen=True, slots=True)
class Workspace:
    """`prompt` is the file with the task's prompt, `place` the folder to run in."""

    prompt: Path
    environment: Mapping[str, str]
    place: Path
    _files: Path

    def output_was_set(self) -> bool:
        """Whether the command has set the run's output itself."""
        return (self._files / _OUTPUT_SET).exists()

    def answers_had(self) -> set[str]:
        """The ids of the decisions whose answers the command has waited for itself."""
        return answers_had(Path(self.environment[ASKED_FILE]))

    def file_with(self, text: str) -> Path:
        """A file with another prompt."""
        names = (self._files / f"turn-{number}.md" for number in count())
        return _write(next(each for each in names if not each.exists()), text)


_OUTPUT_SET = "output-set"


@contextmanager
def workspace(
    job: Job, context: Context, settings: Settings, options: Options, home: Path
) -> Iterator[Workspace]:
    """Files for one run of the command in `home`, removed afterwards. Raises OSError.

    What its commands have asked stays beside them for a worker that goes on with the run.
    """
    place = folder_for(options, job.task_id)
    with tempfile.TemporaryDirectory(prefix="run-", dir=home, ignore_cleanup_errors=True) as name:
        folder = Path(name)
        files = {
            "NOD_CONTEXT_FILE": _json(folder / "context.json", context["blocks"]),
            OUTPUT_MARKER: folder / _OUTPUT_SET,
            ASKED_FILE: home / asked_name(job.run_id),
        }
        if job.triggered:
            files["NOD_PAYLOAD_FILE"] = _json(folder / "payload.json", job.payload)
            files["NOD_TRIGGER_FILE"] = _json(folder / "trigger.json", job.trigger)
        environment = {
            **inherited(options.environment),
            **credentials(settings),
            **_about(job),
            **{key: str(path) for key, path in files.items()},
        }
        yield Workspace(_write(folder / "prompt.md", job.prompt), environment, place, folder)


def asked_name(run_id: str) -> str:
    """The file with what a run's commands have asked."""
    return f"{plain(run_id)}.asked"


def folder_for(options: Options, name: str) -> Path:
    """The folder to run in: the one for all, or the one in it for `name`. Raises OSError."""
    if not options.per_task:
        return options.folder
    folder = options.folder / plain(name)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _about(job: Job) -> dict[str, str]:
    trace = {"TRACEPARENT": job.traceparent, "TRACESTATE": job.tracestate}
    return {
        **{name: value for name, value in trace.items() if value is not None},
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
