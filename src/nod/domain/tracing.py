"""W3C Trace Context: what a caller says of its trace, kept with the run and handed on. Pure.

Without OpenTelemetry Nod makes no spans: what it was given goes on as it came, and a run that was
given nothing has nothing. With it, the run is a span itself, whose ids follow from the run's id, so
that they are known before the span is made and the same wherever it is.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from nod.domain.model import Run

# Trace Context 1, 3.2: version, trace-id, parent-id and flags; later versions may say more.
_PARENT = re.compile(r"(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_STATE = re.compile(r"[\x20-\x7e]{1,512}")
_SAMPLED = "01"


@dataclass(frozen=True, slots=True)
class Trace:
    """Where a run stands in its caller's trace."""

    traceparent: str
    tracestate: str | None = None


def read_trace(headers: Mapping[str, str]) -> Trace | None:
    """The trace of a call, from its `traceparent` and `tracestate`; None without a valid one."""
    found = _PARENT.fullmatch(headers.get("traceparent", "").strip())
    if found is None or not int(found[2], 16) or not int(found[3], 16):
        return None
    if found[1] == "00" and found[5]:
        return None
    state = headers.get("tracestate", "").strip()
    known = state if _STATE.fullmatch(state) else None
    return Trace(f"00-{found[2]}-{found[3]}-{found[4]}", known)


def trace_of(run: Run) -> Trace | None:
    """Where the run stands in its caller's trace."""
    return None if run.traceparent is None else Trace(run.traceparent, run.tracestate)


def sent_trace(run: Run, *, traced: bool) -> dict[str, str]:
    """The fields by which the run's events say where it stands. `traced`: the run is a span."""
    if traced:
        flags = _SAMPLED if run.traceparent is None else run.traceparent[-2:]
        found = {"traceparent": f"00-{trace_id(run):032x}-{span_id(run.id):016x}-{flags}"}
    elif run.traceparent is None:
        return {}
    else:
        found = {"traceparent": run.traceparent}
    return found if run.tracestate is None else {**found, "tracestate": run.tracestate}


def is_sampled(run: Run) -> bool:
    """Whether the run's span is to be recorded: the caller's own is, or there is none."""
    return run.traceparent is None or bool(int(run.traceparent[-2:], 16) & 1)


def trace_id(run: Run) -> int:
    """The trace of the run: its caller's, else one of its own."""
    if run.traceparent is not None:
        return int(run.traceparent[3:35], 16)
    return own_trace_id(run.id)


def own_trace_id(run_id: str) -> int:
    """The trace of a run that was given none."""
    return int.from_bytes(_hash(run_id, "trace")[:16])


def parent_id(run: Run) -> int | None:
    """The span that the run's is a child of."""
    return None if run.traceparent is None else int(run.traceparent[36:52], 16)


def span_id(of: str) -> int:
    """The id of the span of a run, a delivery or a decision, by its id."""
    return int.from_bytes(_hash(of, "span")[:8])


def _hash(of: str, what: str) -> bytes:
    return hashlib.sha256(f"nod {what} {of}".encode()).digest()
