"""Runs contestants in turn, each run in a process of its own, and keeps what they gave."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from bench.sample import Sample

PATIENCE_S = 300.0


class NotMeasuredError(Exception):
    """A contestant could not do its run; the message says why."""


@dataclass(frozen=True, slots=True)
class Contestant:
    """One row of a table: its name, its module, and where it keeps its jobs for a run."""

    name: str
    module: str
    target: Callable[[], str]
    options: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Column:
    """One column: the figure's key, its heading, and how many decimals it is shown with."""

    key: str
    heading: str
    decimals: int = 0


@dataclass(frozen=True, slots=True)
class Measurement:
    """One table: what is measured, of whom, and how to read it."""

    name: str
    title: str
    columns: Sequence[Column]
    contestants: Sequence[Contestant]
    jobs: int
    callers: int
    notes: Sequence[str] = ()

    def among(self, contestants: Sequence[Contestant]) -> Measurement:
        """The same with other contestants."""
        return replace(self, contestants=contestants)


@dataclass(slots=True)
class Outcome:
    """What a contestant gave: a sample for each run, or why it has none."""

    samples: list[Sample] = field(default_factory=list)
    failure: str = ""


def hold(
    measurement: Measurement, runs: int, progress: Callable[[str], None]
) -> Mapping[str, Outcome]:
    """Let all contestants run once, then all again, so that a slow minute hits them alike."""
    outcomes = {contestant.name: Outcome() for contestant in measurement.contestants}
    for number in range(1, runs + 1):
        for contestant in measurement.contestants:
            outcome = outcomes[contestant.name]
            if outcome.failure:
                continue
            progress(f"{measurement.name} {number}/{runs}: {contestant.name}")
            try:
                outcome.samples.append(one_run(measurement, contestant))
            except NotMeasuredError as error:
                outcome.failure = str(error)
    return outcomes


def one_run(measurement: Measurement, contestant: Contestant) -> Sample:
    """Start the contestant's process and read its figures.

    Raises:
        NotMeasuredError: it ended without any.
    """
    command = [
        *(sys.executable, "-m", contestant.module, measurement.name),
        *("--jobs", str(measurement.jobs), "--callers", str(measurement.callers)),
        *("--target", contestant.target(), *contestant.options),
    ]
    status, said, complained = ran(command)
    if status != 0:
        raise NotMeasuredError(last_line(complained))
    figures: dict[str, float] = json.loads(last_line(said))
    return figures


def ran(command: Sequence[str]) -> tuple[int, str, str]:
    """Run a command: its status, standard output and standard error.

    It leads a group of processes, which ends with it: no server of its own outlives it.

    Raises:
        NotMeasuredError: it took too long.
    """
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            said, complained = process.communicate(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            raise NotMeasuredError(f"not done within {PATIENCE_S:.0f} s") from None
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    return process.returncode, said, complained


def last_line(text: str) -> str:
    """The last line with words, without the frame that groups of errors are printed in."""
    lines = [line.strip(" |+-") for line in text.splitlines() if any(map(str.isalpha, line))]
    return lines[-1] if lines else "it ended without a word"
