"""One log for everything: Nod's own lines, and the warnings of the libraries beneath it."""

import logging
import os
import sys
from typing import Any, TextIO

import structlog
from structlog.types import EventDict, Processor, WrappedLogger

from nod.clock import Clock, SystemClock
from nod.telemetry.lines import Line, field_words, hide, human_line, json_line

# These tell at the level of information what nobody asked for: each connection of each agent,
# and addresses with tokens in them.
_UVICORN = ("uvicorn", "uvicorn.error", "uvicorn.access")
_CHATTY = (*_UVICORN, "httpx", "httpcore", "websockets", "asyncio", "mcp")


# Where the log goes; one for the whole process, as the standard library's logging is.
_where: list[TextIO] = []


def setup_logging(log_json: bool, stream: TextIO | None = None) -> None:
    """Make structlog and the standard library's logging write to `stream` (standard error).

    Lines for people, or with `log_json` one JSON object a line. Access logs stay off: an address
    may hold a trigger id, which is a secret.
    """
    out = sys.stderr if stream is None else stream
    _where[:] = [out]
    render = Renderer(log_json, colour=wants_colour(out))
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, render],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(out),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in _UVICORN:
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True


def log_stream() -> TextIO:
    """Where `setup_logging` has made the log go; standard error before that."""
    return _where[0] if _where else sys.stderr


def wants_colour(stream: TextIO) -> bool:
    """Whether a person reads it on a terminal and has not set NO_COLOR (no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR")


class Renderer:
    """The last processor: a log entry as the text of its line. No secret passes it."""

    def __init__(self, log_json: bool, *, colour: bool, clock: Clock | None = None) -> None:
        self._json = log_json
        self._colour = colour
        self._clock = clock or SystemClock()

    def __call__(self, _logger: WrappedLogger, _method: str, entry: EventDict) -> str:
        severity = str(entry.pop("level", "info"))
        event = str(entry.pop("event", ""))
        now = self._clock.now()
        if self._json:
            return hide(json_line(now, severity, event, entry))
        traceback = entry.pop("exception", None)
        words = field_words(_without_empty(entry))
        line = human_line(now, severity, Line(severity, _joined(event, words)), colour=self._colour)
        return hide(line if traceback is None else f"{line}\n{traceback}")


def _without_empty(entry: EventDict) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if value not in (None, "")}


def _joined(event: str, words: str) -> str:
    return f"{event}  {words}" if words else event
