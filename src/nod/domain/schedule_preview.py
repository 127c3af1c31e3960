"""What a person sees back before a schedule is saved: a sentence, the next fires, what they fall
together with, and what the edit of a task changes. Pure: values in, a value out."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice, takewhile

from nod.domain.fire_remarks import fire_remarks
from nod.domain.fires import fires_after, next_fire_of
from nod.domain.instant import MINUTE, SECOND, Instant
from nod.domain.limits import Limits
from nod.domain.model import Task
from nod.domain.schedule import period_s, spread_offset_s
from nod.domain.words import describe, notes
from nod.domain.zones import local, read

# A task that fires more often falls together with everything, which tells a person nothing.
_OFTEN_S = 1800
# A run that nobody has timed yet: fires of one minute still fall together.
_SHORTEST: Instant = MINUTE


@dataclass(frozen=True, slots=True)
class Fire:
    """A fire as an instant and as its zone's clock shows it, with the offset. `remark` says what is
    special about it; mostly nothing."""

    at: Instant
    local: str
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Collision:
    """Fires that come while another task of the agent is expected to run, or the other way round.
    `start` and `end` are the other's run at the first of them."""

    task_id: str
    task_name: str
    fires: tuple[Instant, ...]
    start: Instant
    end: Instant
    sentence: str


@dataclass(frozen=True, slots=True)
class Change:
    """What an edit does to the fires from now to the end of the month in the task's zone.
    `complete`: False when there were more than are counted."""

    removes: int
    adds: int
    until: Instant
    complete: bool
    sentence: str


@dataclass(frozen=True, slots=True)
class SchedulePreview:
    """All of it. `sentence` is what the person confirms, `description` the schedule alone."""

    sentence: str
    description: str
    schedule: str
    timezone: str
    run_at: Instant | None
    fires: tuple[Fire, ...]
    notes: tuple[str, ...]
    collisions: tuple[Collision, ...] = ()
    change: Change | None = None


@dataclass(frozen=True, slots=True)
class Timed:
    """Another task with how long its runs take."""

    task: Task
    length: Instant


def preview_of(task: Task, now: Instant, count: int) -> SchedulePreview:
    """The task's schedule in words, and its next `count` fires. A task to be made has no id."""
    upcoming = tuple(islice(fires_after(task, now), count))
    remarks = notes(task.schedule, task.timezone, upcoming) if _is_cron(task) else ()
    if _is_cron(task) and task.spread_s:
        remarks = (*remarks, _spread_note(task))
    return SchedulePreview(
        sentence(task),
        description(task),
        task.schedule,
        task.timezone,
        task.run_at,
        _fires_shown(upcoming, task.timezone),
        remarks,
    )


def sentence(task: Task) -> str:
    """What the person confirms: `Every weekday at 09:00, Berlin time.`"""
    bounds = [
        f" {word} {_moment(at, task.timezone)}"
        for word, at in (("from", task.starts_at), ("until", task.ends_at))
        if at is not None and task.trigger_type != "once"
    ]
    zone = "" if task.trigger_type == "event" else f", {zone_words(task.timezone)}"
    return f"{description(task)}{zone}{',' if bounds else ''}{''.join(bounds)}."


def zone_words(timezone: str) -> str:
    """The zone as people call it: `Berlin time`, `UTC`."""
    area, _, place = timezone.rpartition("/")
    if not area or area == "Etc":
        return timezone if area == "Etc" or timezone == "UTC" else f"{timezone} time"
    return f"{place.replace('_', ' ')} time"


def collisions(
    task: Task, own_length: Instant, others: Sequence[Timed], now: Instant, count: int
) -> tuple[Collision, ...]:
    """Which of the task's next `count` fires fall together with runs of the other tasks."""
    upcoming = list(islice(fires_after(task, now), count))
    found = (_with(task, own_length, other, upcoming) for other in others)
    return tuple(each for each in found if each is not None)


def change_of(before: Task, after: Task, now: Instant, limits: Limits) -> Change:
    """What the edit removes and adds until the end of the month in the new zone."""
    until = _end_of_month(now, after.timezone)
    old, old_all = _counted(before, now, until, limits.preview_fires)
    new, new_all = _counted(after, now, until, limits.preview_fires)
    # Where one list breaks off, what comes later cannot be compared.
    known = min([until, *([] if old_all else old[-1:]), *([] if new_all else new[-1:])])
    was = {at for at in old if at <= known}
    will = {at for at in new if at <= known}
    removes, adds = len(was - will), len(will - was)
    complete = old_all and new_all
    return Change(removes, adds, until, complete, _change_words(removes, adds, complete=complete))


