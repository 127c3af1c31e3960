"""A run's life as steps one after another, to be drawn to scale. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from nod.domain.instant import SECOND, Instant
from nod.domain.model import Decision, Delivery, Run
from nod.domain.moments import length_words, time_words

StepKind = Literal["due", "unsent", "sent", "untaken", "working", "asking", "ended"]

_CHANNELS = {"websocket": "socket", "webhook": "webhook", "poll": "polling"}
_ENDINGS = {
    "completed": "done",
    "failed": "failed",
    "cancelled": "cancelled",
    "skipped": "skipped",
}


@dataclass(frozen=True, slots=True)
class Step:
    """A part of the run's life. `due` and `ended` are moments: they start where they end."""

    kind: StepKind
    label: str
    start: Instant
    end: Instant

    @property
    def seconds(self) -> float:
        """How long it took."""
        return (self.end - self.start) / SECOND


@dataclass(frozen=True, slots=True)
class Timeline:
    """The steps in order, without gaps. `open`: the run is under way, and `end` is now."""

    start: Instant
    end: Instant
    open: bool
    steps: tuple[Step, ...]


def timeline(
    run: Run,
    attempts: Sequence[Delivery],
    decisions: Sequence[Decision],
    now: Instant,
    timezone: str,
) -> Timeline:
    """The life of a run up to its end, or to `now` while it is under way.

    `attempts` are the tries to bring the run to its agent, `decisions` what it asked, each in
    order of time. Clocks may have been set back meanwhile: no step ends before it starts.
    """
    start = run.scheduled_for
    end = max(start, now if run.finished_at is None else run.finished_at)
    steps = [Step("due", f"due {time_words(start, timezone)}", start, start)]
    if run.status != "skipped":
        taken = end if run.started_at is None else _within(run.started_at, start, end)
        steps += _arrival(run, attempts, start, taken)
        steps += _work(run, decisions, taken, end)
    if run.finished_at is not None:
        steps.append(Step("ended", _ending(run, run.finished_at, timezone), end, end))
    return Timeline(start, end, run.finished_at is None, tuple(steps))


def _within(at: Instant, start: Instant, end: Instant) -> Instant:
    return min(max(at, start), end)


def _arrival(
    run: Run, attempts: Sequence[Delivery], start: Instant, taken: Instant
) -> Iterator[Step]:
    """From due to taken up: waiting, each try to send, and lying with the agent."""
    reached = start
    arrived = run.delivered_at is not None
    for each in attempts:
        if reached == taken and reached > start:
            break
        sent = _within(each.created_at - each.latency_ms, reached, taken)
        yield from _pause("unsent", _unsent(run), reached, sent)
        reached = _within(each.created_at, sent, taken)
        yield Step("sent", _attempt(each), sent, reached)
        if each.outcome == "ok":
            break
    if run.delivered_at is not None and run.delivery == "polled":
        polled = _within(run.delivered_at, reached, taken)
        yield from _pause("unsent", _unsent(run), reached, polled)
        yield Step("sent", "fetched by polling", polled, polled)
        reached = polled
    if arrived:
        yield from _pause("untaken", "waiting to be taken up", reached, taken)
    else:
        yield from _pause("unsent", _unsent(run), reached, taken)


def _unsent(run: Run) -> str:
    if run.held:
        return "waiting for a look at its call"
    return "waiting for its turn" if run.queued else "waiting to be sent"


def _pause(kind: StepKind, what: str, start: Instant, end: Instant) -> Iterator[Step]:
    """A time of waiting, unless there was none."""
    if end > start:
        yield Step(kind, f"{what}, {length_words(start, end)}", start, end)


def _attempt(each: Delivery) -> str:
    """`socket, 4 ms`, or `webhook failed: HTTP 500, 120 ms`."""
    failed = "" if each.outcome == "ok" else f" failed: {each.error or each.outcome}"
    return f"{_CHANNELS[each.channel]}{failed}, {each.latency_ms} ms"


def _work(run: Run, decisions: Sequence[Decision], start: Instant, end: Instant) -> Iterator[Step]:
    """From taken up to the end: working, cut by the times in which it waited for the person."""
    if run.started_at is None:
        return
    reached = start
    for asked, answered in _questions(decisions, start, end):
        yield from _pause("working", "working", reached, asked)
        yield from _pause("asking", "you", asked, answered)
        reached = answered
    yield from _pause("working", "working", reached, end)


def _questions(
    decisions: Sequence[Decision], start: Instant, end: Instant
) -> list[tuple[Instant, Instant]]:
    """When questions were open; times that overlap are one."""
    found: list[tuple[Instant, Instant]] = []
    for each in decisions:
        asked = _within(each.created_at, start, end)
        until = end if each.resolved_at is None else each.resolved_at
        answered = _within(until, asked, end)
        if found and asked <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], answered))
        else:
            found.append((asked, answered))
    return found


def _ending(run: Run, at: Instant, timezone: str) -> str:
    """`done 09:02:30`, `failed 09:02:30: timeout`."""
    why = run.error or run.reason
    return f"{_ENDINGS[run.status]} {time_words(at, timezone)}" + (f": {why}" if why else "")
