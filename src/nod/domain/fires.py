"""When a task fires: its schedule, bounds and spread together. Pure; time is an argument."""

from dataclasses import dataclass

from nod.domain.instant import SECOND, Instant
from nod.domain.limits import Limits
from nod.domain.model import Task
from nod.domain.policy import PlannedFire, default_catch_up_window_s, plan_fires
from nod.domain.schedule import newest_fires, next_fire, period_s, spread_offset_s


@dataclass(frozen=True, slots=True)
class Due:
    """What has come due of one task.

    `fires` are in order of time, each to run or to be recorded as skipped. `missed_from` is set
    when there were more than can be listed: one entry stands for the fires from there up to
    `missed_until`. `next_fire_at` is the fire after `now`.
    """

    fires: tuple[PlannedFire, ...]
    missed_from: Instant | None
    missed_until: Instant | None
    next_fire_at: Instant | None


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
        return Due(_plan(task, [first], now, limits), None, None, following)
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
    planned = _plan(task, fires, now, limits)
    if not more:
        return Due(planned, None, None, next_fire_of(task, now))
    return Due(planned, first, fires[0] - 1, next_fire_of(task, now))


def catch_up_window_s(task: Task, at: Instant, limits: Limits) -> int:
    """The task's catch-up window in seconds: its own, else the one that follows from its period."""
    if task.catch_up_window_s is not None:
        return task.catch_up_window_s
    period = None
    if task.trigger_type == "scheduled":
        period = period_s(task.schedule, task.timezone, at)
    return default_catch_up_window_s(task.trigger_type, task.catch_up, period, limits)


def _plan(
    task: Task, fires: list[Instant], now: Instant, limits: Limits
) -> tuple[PlannedFire, ...]:
    if not task.enabled:
        reason = "paused" if task.pause_reason is None else f"paused: {task.pause_reason}"
        return tuple(PlannedFire(fire, reason) for fire in fires)
    if len(fires) == 1 and now - fires[0] <= limits.on_time_s * SECOND:
        return (PlannedFire(fires[0], None),)
    window = catch_up_window_s(task, fires[-1], limits)
    return tuple(plan_fires(fires, now, task.catch_up, window, limits))
