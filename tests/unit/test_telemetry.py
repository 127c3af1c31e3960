"""What an operator reads in the log and counts in the metrics."""

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from prometheus_client import generate_latest

from nod.domain.limits import Limits
from nod.domain.policy import plan_fires
from nod.store.effects import Fact
from nod.telemetry import _CHUNK, Telemetry, setup_logging
from nod.telemetry.metrics import skip_class
from support.clock import MONDAY_9, FakeClock

SECRET = "nod_" + "ab12" * 10
TRIGGER = "0123456789abcdef" * 4
RUN: dict[str, Any] = {"task_id": "tsk_1", "run_id": "run_1", "agent_id": "agt_1"}


class Screen(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        return True


async def logged(*facts: Fact, log_json: bool = False, stream: io.StringIO | None = None) -> str:
    """What is written for these facts."""
    out = io.StringIO() if stream is None else stream
    telemetry = Telemetry(log_json, out, FakeClock())
    telemetry.record(facts)
    await telemetry.close()
    return out.getvalue()


@pytest.mark.parametrize(
    ("fact", "line"),
    [
        (
            Fact("fired", {**RUN, "task_name": "Daily summary", "late_s": 0.021, "reason": None}),
            "09:00:00Z fired            Daily summary  run_1  0.02 s late",
        ),
        (
            Fact("fired", {**RUN, "late_s": 7_200.0, "reason": None}),
            "09:00:00Z fired            tsk_1  run_1  2 h late",
        ),
        (
            Fact("skipped", {**RUN, "late_s": 0.0, "reason": "the 08:00 run was still going"}),
            "09:00:00Z skipped          tsk_1  run_1  the 08:00 run was still going",
        ),
        (
            Fact("triggered", {**RUN, "late_s": 0.0, "reason": None}),
            "09:00:00Z triggered        tsk_1  run_1  by a call",
        ),
        (
            Fact(
                "delivered",
                {"run_id": "run_1", "type": "task_due", "channel": "websocket", "latency_ms": 3},
            ),
            "09:00:00Z delivered        run_1  task_due by websocket in 3 ms",
        ),
        (
            Fact(
                "delivery_failed",
                {"run_id": "run_1", "channel": "webhook", "reason": "HTTP 500", "next_s": 30.4},
            ),
            "09:00:00Z delivery failed  run_1  by webhook: HTTP 500; next try in 30 s",
        ),
        (
            Fact(
                "delivery_failed",
                {"run_id": "run_1", "channel": "webhook", "reason": "HTTP 500", "next_s": None},
            ),
            "09:00:00Z delivery failed  run_1  by webhook: HTTP 500; no further try",
        ),
        (
            Fact("dropped", {"run_id": "run_1", "channel": "websocket", "reason": "no ack came"}),
            "09:00:00Z dropped          run_1  no ack came",
        ),
        (
            Fact(
                "run_ended",
                {**RUN, "status": "failed", "error": "timeout", "reason": None, "seconds": 60.0},
            ),
            "09:00:00Z failed           tsk_1  run_1  after 60.0 s  timeout",
        ),
        (
            Fact("retry_planned", {**RUN, "retry_of": "run_0", "minutes": 5}),
            "09:00:00Z retry planned    tsk_1  run_1  in 5 min, because run_0 failed",
        ),
        (
            Fact("task_paused", {"task_id": "tsk_1", "reason": "10 failures in a row"}),
            "09:00:00Z task paused      tsk_1  10 failures in a row",
        ),
        (
            Fact("agent_created", {"agent_id": "agt_1", "seen_at": MONDAY_9, "note": None}),
            "09:00:00Z agent created    agt_1  seen_at=2026-03-02T09:00:00Z",
        ),
    ],
)
async def test_each_thing_that_happens_is_one_readable_line(fact: Fact, line: str) -> None:
    assert await logged(fact) == line + "\n"


async def test_json_lines_carry_time_level_event_and_fields() -> None:
    fired = Fact("fired", {**RUN, "late_s": 0.5, "reason": None})
    failed = Fact("run_ended", {**RUN, "status": "failed", "seconds": None, "error": "timeout"})
    lines = [json.loads(each) for each in (await logged(fired, failed, log_json=True)).splitlines()]
    assert lines[0] == {
        "time": "2026-03-02T09:00:00.000Z",
        "level": "info",
        "event": "fired",
        **RUN,
        "late_s": 0.5,
        "reason": None,
    }
    assert (lines[1]["level"], lines[1]["error"]) == ("warning", "timeout")


@pytest.mark.parametrize("log_json", [False, True])
async def test_no_secret_reaches_the_log_wherever_it_stands(log_json: bool) -> None:
    whsec = "whsec_" + "QUJD" * 8
    text = await logged(
        Fact("task_paused", {"task_id": "tsk_1", "reason": f"agent: {SECRET} {whsec} {TRIGGER}"}),
        Fact("odd", {"agent_id": "agt_1", "password": "hunter2", "trigger_id": "t", "key": "k"}),
        log_json=log_json,
    )
    for secret in (SECRET, whsec, TRIGGER, "hunter2"):
        assert secret not in text
    assert "[hidden]" in text


async def test_text_from_outside_cannot_forge_a_line_or_drive_the_terminal() -> None:
    reason = "boom\n09:00:00Z fired  fake\x1b[2J" + "x" * 1_000
    text = await logged(Fact("task_paused", {"task_id": "tsk_1", "reason": reason}))
    assert text.count("\n") == 1
    assert "\x1b" not in text
    assert len(text) < 400


async def test_a_terminal_gets_colours_unless_it_asks_for_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fact = Fact("fired", {**RUN, "late_s": 0.0})
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[1mfired" in await logged(fact, stream=Screen())
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in await logged(fact, stream=Screen())


async def test_signs_of_life_are_not_written() -> None:
    assert await logged(Fact("thinking", {"agent_id": "agt_1"})) == ""
    assert await logged() == ""


async def test_a_burst_is_taken_at_once_and_written_later_in_order() -> None:
    out = io.StringIO()
    telemetry = Telemetry(log_json=False, stream=out)
    facts = [Fact("fired", {**RUN, "run_id": f"run_{n}", "late_s": 0.0}) for n in range(10_000)]
    telemetry.record(facts)
    assert out.getvalue() == ""
    await telemetry.close()
    lines = out.getvalue().splitlines()
    assert len(lines) == 10_000
    assert "run_0 " in lines[0]
    assert "run_9999 " in lines[-1]


async def test_other_work_goes_on_while_a_burst_is_written() -> None:
    out = io.StringIO()
    telemetry = Telemetry(log_json=True, stream=out)
    telemetry.record([Fact("fired", {**RUN, "late_s": 0.0}) for _ in range(5_000)])
    while before := len(telemetry._facts):
        await asyncio.sleep(0)
        assert before - len(telemetry._facts) <= _CHUNK
    await telemetry.close()
    assert out.getvalue().count("\n") == 5_000
    telemetry.record([Fact("fired", {**RUN, "late_s": 0.0})])
    await telemetry.close()
    assert out.getvalue().count("\n") == 5_001


class Heard(io.StringIO):
    """A log that tells when something has been written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def write(self, text: str, /) -> int:
        written = super().write(text)
        self._loop.call_soon_threadsafe(self.written.set)
        return written


async def test_facts_wait_until_there_is_time_for_them() -> None:
    calm = asyncio.Event()

    async def wait() -> None:
        await calm.wait()

    out = Heard()
    telemetry = Telemetry(log_json=False, stream=out, calm=wait)
    telemetry.record([Fact("fired", {**RUN, "late_s": 0.0})])
    assert out.getvalue() == ""
    calm.set()
    await out.written.wait()
    assert out.getvalue().count("fired") == 1
    await telemetry.close()


class Gone(io.StringIO):
    """A pipe whose reader has gone."""

    def write(self, _: str, /) -> int:
        raise BrokenPipeError


async def test_a_log_that_nobody_reads_any_more_stops_nothing() -> None:
    telemetry = Telemetry(log_json=False, stream=Gone())
    telemetry.record([Fact("fired", {**RUN, "late_s": 0.0})])
    await telemetry.close()
    assert b"nod_fires_total 1.0" in generate_latest(telemetry.registry)


@pytest.mark.parametrize("log_json", [False, True])
async def test_lines_that_a_slow_reader_costs_are_counted_and_said(
    log_json: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nod.telemetry._WAITING_CHARS", 1)
    out = io.StringIO()
    telemetry = Telemetry(log_json, out)
    telemetry.record([Fact("fired", {**RUN, "late_s": 0.0}) for _ in range(350)])
    await telemetry.close()  # the first chunk waits; the others find no room
    assert out.getvalue().count("fired") == 100
    telemetry.record([Fact("fired", {**RUN, "late_s": 0.0})])
    await telemetry.close()
    assert "250" in out.getvalue()
    assert out.getvalue().count("\n") == 102


async def test_the_metrics_say_what_happened_with_few_labels() -> None:
    telemetry = Telemetry(log_json=False, stream=io.StringIO())
    telemetry.watch_sockets(lambda: 3)
    telemetry.record(
        [
            Fact("fired", {**RUN, "late_s": 0.02}),
            Fact("triggered", {**RUN, "late_s": 0.0}),
            Fact("skipped", {**RUN, "late_s": 0.0, "reason": "paused: holidays"}),
            Fact("delivered", {"channel": "websocket", "type": "task_due", "latency_ms": 2}),
            Fact("delivery_failed", {"channel": "webhook", "reason": "x", "next_s": None}),
            Fact("dropped", {"channel": "websocket", "reason": "x"}),
            Fact("event_dead", {"event_id": "evt_1", "reason": "x"}),
            Fact("set_aside", {"what": "run", "id": "run_1", "reason": "x"}),
            Fact("run_ended", {**RUN, "status": "completed", "seconds": 2.0}),
            Fact("run_ended", {**RUN, "status": "cancelled", "seconds": None}),
        ]
    )
    await telemetry.close()
    text = generate_latest(telemetry.registry).decode()
    for line in (
        "nod_fires_total 1.0",
        "nod_triggers_total 1.0",
        'nod_set_aside_total{what="run"} 1.0',
        'nod_skips_total{reason="paused"} 1.0',
        'nod_fire_lag_seconds_bucket{le="0.025"} 1.0',
        'nod_deliveries_total{channel="websocket",outcome="ok"} 1.0',
        'nod_deliveries_total{channel="websocket",outcome="failed"} 1.0',
        'nod_deliveries_total{channel="webhook",outcome="failed"} 1.0',
        "nod_undelivered_total 1.0",
        'nod_runs_ended_total{status="completed"} 1.0',
        'nod_runs_ended_total{status="cancelled"} 1.0',
        "nod_run_seconds_count 1.0",
        "nod_open_sockets 3.0",
    ):
        assert line in text
    assert "tsk_1" not in text


def test_the_reason_of_a_skipped_fire_is_one_of_four_classes() -> None:
    hour = 3_600_000
    fires = [hour, 2 * hour, 3 * hour]
    planned = [
        each
        for how in ("latest", "skip")
        for each in plan_fires(fires, 4 * hour, how, 60, Limits())
    ]
    reasons = [each.skip_reason for each in planned if each.skip_reason is not None]
    assert len(reasons) == 6
    assert {skip_class(reason) for reason in reasons} == {"catch_up"}
    assert skip_class("the 09:00 run was still going, and 1 more waited behind it") == "overlap"
    assert skip_class("a newer run of its task took its place") == "overlap"
    assert skip_class("paused") == "paused"
    assert skip_class("Nod could not fire it: x") == "other"
    assert skip_class(None) == "other"


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Where the process's log goes during a test."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield io.StringIO()
    structlog.reset_defaults()
    root.handlers[:], level = before[0], before[1]
    root.setLevel(level)


def test_lines_of_nod_and_of_libraries_look_alike(log: io.StringIO) -> None:
    setup_logging(log_json=False, stream=log)
    structlog.get_logger("nod.engine").warning("the stage waits", stage="fire", reason=None)
    logging.getLogger("uvicorn.error").warning("Invalid HTTP request from %s", SECRET)
    logging.getLogger("uvicorn.error").info("connection open")
    lines = log.getvalue().splitlines()
    assert len(lines) == 2
    assert lines[0].endswith("warning          the stage waits  stage=fire")
    assert "Invalid HTTP request from [hidden]  logger=uvicorn.error" in lines[1]


def test_an_exception_is_logged_with_its_traceback(log: io.StringIO) -> None:
    setup_logging(log_json=False, stream=log)
    try:
        raise ValueError(SECRET)
    except ValueError:
        structlog.get_logger("nod").exception("it failed")
    assert "Traceback" in log.getvalue()
    assert "ValueError: [hidden]" in log.getvalue()


def test_json_logs_are_an_object_a_line_also_for_exceptions(log: io.StringIO) -> None:
    setup_logging(log_json=True, stream=log)
    structlog.get_logger("nod").info("listening", url="http://localhost", token="abc")
    try:
        raise ValueError
    except ValueError:
        logging.getLogger("a.package").exception("it failed")
    first, second = (json.loads(line) for line in log.getvalue().splitlines())
    assert (first["event"], first["level"], first["token"]) == ("listening", "info", "[hidden]")
    assert "Traceback" in second["exception"]


async def test_facts_go_where_the_log_goes(log: io.StringIO) -> None:
    setup_logging(log_json=False, stream=log)
    telemetry = Telemetry(log_json=False)
    telemetry.record([Fact("fired", {**RUN, "late_s": 0.0})])
    await telemetry.close()
    assert "fired" in log.getvalue()
