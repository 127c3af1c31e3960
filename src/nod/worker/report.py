"""From what a command did to what the server is told. Nothing is left out without saying so."""

import signal
from dataclasses import dataclass

from nod.client.types import RunResult, Usage
from nod.worker.capture import shorten
from nod.worker.options import OUTPUT_BYTES

SUMMARY_CHARS = 1_000
_POINTER = "\n\n… (the beginning; the whole text is this run's output)"


@dataclass(frozen=True, slots=True)
class Finished:
    """What came of a command. `ended_by` says who ended it, if it did not end by itself, or why it
    has failed although its exit status does not say so.
    """

    status: int
    stdout: str
    stderr: str
    output_was_set: bool
    ended_by: str | None = None
    output_bytes: int = OUTPUT_BYTES


@dataclass(frozen=True, slots=True)
class Report:
    """What to tell the server; `output` is None when the summary says it all."""

    result: RunResult
    summary: str
    output: str | None
    usage: Usage | None = None


def report_of(finished: Finished) -> Report:
    """The report on a command that has ended."""
    if finished.status == 0 and finished.ended_by is None:
        return _success(finished)
    return _failure(finished)


def not_run(reason: str) -> Report:
    """The report on a command that did not run."""
    return Report("failed", reason[:SUMMARY_CHARS], None)


def _success(finished: Finished) -> Report:
    text = finished.stdout.strip("\n")
    if finished.output_was_set:
        return Report("completed", _beginning(text, "\n\n… (more on standard output)"), None)
    if len(text) <= SUMMARY_CHARS:
        return Report("completed", text, None)
    return Report("completed", _beginning(text, _POINTER), shorten(text, finished.output_bytes))


def _failure(finished: Finished) -> Report:
    """The end of standard error says why; both streams whole are the output if that is more."""
    cause = finished.ended_by or _exit(finished.status)
    stderr = finished.stderr.strip("\n")
    stdout = finished.stdout.strip("\n")
    if finished.output_was_set:
        return Report("failed", _ending(cause, stderr, "the end of standard error"), None)
    summary = _ending(cause, stderr, "the end of standard error; all of it is this run's output")
    if not stdout and stderr in summary:
        return Report("failed", summary, None)
    return Report("failed", summary, _both(cause, stdout, stderr, finished.output_bytes))


def _both(cause: str, stdout: str, stderr: str, limit_bytes: int) -> str:
    half = (limit_bytes - len(cause.encode()) - 1_000) // 2
    parts = [f"**Failed:** {cause}"]
    for heading, text in (("Standard error", stderr), ("Standard output", stdout)):
        if text:
            parts.append(f"## {heading}\n\n{shorten(text, half)}")
    return "\n\n".join(parts)


def _exit(status: int) -> str:
    if status >= 0:
        return f"the command ended with exit status {status}"
    try:
        return f"the command was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"the command was ended by signal {-status}"


def _beginning(text: str, pointer: str) -> str:
    """The first lines of the text, at most `SUMMARY_CHARS` with the pointer to the rest."""
    if len(text) <= SUMMARY_CHARS:
        return text
    room = SUMMARY_CHARS - len(pointer)
    cut = text.rfind("\n", room // 2, room)
    return text[: cut if cut > 0 else room].rstrip() + pointer


def _ending(cause: str, stderr: str, note: str) -> str:
    """The cause and the end of standard error, cut (which the note says) to `SUMMARY_CHARS`."""
    if not stderr:
        return cause[:SUMMARY_CHARS]
    whole = f"{cause}\n\n{stderr}"
    if len(whole) <= SUMMARY_CHARS:
        return whole
    lead = f"{cause}\n\n({note}) …\n"
    return lead + stderr[len(lead) - SUMMARY_CHARS :]
