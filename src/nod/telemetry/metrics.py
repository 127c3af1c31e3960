"""The figures of one process for Prometheus. Labels have few values, never an id or a text."""

from collections.abc import Callable, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.process_collector import ProcessCollector

from nod.store.effects import Fact

_LAG_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3_600, 86_400)
_RUN_S = (0.1, 0.5, 1, 5, 10, 30, 60, 300, 600, 1_800, 3_600, 7_200, 21_600, 86_400)


class Metrics:
    """Counts facts. It belongs to the event loop's thread."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._fires = Counter("nod_fires", "Fires of tasks that became runs", registry=registry)
        self._skips = Counter(
            "nod_skips", "Fires that did not run, by why", ["reason"], registry=registry
        )
        self._triggers = Counter(
            "nod_triggers", "Inbound calls that became runs", registry=registry
        )
        self._lag = Histogram(
            "nod_fire_lag_seconds",
            "From the time a run was scheduled for to its fire",
            buckets=_LAG_S,
            registry=registry,
        )
        self._deliveries = Counter(
            "nod_deliveries",
            "Attempts to bring an event to its agent",
            ["channel", "outcome"],
            registry=registry,
        )
        self._undelivered = Counter(
            "nod_undelivered", "Events that were given up", registry=registry
        )
        self._set_aside = Counter(
            "nod_set_aside",
            "Failures to handle one task, run, event, decision or sweep, set aside for a while",
            ["what"],
            registry=registry,
        )
        self._ended = Counter("nod_runs_ended", "Runs that ended", ["status"], registry=registry)
        self._duration = Histogram(
            "nod_run_seconds",
            "From taking a run up to its end",
            buckets=_RUN_S,
            registry=registry,
        )
        self._sockets = Gauge("nod_open_sockets", "Open WebSockets of agents", registry=registry)
        self._undelivered_age = Gauge(
            "nod_undelivered_age_seconds",
            "How long the event that waits longest could have been delivered; NaN: not known",
            registry=registry,
        )
        self._waiting = Gauge(
            "nod_waiting_decisions",
            "Questions that wait for a person's answer; NaN: not known",
            registry=registry,
        )
        self._counted: dict[str, Callable[[Mapping[str, Any]], None]] = {
            "fired": self._fired,
            "triggered": lambda _: self._triggers.inc(),
            "skipped": lambda fields: self._skips.labels(skip_class(fields["reason"])).inc(),
            "delivered": lambda fields: self._attempt(fields["channel"], "ok"),
            "delivery_failed": lambda fields: self._attempt(fields["channel"], "failed"),
            "dropped": lambda fields: self._attempt(fields["channel"], "failed"),
            "event_dead": lambda _: self._undelivered.inc(),
            "set_aside": lambda fields: self._set_aside.labels(fields["what"]).inc(),
            "run_ended": self._run_ended,
        }

    def watch_sockets(self, count: Callable[[], int]) -> None:
        """`count` is asked for the number of open sockets whenever the metrics are read."""
        self._sockets.set_function(count)

    def waiting(self, undelivered_s: float, decisions: float) -> None:
        """What the database says of what waits, as of now; NaN where it has not answered."""
        self._undelivered_age.set(undelivered_s)
        self._waiting.set(decisions)

    def count(self, fact: Fact) -> None:
        """Take one fact into the figures."""
        counted = self._counted.get(fact.name)
        if counted is not None:
            counted(fact.fields)

    def _fired(self, fields: Mapping[str, Any]) -> None:
        self._fires.inc()
        self._lag.observe(fields["late_s"])

    def _attempt(self, channel: str, outcome: str) -> None:
        self._deliveries.labels(channel, outcome).inc()

    def _run_ended(self, fields: Mapping[str, Any]) -> None:
        self._ended.labels(fields["status"]).inc()
        if fields["seconds"] is not None:
            self._duration.observe(fields["seconds"])


def skip_class(reason: str | None) -> str:
    """Which policy a skipped fire's reason comes from: paused, catch_up, overlap or other."""
    text = reason or ""
    if text.startswith("paused"):
        return "paused"
    if text.startswith("missed"):
        return "catch_up"
    if "was still going" in text or "took its place" in text:
        return "overlap"
    return "other"
