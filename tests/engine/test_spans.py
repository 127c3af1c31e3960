"""A run is a span from its fire to its end, made of what is stored of it."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from nod.actions import answers, decisions
from nod.actions.decisions import DecisionFields
from nod.domain.decisions import Answer
from nod.domain.errors import Unavailable
from nod.domain.instant import SECOND
from nod.domain.model import Delivery, Run
from nod.domain.tracing import Trace, own_trace_id, parent_id, span_id, trace_id
from nod.engine.fire import run_now
from nod.opening import open_spans
from nod.store.store import Tx
from nod.telemetry.spans import Spans
from support.inprocess import running
from support.receiver import receiving
from support.steps import MINUTE_S, complete, events, newest, now, rescue_after, take_up
from support.world import World

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


async def spans_of(world: World, *run_ids: str) -> list[ReadableSpan]:
    """The spans of these runs, as they are sent."""
    exporter = InMemorySpanExporter()
    spans = Spans(exporter, pause_s=60)
    spans.start(world.store)
    for run_id in run_ids:
        spans.run_ended(run_id)
    await spans.close()  # sends at once what would have waited a moment
    return list(exporter.get_finished_spans())


def ids(span: ReadableSpan) -> tuple[int, int, int | None]:
    assert span.context is not None
    above = None if span.parent is None else span.parent.span_id
    return span.context.trace_id, span.context.span_id, above


def seconds(span: ReadableSpan, start: int) -> tuple[float, float]:
    """When it began and ended, in seconds after an instant."""
    assert span.start_time is not None
    assert span.end_time is not None
    return (span.start_time / 1e6 - start) / SECOND, (span.end_time / 1e6 - start) / SECOND


def attributes(spans: Sequence[ReadableSpan], name: str) -> list[object]:
    return [(each.attributes or {}).get(name) for each in spans]


async def lived(world: World) -> Run:
    """A run that was tried twice, asked its person, and completed."""
    task = await world.task("0 9 * * *", max_attempts=2)
    trace = Trace(PARENT)
    run = await world.store.write(lambda tx: run_now(tx, task, trace))
    (event,) = await events(world, run)

    async def attempt(tx: Tx, number: int, outcome: str) -> None:
        error, status = (None, 200) if outcome == "ok" else ("HTTP status 500", 500)
        made = Delivery(
            f"dlv_{number}", event.id, run.agent_id, run.id, "webhook", number, outcome,
            status, 1_000, "", error, tx.now,
        )  # fmt: skip
        await tx.events.insert_deliveries([made])

    world.clock.advance(1)
    await world.store.write(lambda tx: attempt(tx, 1, "http_error"))
    world.clock.advance(4)
    await world.store.write(lambda tx: attempt(tx, 2, "ok"))
    await take_up(world, run)
    fields = DecisionFields(title="May I?", task_run_id=run.id)
    asked = await world.store.write(lambda tx: decisions.open_decision(tx, world.agent, fields))
    world.clock.advance(10)
    yes = Answer("approved")
    await world.store.write(lambda tx: answers.resolve(tx, world.vault, world.owner, asked.id, yes))
    world.clock.advance(5)
    return await complete(world, await world.run(run.id))


async def test_a_run_is_a_span_with_its_deliveries_and_its_waits_for_a_person(
    world: World,
) -> None:
    run = await lived(world)
    whole, first, second, asked = await spans_of(world, run.id)
    names = [each.name for each in (whole, first, second, asked)]
    assert names == ["nod.run", "nod.delivery", "nod.delivery", "nod.decision"]
    trace, own, above = ids(whole)
    assert (trace, own, above) == (trace_id(run), span_id(run.id), parent_id(run))
    assert trace == 0x4BF92F3577B34DA6A3CE929D0E0E4736
    for each in (first, second, asked):
        assert ids(each)[0] == trace
        assert ids(each)[2] == own
    assert seconds(whole, run.created_at) == (0, 20)
    assert seconds(first, run.created_at) == (0, 1)
    assert seconds(second, run.created_at) == (4, 5)
    assert seconds(asked, run.created_at) == (5, 15)
    assert attributes([first, second], "http.response.status_code") == [500, 200]
    assert [each.status.status_code for each in (whole, first, second)] == [
        StatusCode.UNSET, StatusCode.ERROR, StatusCode.UNSET,
    ]  # fmt: skip
    assert attributes([whole, asked], "nod.run.status") == ["completed", None]
    assert attributes([asked], "nod.decision.status") == ["approved"]
    assert whole.resource.attributes["service.name"] == "nod"
    again = await spans_of(world, run.id)
    assert [ids(each) for each in again] == [ids(each) for each in (whole, first, second, asked)]


async def test_a_failure_says_so_and_its_retry_is_linked_to_it(world: World) -> None:
    task = await world.task("0 9 * * *", max_attempts=2, idempotent=True)
    failed = await complete(world, await take_up(world, await now(world, task)), "failed")
    await rescue_after(world, 5 * MINUTE_S)
    retry = await complete(world, await take_up(world, await newest(world, task)))
    first, second = await spans_of(world, failed.id, retry.id)
    assert first.status.status_code is StatusCode.ERROR
    assert first.status.description == failed.error
    assert (ids(first)[0], ids(first)[2]) == (own_trace_id(failed.id), None)
    (link,) = second.links
    assert (link.context.trace_id, link.context.span_id) == ids(first)[:2]
    assert second.start_time == retry.scheduled_for * 1_000_000


async def test_what_its_caller_does_not_record_and_what_is_gone_make_none(world: World) -> None:
    task = await world.task()
    silent = Trace(f"{PARENT[:-2]}00")
    run = await world.store.write(lambda tx: run_now(tx, task, silent))
    await complete(world, await take_up(world, run))
    assert await spans_of(world, run.id, "run_gone") == []


async def test_without_its_database_spans_are_lost_and_nothing_else(world: World) -> None:
    async def away(_work: object) -> None:
        raise Unavailable("the database is away")

    exporter = InMemorySpanExporter()
    spans = Spans(exporter, pause_s=0)
    spans.run_ended("run_early")
    await spans.close()
    other = Spans(exporter, pause_s=0)
    world.store.read = away  # type: ignore[method-assign,assignment]
    other.start(world.store)
    other.run_ended("run_1")
    await other.close()
    assert exporter.get_finished_spans() == ()


@pytest.fixture
def no_variables(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": " "},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_SDK_DISABLED": "TRUE"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_TRACES_EXPORTER": "none"},
    ],
)
def test_none_are_made_unless_the_standard_variables_say_where_they_go(
    environ: dict[str, str],
) -> None:
    assert open_spans(environ) is None


async def test_they_arrive_by_otlp_and_the_agent_stands_below_them(
    tmp_path: Path, no_variables: pytest.MonkeyPatch
) -> None:
    async with receiving() as collector, receiving() as hook:
        no_variables.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        no_variables.setenv("OTEL_SERVICE_NAME", "alarms")
        async with running(tmp_path) as nod:
            ada = await nod.add_agent(webhook_url=hook.url)
            task = await nod.add_task(ada)
            run_id = (await nod.nod.store.write(lambda tx: run_now(tx, task))).id
            await nod.until_settled(run_id)
            async with nod.http(ada) as http:
                done = {"status": "completed", "summary": "ok"}
                await http.post(f"/tasks/runs/{run_id}/complete", json=done)
        request = ExportTraceServiceRequest.FromString(collector.calls[0].body)
    (resource,) = request.resource_spans
    assert "alarms" in str(resource.resource.attributes)
    whole, delivery = resource.scope_spans[0].spans
    assert (whole.name, delivery.name) == ("nod.run", "nod.delivery")
    assert delivery.parent_span_id == whole.span_id
    assert whole.span_id.hex() == f"{span_id(run_id):016x}"
    assert hook.calls[0].headers["traceparent"].split("-")[1:3] == [
        whole.trace_id.hex(), whole.span_id.hex(),
    ]  # fmt: skip
