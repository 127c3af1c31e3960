"""What a task's policies make of the facts: which missed fires run, what happens when a run is
still going, when a failed run or delivery is tried again. Values in, decisions out.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Literal, assert_never

from nod.domain.instant import SECOND, Instant, from_datetime
from nod.domain.limits import Limits
from nod.domain.schedule import TriggerType
from nod.domain.useful_until import parse_useful_until, useful_until_at
from nod.domain.words import duration_words

__all__ = [
    "CatchUp",
    "Hold",
    "Overlap",
    "OverlapDecision",
    "PlannedFire",
    "decide_overlap",
    "default_catch_up_window_s",
    "default_overlap",
    "hold",
    "may_retry",
    "parse_useful_until",
    "plan_fires",
    "retry_after_s",
    "retry_delay_s",
    "useful_until_at",
    "webhook_delay_s",
]

CatchUp = Literal["latest", "all", "skip"]
Overlap = Literal["skip", "queue", "allow", "cancel_previous"]
OverlapDecision = Literal["run", "queue", "skip", "cancel_previous"]
Hold = Literal["paused", "overlap"]

_MINUTE_S = 60
_HOUR_S = 3600
_DAY_S = 24 * _HOUR_S

# The delays before the second, third and every later attempt of a run.
_NOTIFY_DELAYS_S = (10, 60, 300, 1_800, 3_600)
_RETRY_DELAYS_S = (5 * _MINUTE_S, 15 * _MINUTE_S, 30 * _MINUTE_S)

# When webhook attempts happen, in seconds after the first one (offsets, not delays in between).
_RUN_ATTEMPTS_S = (0, 5, 30, 120, 600, 1800, _HOUR_S, *range(2 * _HOUR_S, _DAY_S + 1, 2 * _HOUR_S))
_OTHER_ATTEMPTS_S = (0, 5, 300, 1800, *(hours * _HOUR_S for hours in (2, 5, 10, 14, 20, 24)))
_RUN_EVENTS = frozenset({"task_due", "task_trigger"})
_JITTER = 0.2


def default_catch_up_window_s(
    trigger_type: TriggerType, catch_up: CatchUp, period_s: int | None, limits: Limits
) -> int:
    """How late a missed fire may still run, in seconds, when the task does not say.

    Half the period within the limits; a one-time task and `catch_up = all` have windows of their
    own, for there "all" would mean little if most fires were too old.
    """
    if trigger_type == "once":
        return limits.catch_up_once_s
    if catch_up == "all":
        return limits.catch_up_all_s
    half = (period_s or 0) // 2
    return min(max(half, limits.catch_up_min_s), limits.catch_up_max_s)


@dataclass(frozen=True, slots=True)
class PlannedFire:
    """A fire that is past: it runs, or it is recorded as skipped with this reason."""

    scheduled_for: Instant
    skip_reason: str | None


def plan_fires(
    fires: Sequence[Instant], now: Instant, catch_up: CatchUp, window_s: int, limits: Limits
) -> list[PlannedFire]:
    """Which of these fires (ascending, none after `now`) run now, and why the others do not.

    A fire is on time when it is at most `limits.on_time_s` late, and old when it is later than
    that and than `window_s`. `latest`: only the newest runs, unless it is old. `all`: the newest
    `limits.catch_up_runs` run, except the old ones. `skip`: only those on time run, the newest
    `limits.catch_up_runs` of them.
    """
    most = 1 if catch_up == "latest" else limits.catch_up_runs
    allowed_s = limits.on_time_s if catch_up == "skip" else max(window_s, limits.on_time_s)
    first_chosen = len(fires) - most
    return [
        PlannedFire(
            fire,
            _too_late(now - fire, catch_up, allowed_s)
            or (_too_many(catch_up, most) if place < first_chosen else None),
        )
        for place, fire in enumerate(fires)
    ]


def _too_late(late: int, catch_up: CatchUp, allowed_s: int) -> str | None:
    if late <= allowed_s * SECOND:
        return None
    by = f"missed by {duration_words(late // SECOND)}"
    if catch_up == "skip":
        return f"{by}, and the task does not catch up"
    return f"{by}, more than the catch-up window of {duration_words(allowed_s)}"


def _too_many(catch_up: CatchUp, most: int) -> str:
    if catch_up == "latest":
        return "missed; a later fire stands for it"
    return f"missed; only the newest {most} fires are run"


def default_overlap(trigger_type: TriggerType) -> Overlap:
    """What a task does with a fire while its last run is still going, when it does not say."""
    return "queue" if trigger_type == "event" else "skip"


def decide_overlap(
    overlap: Overlap, trigger_type: TriggerType, active: int, queued: int, limits: Limits
) -> OverlapDecision:
    """What happens with a new run of a task.

    `active` counts the task's runs that are pending, running or waiting for a person, `queued`
    those that wait for their turn. A run never overtakes queued ones.
    """
    if overlap == "allow" or active + queued == 0:
        return "run"
    match overlap:
        case "skip":
            return "skip"
        case "cancel_previous":
            return "cancel_previous"
        case "queue":
            room = limits.queue_event if trigger_type == "event" else limits.queue_scheduled
            return "queue" if queued < room else "skip"
        case _:
            assert_never(overlap)


def hold(overlap: Overlap, *, paused: bool, by_hand: bool, underway: int) -> Hold | None:
    """What keeps a run waiting that was made earlier: a call in the queue, a retry; None: nothing.

    A paused task begins nothing by itself; a run `by_hand` goes all the same. Whatever the task's
    overlap says of new fires, such a run neither ends another nor is dropped: it waits for those
    `underway`, unless runs of the task may overlap.
    """
    if paused and not by_hand:
        return "paused"
    return "overlap" if underway and overlap != "allow" else None


def may_retry(attempt: int, max_attempts: int, idempotent: bool, taken_up: bool) -> bool:
    """Whether attempt number `attempt` (from 1) of a run, now failed, is followed by another.

    A run that was taken up may have done things: it is repeated only if the task is idempotent.
    """
    return attempt < max_attempts and (idempotent or not taken_up)


def retry_delay_s(attempt: int) -> int:
    """The seconds between the end of attempt number `attempt` (from 1) and the next one."""
    return _RETRY_DELAYS_S[min(attempt, len(_RETRY_DELAYS_S)) - 1]


def webhook_delay_s(event_type: str, attempt: int, jitter: float) -> float | None:
    """The seconds from webhook attempt number `attempt` (from 1) to the next; None after the last.

    `jitter` is a random number in [-1, 1] that moves the delay by up to a fifth, so that endpoints
    which failed together are not called together.
    """
    offsets = _RUN_ATTEMPTS_S if event_type in _RUN_EVENTS else _OTHER_ATTEMPTS_S
    if attempt >= len(offsets):
        return None
    return (offsets[attempt] - offsets[attempt - 1]) * (1 + _JITTER * jitter)


def notify_delay_s(failures: int, jitter: float) -> float:
    """The seconds until a person's target is tried again that has failed so often in a row.

    `jitter` as for webhooks.
    """
    return _NOTIFY_DELAYS_S[min(failures, len(_NOTIFY_DELAYS_S)) - 1] * (1 + _JITTER * jitter)


def retry_after_s(header: str, now: Instant) -> float | None:
    """Seconds from `now` that a Retry-After header asks for, between 0 and a day.

    RFC 9110, 10.2.3: seconds or an HTTP date. None when it is neither.
    """
    text = header.strip()
    if re.fullmatch(r"\d+", text, re.ASCII):
        # Longer numbers are over a day anyway, and Python refuses to read very long ones.
        return float(min(int(text[:12]), _DAY_S))
    try:
        moment = parsedate_to_datetime(text)
        # An asctime date has no zone; HTTP dates are in GMT.
        at = from_datetime(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError, TypeError):
        return None
    return min(max((at - now) / SECOND, 0.0), float(_DAY_S))
