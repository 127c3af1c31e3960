"""Runs as spans of OpenTelemetry: made when a run has ended, from what is stored of it.

Nothing of a span is kept while its run lives, and the ids follow from those of the run, its
deliveries and its questions. So a run that outlives a restart, or ends on another server than it
began on, is one span all the same. This module is imported only where spans are wanted.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import structlog
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.util.types import AttributeValue

from nod.domain.errors import Unavailable
from nod.domain.instant import Instant
from nod.domain.model import Decision, Delivery, Run
from nod.domain.tracing import is_sampled, own_trace_id, parent_id, span_id, trace_id
from nod.store.store import Store, Tx
from nod.version import __version__

_log = structlog.get_logger("nod.spans")
_SCOPE = InstrumentationScope("nod", __version__)
# What an agent acknowledges on its socket is written a moment later than the end of its run.
_PAUSE_S = 2.0
_CHUNK = 50
_NS = 1_000_000  # in a millisecond

Attributes = dict[str, AttributeValue]


@dataclass(frozen=True, slots=True)
class Ended:
    """A run that has ended, and what happened in its life."""

    run: Run
    task_name: str
    deliveries: Sequence[Delivery]
    decisions: Sequence[Decision]


class Spans:
    """Makes the spans of runs that have ended and sends them, beside all other work.

    What cannot be sent is dropped: spans tell of work, they are none of it.
    """

    def __init__(self, exporter: SpanExporter | None = None, pause_s: float = _PAUSE_S) -> None:
        """`exporter` None: by OTLP over HTTP, as the standard variables say."""
        self._processor = BatchSpanProcessor(exporter or OTLPSpanExporter())
        self._resource = _resource()
        self._pause_s = pause_s
        self._store: Store | None = None
        self._ended: deque[str] = deque()
        self._sending: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()

    def start(self, store: Store) -> None:
        """From now on runs can be looked up."""
        self._store = store

    def run_ended(self, run_id: str) -> None:
        """Take note of a run that has ended, in the event loop's thread."""
        self._ended.append(run_id)
        if self._sending is None:
            self._sending = asyncio.create_task(self._send_all(), name="spans")

    async def close(self) -> None:
        """Send what there is. The store has to be open still."""
        self._closing.set()
        if self._sending is not None:
            await self._sending
        await asyncio.to_thread(self._processor.shutdown)

    async def _send_all(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._pause_s):
                await self._closing.wait()
        try:
            while self._ended:
                await self._send_some()
        finally:
            self._sending = None

    async def _send_some(self) -> None:
        run_ids = [self._ended.popleft() for _ in range(min(_CHUNK, len(self._ended)))]
        if self._store is None:
            return
        try:
            found = await self._store.read(lambda tx: _load(tx, run_ids))
        except Unavailable as error:
            _log.warning("spans are lost", runs=len(run_ids), reason=error.detail)
            return
        for ended in found:
            for span in spans_of(ended, self._resource):
                self._processor.on_end(span)


async def _load(tx: Tx, run_ids: Sequence[str]) -> list[Ended]:
    found = []
    for run_id in run_ids:
        run = await tx.runs.get(run_id)
        task = None if run is None else await tx.tasks.get(run.task_id)
        if run is None or task is None or not is_sampled(run):
            continue
        deliveries: list[Delivery] = []
        for event in await tx.events.of_run(run.id):
            deliveries += await tx.events.deliveries_of_event(event.id)
        found.append(Ended(run, task.name, deliveries, await tx.runs.questions(run.id)))
    return found