def median_length(lengths: Sequence[Instant]) -> Instant:
    """How long a task's runs take, from its last ones; 0 when none is known."""
    return statistics.median_low(lengths) if lengths else 0


def _spread_note(task: Task) -> str:
    if not task.id:
        return f"Each fire comes up to {task.spread_s} s later, always the same for this task."
    return f"Each fire comes {_offset(task) // SECOND} s after its time, by the task's spread."


def _offset(task: Task) -> Instant:
    """The task's spread; a task to be made has no id yet, from which it would follow."""
    return spread_offset_s(task.id, task.spread_s) * SECOND if task.id else 0


def _is_cron(task: Task) -> bool:
    return task.trigger_type == "scheduled"


def description(task: Task) -> str:
    """The schedule in words, without its zone and its bounds."""
    if task.trigger_type == "event":
        return "Each time its trigger address is called"
    if task.trigger_type == "once":
        return f"Once, on {_moment(task.run_at or 0, task.timezone)}"
    return describe(task.schedule)


def _moment(at: Instant, timezone: str) -> str:
    when = local(at, timezone)
    seconds = f":{when:%S}" if when.second else ""
    return f"{when:%A} {when.day} {when:%B %Y} at {when:%H:%M}{seconds}"


def _fires_shown(upcoming: Sequence[Instant], timezone: str) -> tuple[Fire, ...]:
    remarks = fire_remarks(upcoming, timezone)
    return tuple(
        Fire(at, _shown(at, timezone), remark) for at, remark in zip(upcoming, remarks, strict=True)
    )


def _shown(at: Instant, timezone: str) -> str:
    return local(at, timezone).isoformat(timespec="seconds")


def _counted(task: Task, now: Instant, until: Instant, most: int) -> tuple[list[Instant], bool]:
    """The fires up to `until`, at most so many, and whether these are all."""
    found = list(islice(takewhile(lambda at: at <= until, fires_after(task, now)), most + 1))
    return found[:most], len(found) <= most


def _end_of_month(now: Instant, timezone: str) -> Instant:
    """The last millisecond of the calendar month in the zone."""
    today = local(now, timezone)
    following = today.replace(day=1) + timedelta(days=32)
    start = datetime(following.year, following.month, 1)  # noqa: DTZ001 - a wall clock's time
    return read(start, timezone).instants[0] - 1


def _change_words(removes: int, adds: int, *, complete: bool) -> str:
    least = "" if complete else "at least "
    if removes and adds:
        return f"Removes {least}{_fires(removes)} this month, adds {least}{adds}."
    if removes or adds:
        verb = "Removes" if removes else "Adds"
        return f"{verb} {least}{_fires(removes or adds)} this month."
    return "Changes no fire this month." if complete else "Changes no fire that was compared."


def _fires(count: int) -> str:
    return "1 fire" if count == 1 else f"{count} fires"


def _with(
    task: Task, own_length: Instant, other: Timed, upcoming: Sequence[Instant]
) -> Collision | None:
    if not upcoming or _is_often(other.task, upcoming[0]):
        return None
    length = max(other.length, _SHORTEST)
    together = []
    for at in upcoming:
        # The other's run has begun and is still going, or begins before ours has ended.
        start = next_fire_of(other.task, at - length)
        if start is not None and start < at + max(own_length, 1):
            together.append((at, start))
    if not together:
        return None
    start = together[0][1]
    ours = tuple(at for at, _ in together)
    end = start + other.length
    words = _collision_words(task.timezone, other.task.name, ours, start, end)
    return Collision(other.task.id, other.task.name, ours, start, end, words)


def _is_often(task: Task, at: Instant) -> bool:
    return _is_cron(task) and period_s(task.schedule, task.timezone, at) < _OFTEN_S


def _collision_words(
    timezone: str, name: str, ours: Sequence[Instant], start: Instant, end: Instant
) -> str:
    first = local(ours[0], timezone)
    day = f"{first.day} {first:%B}"
    more = f" and {len(ours) - 1} more fall" if len(ours) > 1 else " falls"
    begin, finish = f"{local(start, timezone):%H:%M}", f"{local(end, timezone):%H:%M}"
    # Runs that nobody has timed yet, or of less than a minute, have no length to show.
    when = f"at {begin}" if begin == finish else f"{begin}\u2013{finish}"
    return f'{day}{more} together with "{name}", {when}.'
