"""When a task fires: its schedule, bounds and spread together. Pure; time is an argument."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from nod.domain.instant import SECOND, Instant
from nod.domain.limits import Limits
from nod.domain.model import Task
from nod.domain.policy import PlannedFire, default_catch_up_window_s, plan_fires
from nod.domain.schedule import all_fires, newest_fires, next_fire, period_s, spread_offset_s
from nod.domain.schedule import fires as times_of
from nod.domain.useful_until import useful_until_at
from nod.domain.words import clock_words


@dataclass(frozen=True, slots=True)
class Due:
    """What has come due of one task.

    `fires` are in order of time, each to run or to be recorded as skipped. `missed_from` is set
    when there were more than can be listed: one entry stands for the fires from there up to
    `missed_until`. `next_fire_at` is the fire after `now`. `still_wanted` is the newest fire when
    it came too late to be useful: the person is asked about it.
    """

    fires: tuple[PlannedFire, ...]
    missed_from: Instant | None
    missed_until: Instant | None
    next_fire_at: Instant | None
    still_wanted: Instant | None = None


def next_fire_of(task: Task, after: Instant) -> Instant | None:
    """The task's first fire strictly after `after`, within its bounds; None when there is none."""
    if task.trigger_type == "event":
        return None
    if task.trigger_type == "once":
        return task.run_at if task.run_at is not None and task.run_at > after else None
    offset = spread_offset_s(task.id, task.spread_s) * SECOND
    since = after if task.starts_at is None else max(after, task.starts_at - 1)
    fire = next_fire(task.schedule, task.timezone, since - offset)
    if fire is None or (task.ends_at is not None and fire + offset > task.ends_at):
        return None
    return fire + offset


def fires_after(task: Task, after: Instant) -> Iterator[Instant]:
    """All fires of the task strictly after an instant, within its bounds, ascending."""
    if task.trigger_type != "scheduled":
        at = next_fire_of(task, after)
        yield from () if at is None else (at,)
        return
    offset = spread_offset_s(task.id, task.spread_s) * SECOND if task.id else 0
    since = after if task.starts_at is None else max(after, task.starts_at - 1)
    until = (1 << 62) if task.ends_at is None else task.ends_at - offset
    for fire in times_of(task.schedule, task.timezone, since - offset, until):
        yield fire + offset


def fires_between(task: Task, since: Instant, until: Instant) -> list[Instant]:
    """All fires of the task from `since` on and before `until`, ascending."""
    if task.trigger_type != "scheduled":
        return [at for at in fires_after(task, since - 1) if at < until]
    offset = spread_offset_s(task.id, task.spread_s) * SECOND
    first = since if task.starts_at is None else max(since, task.starts_at)
    last = until - 1 if task.ends_at is None else min(until - 1, task.ends_at)
    found = all_fires(task.schedule, task.timezone, first - 1 - offset, last - offset)
    return [fire + offset for fire in found] if offset else found


def due_fires(task: Task, now: Instant, limits: Limits) -> Due:
    """All fires of the task from `task.next_fire_at` up to `now`, by its catch-up policy.

    Usually that is one fire, on time. After downtime, or when the clock was set forward, it is
    many, and the policy says which of them run.
    """
    first = task.next_fire_at
    if first is None or first > now:
        return Due((), None, None, first)
    following = next_fire_of(task, first)
    if following is None or following > now:
        return _due(task, [first], now, limits, following)
    last_wanted = now if task.ends_at is None else min(now, task.ends_at)
    offset = spread_offset_s(task.id, task.spread_s) * SECOND
    missed, more = newest_fires(
        task.schedule,
        task.timezone,
        first - 1 - offset,
        last_wanted - offset,
        limits.missed_entries,
    )
    fires = [fire + offset for fire in missed]
    due = _due(task, fires, now, limits, next_fire_of(task, now))
    return replace(due, missed_from=first, missed_until=fires[0] - 1) if more else due


def paused_reason(task: Task) -> str:
    """Why the fires of a task that is not enabled do not run."""
    return "paused" if task.pause_reason is None else f"paused: {task.pause_reason}"


def catch_up_window_s(task: Task, at: Instant, limits: Limits) -> int:
    """The task's catch-up window in seconds: its own, else the one that follows from its period."""
    if task.catch_up_window_s is not None:
        return task.catch_up_window_s
    period = None
    if task.trigger_type == "scheduled":
        period = period_s(task.schedule, task.timezone, at)
    return default_catch_up_window_s(task.trigger_type, task.catch_up, period, limits)


def _due(
    task: Task, fires: list[Instant], now: Instant, limits: Limits, following: Instant | None
) -> Due:
    if not task.enabled:
        skipped = tuple(PlannedFire(fire, paused_reason(task)) for fire in fires)
        return Due(skipped, None, None, following)
    planned = tuple(_while_useful(task, each, now) for each in _plan(task, fires, now, limits))
    asked = task.catch_up != "skip" and _useless_since(task, fires[-1], now) is not None
    return Due(planned, None, None, following, fires[-1] if asked else None)


def _plan(task: Task, fires: list[Instant], now: Instant, limits: Limits) -> Sequence[PlannedFire]:
    # A fire on time, as nearly all are, runs by any policy: no window needs to be worked out.
    if len(fires) == 1 and now - fires[0] <= limits.on_time_s * SECOND:
        return (PlannedFire(fires[0], None),)
    window = catch_up_window_s(task, fires[-1], limits)
    return plan_fires(fires, now, task.catch_up, window, limits)


def _while_useful(task: Task, planned: PlannedFire, now: Instant) -> PlannedFire:
    """The fire, or the reason why not even catching up makes sense any more."""
    since = _useless_since(task, planned.scheduled_for, now)
    if planned.skip_reason is not None or since is None:
        return planned
    until = clock_words(since, task.timezone)
    return replace(planned, skip_reason=f"useful until {until}; Nod came to it after that")


def _useless_since(task: Task, fire: Instant, now: Instant) -> Instant | None:
    if task.useful_until is None:
        return None
    until = useful_until_at(task.useful_until, fire, task.timezone)
    return until if until <= now else None