def spans_of(ended: Ended, resource: Resource) -> Iterator[ReadableSpan]:
    """The run from its fire to its end, and in it each delivery and each wait for a person."""
    run = ended.run
    end = run.finished_at or run.created_at
    start = min(max(run.created_at, run.scheduled_for), end)
    above = parent_id(run)
    yield _span(
        "nod.run",
        _context(run, span_id(run.id)),
        None if above is None else _context(run, above, is_remote=True),
        resource,
        (start, end),
        _about_run(ended),
        error=run.error if run.status == "failed" else None,
        kind=SpanKind.INTERNAL if above is None else SpanKind.CONSUMER,
        links=_links(run),
    )
    for each in ended.deliveries:
        began = min(max(each.created_at - each.latency_ms, start), end)
        yield _span(
            "nod.delivery",
            _context(run, span_id(each.id)),
            _context(run, span_id(run.id)),
            resource,
            (began, min(max(each.created_at, began), end)),
            _about_delivery(each),
            error=None if each.outcome == "ok" else each.error or each.outcome,
            kind=SpanKind.PRODUCER,
        )
    for asked in ended.decisions:
        began = min(max(asked.created_at, start), end)
        yield _span(
            "nod.decision",
            _context(run, span_id(asked.id)),
            _context(run, span_id(run.id)),
            resource,
            (began, min(max(asked.resolved_at or end, began), end)),
            {
                "nod.decision.id": asked.id,
                "nod.decision.kind": asked.kind,
                "nod.decision.status": asked.status,
            },
        )


def _about_run(ended: Ended) -> Attributes:
    run = ended.run
    known: dict[str, AttributeValue | None] = {
        "nod.run.id": run.id,
        "nod.run.status": run.status,
        "nod.run.trigger": run.trigger,
        "nod.run.attempt": run.attempt,
        "nod.run.reason": run.reason,
        "nod.task.id": run.task_id,
        "nod.task.name": ended.task_name,
        "nod.agent.id": run.agent_id,
        "gen_ai.usage.input_tokens": run.input_tokens,
        "gen_ai.usage.output_tokens": run.output_tokens,
    }
    return {name: value for name, value in known.items() if value is not None}


def _about_delivery(each: Delivery) -> Attributes:
    status: Attributes = {} if each.status is None else {"http.response.status_code": each.status}
    return {
        "nod.delivery.id": each.id,
        "nod.event.id": each.event_id,
        "nod.delivery.channel": each.channel,
        "nod.delivery.attempt": each.attempt,
        "nod.delivery.outcome": each.outcome,
        **status,
    }


def _links(run: Run) -> Sequence[Link]:
    """A retry has a span of its own, linked to that of the run before it."""
    if run.retry_of is None:
        return ()
    trace = own_trace_id(run.retry_of) if run.traceparent is None else trace_id(run)
    return (Link(_in_trace(trace, span_id(run.retry_of))),)


def _context(run: Run, span: int, *, is_remote: bool = False) -> SpanContext:
    return _in_trace(trace_id(run), span, is_remote=is_remote)


def _in_trace(trace: int, span: int, *, is_remote: bool = False) -> SpanContext:
    return SpanContext(trace, span, is_remote, TraceFlags(TraceFlags.SAMPLED))


def _span(
    name: str,
    context: SpanContext,
    parent: SpanContext | None,
    resource: Resource,
    between: tuple[Instant, Instant],
    attributes: Attributes,
    *,
    error: str | None = None,
    kind: SpanKind = SpanKind.INTERNAL,
    links: Sequence[Link] = (),
) -> ReadableSpan:
    return ReadableSpan(
        name,
        context,
        parent,
        resource,
        attributes,
        links=links,
        kind=kind,
        status=Status() if error is None else Status(StatusCode.ERROR, error),
        start_time=between[0] * _NS,
        end_time=between[1] * _NS,
        instrumentation_scope=_SCOPE,
    )


def _resource() -> Resource:
    """What the standard variables say of this service, over what it is without them."""
    found = Resource.create({SERVICE_VERSION: __version__})
    named = str(found.attributes.get(SERVICE_NAME, "")).partition(":")[0] != "unknown_service"
    return found if named else found.merge(Resource({SERVICE_NAME: "nod"}))
