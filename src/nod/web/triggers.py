"""The trigger of an event task: its address, who may call it, what called it, and a test."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from nod.actions import calls, senders, tasks
from nod.actions.owned import owned_task
from nod.actions.senders import Trusted
from nod.domain.errors import Conflict, InvalidInput, NodError
from nod.domain.model import Agent, Decision, Task
from nod.domain.task_fields import TaskFields
from nod.store.store import Tx
from nod.web.services import SERVICES
from nod.web.start import at_fault, said, typed
from nod.web.view import Viewer

_EXAMPLE = '{"test": true}'
_LABELS = {
    "verify": "Calls come from",
    "verify_secret": "Secret",
    "payload": "Test event (JSON)",
    "quarantine": "Hold what is new",
}


@dataclass(frozen=True, slots=True)
class Said:
    """What was typed into the form `at`, and how it went. `wrong` is the field at fault."""

    at: str = ""
    values: dict[str, str] = field(default_factory=lambda: dict.fromkeys(_LABELS, ""))
    error: str = ""
    wrong: str = ""
    done: str = ""
    run_id: str = ""


@dataclass(frozen=True, slots=True)
class Trust:
    """Who has called, whom the task trusts, and the request for the calls that wait for a look."""

    recent: Sequence[calls.RecentCall] = ()
    senders: Sequence[Trusted] = ()
    look: Decision | None = None


async def trust_of(tx: Tx, agent: Agent, task: Task) -> Trust:
    """All that the page says of an event task's callers."""
    return Trust(
        await calls.recent_calls(tx, agent, task.id),
        await senders.list_senders(tx, agent, task.id),
        await tx.calls.open_look(task.id),
    )


_NOTHING = Said()
_Step = Callable[[Tx, Agent], Awaitable[Said]]


def trigger_values(
    viewer: Viewer, task: Task, trust: Trust, told: Said = _NOTHING
) -> dict[str, Any]:
    """What the part of the page about the trigger shows."""
    return {
        "task": task,
        "recent": trust.recent,
        "trusted": trust.senders,
        "look": trust.look,
        "said": told,
        "example": _EXAMPLE,
        "services": SERVICES,
        "url": f"{viewer.nod.settings.public_url.rstrip('/')}/api/webhooks/{task.trigger_id}",
    }


@get("/tasks/{task_id:str}/trigger")
async def trigger(viewer: NamedDependency[Viewer], task_id: FromPath[str]) -> Response[bytes]:
    """The address, how callers prove themselves, and the newest calls."""
    return await _answer(viewer, task_id, _NOTHING)


@post("/tasks/{task_id:str}/trigger/verify", status_code=200)
async def verify(viewer: NamedDependency[Viewer], task_id: FromPath[str]) -> Response[bytes]:
    """Say how callers prove themselves. Without a secret the same way keeps the one it has."""
    given = await typed(viewer.request, "verify", "verify_secret", "quarantine")
    wanted: dict[str, Any] = {name: value for name, value in given.items() if value}
    wanted["quarantine"] = given["quarantine"] == "yes"

    async def change(tx: Tx, agent: Agent) -> Said:
        try:
            fields = msgspec.convert(wanted, TaskFields)
        except msgspec.ValidationError as error:
            raise InvalidInput("is one of those in the list", field="verify") from error
        await tasks.update(tx, viewer.nod.vault, agent, task_id, fields)
        return Said(done="Saved.")

    # A secret is never sent back.
    shown = {**_NOTHING.values, "verify": given["verify"]}
    return await _done(viewer, task_id, change, Said("verify", shown))


@post("/tasks/{task_id:str}/trigger/rotate", status_code=200)
async def rotate(viewer: NamedDependency[Viewer], task_id: FromPath[str]) -> Response[bytes]:
    """Give it a new address; the old one stops at once."""

    async def change(tx: Tx, agent: Agent) -> Said:
        await tasks.rotate_trigger(tx, agent, task_id)
        return Said(done="This is the new address. The old one has stopped.")

    return await _done(viewer, task_id, change, Said("rotate"))


@post("/tasks/{task_id:str}/trigger/test", status_code=200)
async def test(viewer: NamedDependency[Viewer], task_id: FromPath[str]) -> Response[bytes]:
    """Call it as from outside, with what is in the form."""
    text = (await typed(viewer.request, "payload"))["payload"] or _EXAMPLE
    shown = {**_NOTHING.values, "payload": text}

    async def call(tx: Tx, agent: Agent) -> Said:
        try:
            payload = msgspec.json.decode(text)
        except msgspec.DecodeError as error:
            raise InvalidInput(f"is not JSON: {error}", field="payload") from error
        made = await calls.send_test(tx, agent, task_id, payload, None)
        return Said("test", shown, done="Sent.", run_id=made.run_id)

    return await _done(viewer, task_id, call, Said("test", shown))


@post("/tasks/{task_id:str}/trigger/distrust", status_code=200)
async def distrust(viewer: NamedDependency[Viewer], task_id: FromPath[str]) -> Response[bytes]:
    """Trust a sender no more."""
    sender_id = (await typed(viewer.request, "sender"))["sender"]

    async def remove(tx: Tx, agent: Agent) -> Said:
        await senders.remove_sender(tx, agent, task_id, sender_id)
        return Said(done="It is not trusted any more. Its next call waits for you to look at it.")

    return await _done(viewer, task_id, remove, Said("distrust"))


async def _done(viewer: Viewer, task_id: str, step: _Step, given: Said) -> Response[bytes]:
    async def take(tx: Tx) -> Said:
        _, agent = await owned_task(tx, viewer.user, task_id)
        return await step(tx, agent)

    try:
        told = await viewer.nod.store.write(take)
    except NodError as error:
        told = replace(given, error=said(error, _LABELS), wrong=at_fault(error))
    return await _answer(viewer, task_id, told)


async def _answer(viewer: Viewer, task_id: str, told: Said) -> Response[bytes]:
    async def look(tx: Tx) -> dict[str, Any]:
        task, agent = await owned_task(tx, viewer.user, task_id)
        if task.trigger_type != "event":
            raise Conflict("this task runs at its time; only one that waits for calls has these")
        return trigger_values(viewer, task, await trust_of(tx, agent, task), told)

    values = await viewer.nod.store.read(look)
    if viewer.part is not None:
        return viewer.fragment("tasks/trigger.html", **values)
    made = await viewer.page("tasks/trigger_page.html", **values)
    made.status_code = 400 if told.error else 200
    return made


routes = [trigger, verify, rotate, test, distrust]
