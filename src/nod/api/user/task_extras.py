"""What only a person does with a task: copy it, try its trigger, look at its calls."""

from typing import Annotated, Any

import msgspec
from litestar import Controller, delete, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, HeaderParameter, JSONBody

from nod.actions import calls, senders, tasks
from nod.api.auth import require_user
from nod.api.hooks import Accepted
from nod.api.user.tasks import owned_agent
from nod.api.user.views import SenderView, sender_view
from nod.api.views import TaskView, task_view
from nod.app import Nod
from nod.domain.instant import rfc3339
from nod.domain.model import Agent

_EXAMPLE: dict[str, Any] = {"test": True}


class TestEventFields(msgspec.Struct):
    """What the test brings; {"test": true} if nothing is given."""

    payload: Any = msgspec.UNSET


class CallView(msgspec.Struct):
    """A call of a trigger. `outcome`: accepted, held (it waits for a look), turned_away, skipped,
    or for a refused call wrong_signature, paused, rate_limited, too_large or malformed."""

    at: str
    outcome: str
    run_id: str | None
    reason: str | None
    size_bytes: int | None
    source: str
    headers: dict[str, str]


class TaskExtras(Controller):
    """More of one task, for its person."""

    path = "/api/tasks/{agent_id:str}/{task_id:str}"
    tags = ("Tasks",)
    guards = (require_user,)
    dependencies = {"agent": Provide(owned_agent)}  # noqa: RUF012 - the framework's way

    @post("/duplicate")
    async def duplicate_task(
        self, nod: NamedDependency[Nod], agent: NamedDependency[Agent], task_id: FromPath[str]
    ) -> TaskView:
        """Copy the task, paused and with a trigger of its own; resume it when it is right."""
        return task_view(await nod.store.write(lambda tx: tasks.duplicate(tx, agent, task_id)))

    @post("/test-event", status_code=202)
    async def send_test_event(
        self,
        nod: NamedDependency[Nod],
        agent: NamedDependency[Agent],
        task_id: FromPath[str],
        data: JSONBody[TestEventFields | None] = None,
        key: Annotated[str | None, HeaderParameter(name="Idempotency-Key")] = None,
    ) -> Accepted:
        """Call an event task as from outside, without a signature; its source is "test"."""
        given = None if data is None else data.payload
        payload = _EXAMPLE if data is None or given is msgspec.UNSET else given
        made = await nod.store.write(lambda tx: calls.send_test(tx, agent, task_id, payload, key))
        return Accepted("accepted", made.event_id, made.run_id)

    @get("/calls")
    async def list_calls(
        self, nod: NamedDependency[Nod], agent: NamedDependency[Agent], task_id: FromPath[str]
    ) -> list[CallView]:
        """The newest calls of its trigger, newest first, refused ones with the reason."""
        found = await nod.store.read(lambda tx: calls.recent_calls(tx, agent, task_id))
        return [
            CallView(
                rfc3339(each.at),
                each.outcome,
                each.run_id,
                each.reason,
                each.size_bytes,
                each.source,
                each.headers,
            )
            for each in found
        ]

    @get("/senders")
    async def list_senders(
        self, nod: NamedDependency[Nod], agent: NamedDependency[Agent], task_id: FromPath[str]
    ) -> list[SenderView]:
        """Whom a task with quarantine trusts, the oldest first."""
        found = await nod.store.read(lambda tx: senders.list_senders(tx, agent, task_id))
        return [sender_view(each) for each in found]

    @delete("/senders/{sender_id:str}", status_code=204)
    async def remove_sender(
        self,
        nod: NamedDependency[Nod],
        agent: NamedDependency[Agent],
        task_id: FromPath[str],
        sender_id: FromPath[str],
    ) -> None:
        """Trust the sender no more: its next call waits for a look."""
        await nod.store.write(lambda tx: senders.remove_sender(tx, agent, task_id, sender_id))
