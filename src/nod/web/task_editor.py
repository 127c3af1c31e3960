"""The form of a task: its schedule in plain words, and what that means while one types."""

import math
from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery

from nod.actions import tasks
from nod.actions.agents import get_agent
from nod.actions.owned import owned_task
from nod.actions.schedule_preview import preview_edit, preview_new
from nod.domain.errors import InvalidInput, NodError
from nod.domain.model import Agent, Task
from nod.domain.phrases import read_when
from nod.domain.schedule import check_cron
from nod.domain.schedule_preview import SchedulePreview, sentence
from nod.domain.task_fields import TaskFields
from nod.domain.zones import timezones
from nod.store.store import Tx
from nod.web.start import typed
from nod.web.view import Viewer

_NEXT_FIRES = 5
_FIELDS = (
    "agent_id",
    "name",
    "prompt",
    "kind",
    "when",
    "was",
    "timezone",
    "notify",
    "overlap",
    "catch_up",
    "useful_until",
    "timeout",
    "attempts",
    "pause_after",
    "idempotent",
)
# Which field of the form a sentence about a field of the task belongs to.
_PLACES = {
    "when": "when",
    "schedule": "when",
    "run_at": "when",
    "timeout_s": "timeout",
    "max_attempts": "attempts",
    "pause_after_failures": "pause_after",
}


@get("/tasks/new")
async def new(viewer: NamedDependency[Viewer], agent: FromQuery[str] = "") -> Response[bytes]:
    """The form of a new task, for the agent that is named or the first."""
    limits = viewer.nod.limits
    given = {
        **dict.fromkeys(_FIELDS, ""),
        "agent_id": agent,
        "kind": "scheduled",
        "timezone": viewer.user.timezone,
        "notify": "always",
        "catch_up": "latest",
        "timeout": _minutes(limits.timeout_s),
        "attempts": "1",
        "pause_after": str(limits.pause_after_failures),
    }
    return await _form(viewer, given, None)


@post("/tasks/new", status_code=200)
async def create(viewer: NamedDependency[Viewer]) -> Response[bytes]:
    """Make the task; or the form again, with a sentence about what does not fit."""
    given = await typed(viewer.request, *_FIELDS)

    async def make(tx: Tx) -> Task:
        agent = await get_agent(tx, viewer.user, given["agent_id"])
        return await tasks.create(tx, viewer.nod.vault, agent, _fields(given), "user")

    try:
        made = await viewer.nod.store.write(make)
    except NodError as error:
        return await _form(viewer, given, None, str(error))
    return viewer.go(f"/tasks/{made.id}")


@get("/tasks/{task_id:str}/edit")
async def edit(viewer: NamedDependency[Viewer], task_id: FromPath[str]) -> Response[bytes]:
    """The form of a task that is there."""
    task, _ = await viewer.nod.store.read(lambda tx: owned_task(tx, viewer.user, task_id))
    return await _form(viewer, _as_typed(task, viewer), task)


@post("/tasks/{task_id:str}/edit", status_code=200)
async def save(viewer: NamedDependency[Viewer], task_id: FromPath[str]) -> Response[bytes]:
    """Change the task; or the form again, with a sentence about what does not fit."""
    given = await typed(viewer.request, *_FIELDS)

    async def change(tx: Tx) -> Task:
        _, agent = await owned_task(tx, viewer.user, task_id)
        return await tasks.update(tx, viewer.nod.vault, agent, task_id, _fields(given))

    try:
        await viewer.nod.store.write(change)
    except InvalidInput as error:
        task, _ = await viewer.nod.store.read(lambda tx: owned_task(tx, viewer.user, task_id))
        return await _form(viewer, given, task, str(error))
    return viewer.go(f"/tasks/{task_id}")


@post("/tasks/preview", status_code=200)
async def preview(viewer: NamedDependency[Viewer], task: FromQuery[str] = "") -> Response[bytes]:
    """What the schedule in the form means, or why it is not understood. Saves nothing."""
    given = await typed(viewer.request, *_FIELDS)
    return viewer.fragment("tasks/preview.html", **await _understood(viewer, given, task))


