"""The editor of a task: its schedule in plain words, and what that means while one types."""

from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery

from nod.actions import tasks
from nod.actions.agents import get_agent
from nod.actions.owned import owned_task
from nod.actions.schedule_preview import preview_edit, preview_new
from nod.actions.tasks import zone_of
from nod.domain.errors import InvalidInput, NodError
from nod.domain.model import Agent, Task
from nod.domain.schedule_preview import SchedulePreview
from nod.domain.zones import timezones
from nod.store.store import Tx
from nod.web import task_form
from nod.web.start import at_fault, said, typed
from nod.web.task_form import FIELDS, LABELS, SCHEDULING, as_typed, fields_of, read_kept
from nod.web.view import Viewer

_NEXT_FIRES = 5
_TYPED = ("agent_id", "was", *FIELDS)


@get("/tasks/new")
async def new(viewer: NamedDependency[Viewer], agent: FromQuery[str] = "") -> Response[bytes]:
    """The form of a new task, for the agent that is named or the first."""
    given = {**task_form.blank(viewer.nod.limits), "agent_id": agent, "was": ""}
    return await _form(viewer, given, None)


@post("/tasks/new", status_code=200)
async def create(viewer: NamedDependency[Viewer]) -> Response[bytes]:
    """Make the task; or the form again, with a sentence about what does not fit."""
    given = await typed(viewer.request, *_TYPED)

    async def make(tx: Tx) -> Task:
        agent = await get_agent(tx, viewer.user, given["agent_id"])
        fields = fields_of(given, {}, await zone_of(tx, agent))
        return await tasks.create(tx, viewer.nod.vault, agent, fields, "user")

    try:
        made = await viewer.nod.store.write(make)
    except NodError as error:
        return await _form(viewer, given, None, error)
    return viewer.go(f"/tasks/{made.id}")


@get("/tasks/{task_id:str}/edit")
async def edit(
    viewer: NamedDependency[Viewer], task_id: FromPath[str], more: FromQuery[str] = ""
) -> Response[bytes]:
    """The form of a task that is there; with `more` nothing of it is folded away."""
    task, _ = await viewer.nod.store.read(lambda tx: owned_task(tx, viewer.user, task_id))
    shown = as_typed(task)
    given = {**shown, "agent_id": task.agent_id, "was": task_form.kept(shown)}
    return await _form(viewer, given, task, unfolded=bool(more))


@post("/tasks/{task_id:str}/edit", status_code=200)
async def save(viewer: NamedDependency[Viewer], task_id: FromPath[str]) -> Response[bytes]:
    """Change what was changed; or the form again, with a sentence about what does not fit."""
    given = await typed(viewer.request, *_TYPED)

    async def change(tx: Tx) -> Task:
        task, agent = await owned_task(tx, viewer.user, task_id)
        fields = fields_of(given, read_kept(given["was"]), task.timezone)
        return await tasks.update(tx, viewer.nod.vault, agent, task_id, fields)

    try:
        await viewer.nod.store.write(change)
    except InvalidInput as error:
        task, _ = await viewer.nod.store.read(lambda tx: owned_task(tx, viewer.user, task_id))
        return await _form(viewer, given, task, error)
    return viewer.go(f"/tasks/{task_id}")


@post("/tasks/preview", status_code=200)
async def preview(viewer: NamedDependency[Viewer], task: FromQuery[str] = "") -> Response[bytes]:
    """What the schedule in the form means, or why it is not understood. Saves nothing."""
    given = await typed(viewer.request, *_TYPED)
    return viewer.fragment("tasks/preview.html", **await _understood(viewer, given, task))


async def _understood(viewer: Viewer, given: dict[str, str], task_id: str) -> dict[str, Any]:
    """The preview, or why there is none, and the field at fault; the choices in a line."""

    async def look(tx: Tx) -> SchedulePreview:
        if task_id:
            task, agent = await owned_task(tx, viewer.user, task_id)
            fields = fields_of(given, read_kept(given["was"]), task.timezone, SCHEDULING)
            return await preview_edit(tx, agent, task_id, fields, _NEXT_FIRES)
        named = given["agent_id"]
        agent_of_new = await get_agent(tx, viewer.user, named) if named else None
        zone = await zone_of(tx, agent_of_new) if agent_of_new else viewer.user.timezone
        fields = fields_of(given, {}, zone, SCHEDULING)
        return await preview_new(tx, viewer.user, agent_of_new, fields, _NEXT_FIRES)

    found, why_not, amiss = None, "", ""
    if given["when"].strip():
        try:
            found = await viewer.nod.store.read(look)
        except InvalidInput as error:
            why_not, amiss = said(error, LABELS), _place(error)
    called = found is not None and found.schedule == "event"
    choices = task_form.choices_said(given, viewer.nod.limits, called=called)
    return {"found": found, "why_not": why_not, "amiss": amiss, "choices": choices}


def _place(error: NodError | None) -> str:
    """The field of the form that an error belongs to."""
    field = at_fault(error)
    return task_form.PLACES.get(field, field)


async def _form(
    viewer: Viewer,
    given: dict[str, str],
    task: Task | None,
    error: NodError | None = None,
    *,
    unfolded: bool = False,
) -> Response[bytes]:
    async def look(tx: Tx) -> list[Agent]:
        found = await tx.people.agents_of(viewer.user.id)
        return [each for each in found if each.kind == "interactive"]

    agents = await viewer.nod.store.read(look)
    if task is None and given["agent_id"] not in {each.id for each in agents}:
        given = {**given, "agent_id": agents[0].id if agents else ""}
    understood = await _understood(viewer, given, "" if task is None else task.id)
    wrong, words = _place(error), said(error, LABELS) if error else ""
    if wrong == "when":  # it stands where what is typed next is said back
        understood |= {"found": None, "why_not": words, "amiss": wrong}
    made = await viewer.page(
        "tasks/edit.html",
        task=task,
        agents=agents,
        given=given,
        error=words,
        wrong=wrong,
        form=task_form,
        unfolded=unfolded,
        zones=timezones(),
        **understood,
    )
    made.status_code = 400 if error else 200
    return made


routes = [new, create, edit, save, preview]
