"""What a task may be given, checked: the same for agents, people, proposals and edits."""

import secrets
from dataclasses import replace
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

from nod.domain.budget import Budget, check_budget, written
from nod.domain.errors import InvalidInput, OutOfRange, about
from nod.domain.fires import next_fire_of
from nod.domain.inbound_verify import VerifyKind, check_verify
from nod.domain.instant import Instant, parse_rfc3339, rfc3339
from nod.domain.limits import Limits
from nod.domain.model import Agent, Author, Notify, Task, new_id
from nod.domain.phrases import read_when
from nod.domain.policy import CatchUp, Overlap, default_overlap
from nod.domain.schedule import check_cron, check_timezone, trigger_type
from nod.domain.texts import storable
from nod.domain.useful_until import parse_useful_until

Text = str | UnsetType
Maybe = str | UnsetType | None
Number = Annotated[int, msgspec.Meta(description="seconds or a count")] | UnsetType


class TaskFields(msgspec.Struct, forbid_unknown_fields=False):
    """The fields of a task as a caller writes them; what is not written is not changed.

    Times are RFC 3339 text; lengths of time are in seconds. `when` says in words what `schedule`
    and `run_at` say otherwise: "every weekday at 9".
    """

    name: Text = UNSET
    prompt: Text = UNSET
    schedule: Text = UNSET
    run_at: Maybe = UNSET
    timezone: Maybe = UNSET
    description: Maybe = UNSET
    overlap: Overlap | UnsetType = UNSET
    catch_up: CatchUp | UnsetType = UNSET
    catch_up_window_s: int | UnsetType | None = UNSET
    useful_until: Maybe = UNSET
    timeout_s: Number = UNSET
    max_attempts: Number = UNSET
    idempotent: bool | UnsetType = UNSET
    pause_after_failures: Number = UNSET
    spread_s: Number = UNSET
    starts_at: Maybe = UNSET
    ends_at: Maybe = UNSET
    enabled: bool | UnsetType = UNSET
    verify: VerifyKind | UnsetType = UNSET
    verify_secret: Maybe = UNSET
    notify: Notify | UnsetType = UNSET
    when: Text = UNSET
    budget: Budget | UnsetType | None = UNSET
    quarantine: bool | UnsetType = UNSET


def new_task(
    given: TaskFields,
    agent: Agent,
    owner_timezone: str,
    created_by: Author,
    now: Instant,
    limits: Limits,
) -> Task:
    """The task that `given` describes, with defaults for what it leaves out.

    `verify_secret` stands in it as it was given, to be sealed before it is stored. Raises
    InvalidInput that names the field and says what it takes.
    """
    zone = agent.timezone or owner_timezone
    given = in_words(given, zone, now)
    for name in ("name", "prompt", "schedule"):
        if getattr(given, name) is UNSET:
            raise InvalidInput(
                "is missing; a task needs a name, a prompt and a schedule", field=name
            )
    kind = trigger_type(str(given.schedule).strip())
    blank = replace(
        blank_task(agent.id, zone, now, limits),
        overlap=default_overlap(kind),
        created_by=created_by,
    )
    return edited(blank, given, owner_timezone, now, limits)


def blank_task(agent_id: str, timezone: str, now: Instant, limits: Limits) -> Task:
    """A task with the defaults of everything, waiting for a call."""
    return Task(
        id=new_id("tsk", now),
        agent_id=agent_id,
        name="",
        description="",
        prompt="",
        schedule="event",
        trigger_type="event",
        timezone=timezone,
        run_at=None,
        starts_at=None,
        ends_at=None,
        spread_s=0,
        overlap=default_overlap("event"),
        catch_up="latest",
        catch_up_window_s=None,
        useful_until=None,
        timeout_s=limits.timeout_s,
        max_attempts=1,
        idempotent=False,
        pause_after_failures=limits.pause_after_failures,
        enabled=True,
        pause_reason=None,
        trigger_id=None,
        verify="none",
        verify_secret=None,
        next_fire_at=None,
        fired_until=now,
        last_run_status=None,
        failures=0,
        created_by="user",
        created_at=now,
        updated_at=now,
        deleted_at=None,
    )


def in_words(given: TaskFields, timezone: str, now: Instant) -> TaskFields:
    """The fields with `schedule` and `run_at` in place of `when`, read in their own zone or else
    in `timezone`. Raises InvalidInput for words that are not understood."""
    if given.when is UNSET:
        return given
    if given.schedule is not UNSET or given.run_at is not UNSET:
        raise InvalidInput(
            "takes the place of schedule and run_at; give one or the other", field="when"
        )
    zone = given.timezone if isinstance(given.timezone, str) else timezone
    with about("when"):
        found = read_when(given.when, zone, now)
    run_at = UNSET if found.run_at is None else rfc3339(found.run_at)
    return msgspec.structs.replace(given, schedule=found.schedule, run_at=run_at, when=UNSET)


def edited(
    task: Task, given: TaskFields, default_timezone: str, now: Instant, limits: Limits
) -> Task:
    """The task with what is given changed and its next fire computed anew.

    Raises InvalidInput that names the field and says what it takes.
    """
    zone = default_timezone if given.timezone is None else task.timezone
    given = in_words(given, zone, now)
    changes: dict[str, Any] = {**_texts(given, limits), **_numbers(given, limits)}
    for name in ("overlap", "catch_up", "idempotent", "enabled", "notify", "quarantine"):
        value = getattr(given, name)
        if value is not UNSET:
            changes[name] = value
    changes |= _verification(task, given)
    if given.useful_until is not UNSET:
        text = given.useful_until
        changes["useful_until"] = None if text is None else parse_useful_until(text)
    if given.budget is not UNSET:
        changes["budget"] = written(check_budget(given.budget or Budget()))
    changes |= _when(task, given, default_timezone, now)
    after = replace(task, **changes, updated_at=now)
    if any(name in changes for name in _SCHEDULING):
        after = scheduled(after, now)
        if given.enabled is UNSET and _had_ended(task) and after.next_fire_at is not None:
            after = replace(after, enabled=True)
    if after.enabled and not task.enabled:
        after = replace(after, pause_reason=None, failures=0)
    if after.enabled and not has_fire(after):
        field = "run_at" if after.trigger_type == "once" else "ends_at"
        raise InvalidInput(f"leaves the task without a fire; {NO_FIRE}", field=field)
    return after