async def _understood(viewer: Viewer, given: dict[str, str], task_id: str) -> dict[str, Any]:
    async def look(tx: Tx) -> SchedulePreview:
        fields = _schedule(given)
        if task_id:
            _, agent = await owned_task(tx, viewer.user, task_id)
            return await preview_edit(tx, agent, task_id, fields, _NEXT_FIRES)
        named = given["agent_id"]
        agent_of_new = await get_agent(tx, viewer.user, named) if named else None
        return await preview_new(tx, viewer.user, agent_of_new, fields, _NEXT_FIRES)

    if given["kind"] != "event" and not given["when"].strip():
        return {"found": None, "why_not": ""}
    try:
        return {"found": await viewer.nod.store.read(look), "why_not": ""}
    except InvalidInput as error:
        return {"found": None, "why_not": str(error)}


async def _form(
    viewer: Viewer, given: dict[str, str], task: Task | None, error: str = ""
) -> Response[bytes]:
    async def look(tx: Tx) -> list[Agent]:
        found = await tx.people.agents_of(viewer.user.id)
        return [each for each in found if each.kind == "interactive"]

    agents = await viewer.nod.store.read(look)
    first = error.partition(" ")[0].rstrip(":,")
    if task is None and not given["agent_id"] and agents:
        given = {**given, "agent_id": agents[0].id}
    made = await viewer.page(
        "tasks/edit.html",
        task=task,
        agents=agents,
        given=given,
        error=error,
        wrong=_PLACES.get(first, first),
        zones=timezones(),
        **await _understood(viewer, given, "" if task is None else task.id),
    )
    made.status_code = 400 if error else 200
    return made


def _fields(given: dict[str, str]) -> TaskFields:
    """What the form says, as any caller would write it."""
    wanted: dict[str, Any] = {
        "name": given["name"],
        "prompt": given["prompt"],
        "useful_until": given["useful_until"].strip() or None,
        "idempotent": given["idempotent"] == "yes",
        "timeout_s": round(_number(given["timeout"], "timeout_s", "minutes") * 60),
        "max_attempts": round(_number(given["attempts"], "max_attempts", "times")),
        "pause_after_failures": round(
            _number(given["pause_after"], "pause_after_failures", "failures")
        ),
    }
    # An empty choice leaves the default, which follows from the schedule.
    wanted |= {name: given[name] for name in ("notify", "overlap", "catch_up") if given[name]}
    try:
        fields = msgspec.convert(wanted, TaskFields)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"the form holds a choice that is none: {error}") from error
    when = _schedule(given)
    return msgspec.structs.replace(
        fields, when=when.when, schedule=when.schedule, timezone=when.timezone
    )


def _schedule(given: dict[str, str]) -> TaskFields:
    """When it runs: a cron expression as it is, everything else as words. What stands as it stood
    is left alone, so that saving another field moves no fire."""
    zone = given["timezone"].strip() or None
    if given["kind"] == "event":
        return TaskFields(schedule="event", timezone=zone)
    text = given["when"].strip()
    if text and text == given["was"]:
        return TaskFields(timezone=zone)
    try:
        return TaskFields(schedule=check_cron(text), timezone=zone)
    except InvalidInput:
        return TaskFields(when=text, timezone=zone)


def _as_typed(task: Task, viewer: Viewer) -> dict[str, str]:
    when = _when_text(task, viewer)
    return {
        "agent_id": task.agent_id,
        "name": task.name,
        "prompt": task.prompt,
        "kind": "event" if task.trigger_type == "event" else "scheduled",
        "when": when,
        "was": when,
        "timezone": task.timezone,
        "notify": task.notify,
        "overlap": task.overlap,
        "catch_up": task.catch_up,
        "useful_until": task.useful_until or "",
        "timeout": _minutes(task.timeout_s),
        "attempts": str(task.max_attempts),
        "pause_after": str(task.pause_after_failures),
        "idempotent": "yes" if task.idempotent else "",
    }


def _when_text(task: Task, viewer: Viewer) -> str:
    """The schedule as one would type it: in words where they mean exactly the same."""
    if task.trigger_type == "event":
        return ""
    words = sentence(task).split(",")[0].rstrip(".")
    if task.trigger_type == "once":
        return words
    try:
        same = read_when(words, task.timezone, viewer.now).schedule == task.schedule
    except InvalidInput:
        same = False
    return words if same else task.schedule


def _number(text: str, name: str, unit: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise InvalidInput(f"{name} takes a number of {unit}; got {text[:40]!r}")
    return found


def _minutes(seconds: int) -> str:
    return f"{seconds / 60:.10g}"


routes = [new, create, edit, save, preview]
