"""What a handler has returned or raised, as a result for the server."""

from dataclasses import dataclass
from typing import Any

from nod.client.types import RunResult

SUMMARY_CHARS = 1_000


@dataclass(frozen=True, slots=True)
class Result:
    """How a run ended. `output` None: none is set."""

    status: RunResult
    summary: str | None
    output: str | None


def returned(value: Any, output: str | None) -> Result:
    """The result of a handler that returned `value`.

    Text too long for a summary is the output, after what the handler has put there, and its first
    lines are the summary.
    """
    if value is None:
        return Result("completed", None, output)
    if not isinstance(value, str):
        kind = type(value).__name__
        return Result("failed", f"the handler returned {kind}; it must return text or None", output)
    if len(value) > SUMMARY_CHARS:
        output = value if output is None else f"{output}\n\n{value}"
    return Result("completed", _first_lines(value), output)


def raised(error: BaseException, output: str | None) -> Result:
    """The result of a handler that raised."""
    words = str(error).strip() or type(error).__name__
    return Result("failed", _first_lines(words), output)


def _first_lines(text: str) -> str:
    """As many whole lines as a summary holds; of a first line that is longer, its beginning."""
    if len(text) <= SUMMARY_CHARS:
        return text
    head = text[: SUMMARY_CHARS - 2]
    return (head.rpartition("\n")[0].rstrip() or head) + "\n…"