NO_FIRE = "give it a time to come, or a later end"
_SCHEDULING = ("schedule", "run_at", "timezone", "starts_at", "ends_at", "spread_s", "enabled")


def scheduled(task: Task, now: Instant) -> Task:
    """The task with its next fire after `now` set."""
    return replace(task, next_fire_at=next_fire_of(task, now))


def has_fire(task: Task) -> bool:
    """Whether the task can fire once more, by its schedule or by a call."""
    return task.trigger_type == "event" or task.next_fire_at is not None


def is_paused(task: Task) -> bool:
    """Whether the task waits to be resumed. One that has no fire left is disabled, not paused."""
    return not task.enabled and has_fire(task)


def _had_ended(task: Task) -> bool:
    """Whether the task was disabled because it had no fire left: a new time sets it going again."""
    return not task.enabled and not has_fire(task)


def _texts(given: TaskFields, limits: Limits) -> dict[str, str]:
    longest = {
        "name": limits.name_chars,
        "prompt": limits.prompt_chars,
        "description": limits.description_chars,
    }
    found = {}
    for name, most in longest.items():
        value = getattr(given, name)
        if value is UNSET:
            continue
        text = value or ""
        if name != "description" and not text.strip():
            problem = "is empty; write what the task is called and what it does"
            raise InvalidInput(problem, field=name)
        if len(text) > most:
            raise InvalidInput(f"has {len(text)} characters, at most {most} fit", field=name)
        found[name] = storable(text, name)
    return found


def _numbers(given: TaskFields, limits: Limits) -> dict[str, int | None]:
    ranges = {
        "timeout_s": (1, limits.timeout_max_s),
        "max_attempts": (1, limits.max_attempts),
        "pause_after_failures": (1, 1_000_000),
        "spread_s": (0, limits.spread_max_s),
        "catch_up_window_s": (0, limits.catch_up_window_max_s),
    }
    found: dict[str, int | None] = {}
    for name, (least, most) in ranges.items():
        value = getattr(given, name)
        if value is UNSET:
            continue
        if value is not None and not least <= value <= most:
            raise OutOfRange(name, least, most, value)
        found[name] = value
    return found


def _verification(task: Task, given: TaskFields) -> dict[str, str | None]:
    if given.verify is UNSET and given.verify_secret is UNSET:
        return {}
    kind = task.verify if given.verify is UNSET else given.verify
    if given.verify_secret is UNSET and kind == task.verify:
        return {}
    # A secret is shared with one service: another one that is named needs its own.
    secret = None if given.verify_secret is UNSET else given.verify_secret
    check_verify(kind, secret)
    return {"verify": kind, "verify_secret": secret}


def _when(
    task: Task, given: TaskFields, default_timezone: str, now: Instant
) -> dict[str, str | Instant | None]:
    """Schedule, zone and bounds, which have to fit together."""
    changes: dict[str, Any] = {}
    if given.timezone is not UNSET:
        changes["timezone"] = check_timezone(given.timezone or default_timezone)
    for name in ("starts_at", "ends_at"):
        value = getattr(given, name)
        if value is not UNSET:
            changes[name] = None if value is None else parse_rfc3339(value, name)
    if given.schedule is not UNSET or given.run_at is not UNSET:
        changes |= _schedule(task, given, now)
    _check_bounds(replace(task, **changes))
    return changes


def _schedule(task: Task, given: TaskFields, now: Instant) -> dict[str, Any]:
    text = task.schedule if given.schedule is UNSET else given.schedule.strip()
    kind = trigger_type(text)
    run_at = task.run_at
    if given.run_at is not UNSET:
        run_at = None if given.run_at is None else parse_rfc3339(given.run_at, "run_at")
    if kind != "once":
        if given.run_at not in (UNSET, None):
            raise InvalidInput('goes with the schedule "once" only', field="run_at")
        run_at = None
    elif run_at is None:
        problem = 'is missing; the schedule "once" needs it, such as 2030-01-01T09:00:00Z'
        raise InvalidInput(problem, field="run_at")
    elif run_at <= now and run_at != task.run_at:
        problem = f"is in the past: {rfc3339(run_at)}; it is {rfc3339(now)} now"
        raise InvalidInput(problem, field="run_at")
    with about("schedule"):
        schedule = check_cron(text) if kind == "scheduled" else kind
    changes: dict[str, Any] = {"schedule": schedule, "trigger_type": kind, "run_at": run_at}
    if kind == "event" and task.trigger_id is None:
        changes["trigger_id"] = new_trigger_id()
    elif kind != "event":
        changes["trigger_id"] = None
    return changes


def _check_bounds(task: Task) -> None:
    if task.starts_at is not None and task.ends_at is not None and task.starts_at >= task.ends_at:
        raise InvalidInput("must be after the start", field="ends_at")


def new_trigger_id() -> str:
    """256 random bits as 64 hex characters: whoever has it can fire the task."""
    return secrets.token_hex(32)
