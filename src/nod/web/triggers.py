"""The trigger of an event task: its address, who may call it, what called it, and a test."""

from dataclasses import dataclass
from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from nod.actions import calls, tasks
from nod.actions.owned import owned_task
from nod.domain.errors import Conflict, InvalidInput, NodError
from nod.domain.model import Agent, Task
from nod.domain.task_fields import TaskFields
from nod.store.store import Tx
from nod.web.start import typed
from nod.web.view import Viewer

_EXAMPLE = '{"test": true}'


@dataclass(frozen=True, slots=True)
class Said:
    """What was typed into the form `at`, and how it went."""

    at: str = ""
    text: str = ""
    error: str = ""
    done: str = ""


_NOTHING = Said()


@get("/tasks/{task_id:str}/trigger")
async def trigger(viewer: NamedDependency[Viewer], task_id: FromPath[str]) -> Response[bytes]:
    """The address, how callers prove themselves, and the newest calls."""
    return await _answer(viewer, task_id, _NOTHING)


@post("/tasks/{task_id:str}/trigger/verify", status_code=200)
async def verify(viewer: NamedDependency[Viewer], task_id: FromPath[str]) -> Response[bytes]:
    """Say how callers prove themselves. An empty secret leaves the one that is kept."""
    given = await typed(viewer.request, "verify", "secret")

    async def change(tx: Tx) -> None:
        _, agent = await owned_task(tx, viewer.user, task_id)
        wanted: dict[str, Any] = {"verify": given["verify"]}
        if given["secret"] or given["verify"] == "none":
            wanted["verify_secret"] = given["secret"] or None
        try:
            fields = msgspec.convert(wanted, TaskFields)
        except msgspec.ValidationError as error:
            raise InvalidInput("choose one of the services in the list") from error
        await tasks.update(tx, viewer.nod.vault, agent, task_id, fields)

    return await _done(viewer, task_id, change, Said("verify", given["verify"], done="Saved."))


@post("/tasks/{task_id:str}/trigger/rotate", status_code=200)
async def rotate(viewer: NamedDependency[Viewer], task_id: FromPath[str]) -> Response[bytes]:
    """Give it a new address; the old one stops at once."""

    async def change(tx: Tx) -> None:
        _, agent = await owned_task(tx, viewer.user, task_id)
        await tasks.rotate_trigger(tx, agent, task_id)

    done = Said("rotate", done="This is the new address. The old one has stopped.")
    return await _done(viewer, task_id, change, done)


@post("/tasks/{task_id:str}/trigger/test", status_code=200)
async def test(viewer: NamedDependency[Viewer], task_id: FromPath[str]) -> Response[bytes]:
    """Call it as from outside, with what is in the form."""
    text = (await typed(viewer.request, "payload"))["payload"] or _EXAMPLE

    async def call(tx: Tx) -> None:
        _, agent = await owned_task(tx, viewer.user, task_id)
        try:
            payload = msgspec.json.decode(text)
        except msgspec.DecodeError as error:
            raise InvalidInput(f"the test event is not JSON: {error}") from error
        await calls.send_test(tx, agent, task_id, payload, None)

    return await _done(viewer, task_id, call, Said("test", text, done="Sent. It made a run."))


async def _done(viewer: Viewer, task_id: str, change: Any, said: Said) -> Response[bytes]:
    try:
        await viewer.nod.store.write(change)
    except NodError as error:
        await viewer.nod.store.read(lambda tx: owned_task(tx, viewer.user, task_id))
        return await _answer(viewer, task_id, Said(said.at, said.text, str(error)))
    return await _answer(viewer, task_id, said)


async def _answer(viewer: Viewer, task_id: str, said: Said) -> Response[bytes]:
    async def look(tx: Tx) -> tuple[Task, Agent, list[calls.RecentCall]]:
        task, agent = await owned_task(tx, viewer.user, task_id)
        if task.trigger_type != "event":
            raise Conflict("this task runs at its time; only one that waits for calls has these")
        return task, agent, await calls.recent_calls(tx, agent, task_id)

    task, agent, recent = await viewer.nod.store.read(look)
    values = {
        "task": task,
        "agent": agent,
        "recent": recent,
        "said": said,
        "example": _EXAMPLE,
        "url": f"{viewer.nod.settings.public_url.rstrip('/')}/api/webhooks/{task.trigger_id}",
    }
    if viewer.part is not None:
        return viewer.fragment("tasks/trigger.html", **values)
    made = await viewer.page("tasks/trigger_page.html", **values)
    made.status_code = 400 if said.error else 200
    return made


routes = [trigger, verify, rotate, test]
