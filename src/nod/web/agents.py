"""Adding an agent: its name, its secret shown once, and seeing that it has arrived."""

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from nod.actions import agents, tasks
from nod.actions.agents import AgentChanges, Credentials
from nod.delivery.address_guard import AddressGuard
from nod.domain.errors import InvalidInput
from nod.domain.instant import SECOND, Instant, rfc3339
from nod.domain.model import Agent
from nod.domain.task_fields import TaskFields
from nod.store.store import Tx
from nod.web.start import at_fault, said, typed
from nod.web.view import Viewer

_HELLO_IN = 2 * SECOND
_LABELS = {"name": "Name", "webhook_url": "Address that takes the events"}


@get("/agents/new")
async def new_agent(viewer: NamedDependency[Viewer]) -> Response[bytes]:
    """The form for a new agent."""
    return await _form(viewer, {"name": "", "kind": "interactive"})


@post("/agents/new", status_code=200)
async def add_agent(viewer: NamedDependency[Viewer]) -> Response[bytes]:
    """Make it. This answer, and no other, shows its secrets and how to connect it."""
    nod = viewer.nod
    given = await typed(viewer.request, "name", "kind")
    guard = AddressGuard(nod.settings.allow_webhook_nets)

    async def add(tx: Tx) -> Credentials:
        kind = given["kind"] or "interactive"
        return await agents.create_agent(tx, nod.vault, guard, viewer.user, given["name"], kind)

    try:
        made = await nod.store.write(add)
    except InvalidInput as error:
        return await _form(viewer, given, error)
    return await viewer.page(
        "agents/connect.html",
        made=made,
        agent=made.agent,
        is_connected=False,
        url=nod.settings.public_url.rstrip("/"),
    )


async def _form(
    viewer: Viewer, given: dict[str, str], error: InvalidInput | None = None
) -> Response[bytes]:
    words = said(error, _LABELS) if error else ""
    made = await viewer.page(
        "agents/new.html", given=given, error=words, wrong=at_fault(error) or "name"
    )
    made.status_code = 400 if error else 200
    return made


@get("/agents/{agent_id:str}/connection")
async def connection(viewer: NamedDependency[Viewer], agent_id: FromPath[str]) -> Response[bytes]:
    """Whether the agent has been heard of, for a live update."""
    agent = await viewer.nod.store.read(lambda tx: agents.get_agent(tx, viewer.user, agent_id))
    return viewer.fragment(
        "agents/connection.html", agent=agent, is_connected=_has_come(viewer, agent)
    )


def _has_come(viewer: Viewer, agent: Agent) -> bool:
    """By an open socket; one that polls or has a webhook, by a call that it has made."""
    return viewer.nod.sockets.connected(agent.id) or agent.last_seen_at is not None


@post("/agents/{agent_id:str}/webhook", status_code=200)
async def set_webhook(viewer: NamedDependency[Viewer], agent_id: FromPath[str]) -> Response[bytes]:
    """Say where the agent takes its events."""
    given = await typed(viewer.request, "webhook_url")
    guard = AddressGuard(viewer.nod.settings.allow_webhook_nets)
    changes = AgentChanges(frozenset(["webhook_url"]), webhook_url=given["webhook_url"].strip())
    error = ""
    try:
        agent = await viewer.nod.store.write(
            lambda tx: _change(tx, viewer, agent_id, guard, changes)
        )
    except InvalidInput as refused:
        error = said(refused, _LABELS)
        agent = await viewer.nod.store.read(lambda tx: agents.get_agent(tx, viewer.user, agent_id))
    made = viewer.fragment(
        "agents/webhook.html", agent=agent, typed=given["webhook_url"], error=error
    )
    made.status_code = 400 if error else 200
    return made


async def _change(
    tx: Tx, viewer: Viewer, agent_id: str, guard: AddressGuard, changes: AgentChanges
) -> Agent:
    agent = await agents.get_agent(tx, viewer.user, agent_id)
    return await agents.update_agent(tx, guard, agent, changes)


@post("/agents/{agent_id:str}/test-task")
async def test_task(viewer: NamedDependency[Viewer], agent_id: FromPath[str]) -> Response[bytes]:
    """An alarm that rings in a moment, and the way to where its answer will be."""

    async def add(tx: Tx) -> str:
        agent = await agents.get_agent(tx, viewer.user, agent_id)
        await tasks.create(tx, viewer.nod.vault, agent, _hello(viewer.user.name, tx.now), "user")
        return (await tx.chat.default_conversation(agent.id)).id

    return viewer.go(f"/chats/{await viewer.nod.store.write(add)}")


def _hello(name: str, now: Instant) -> TaskFields:
    whole = -(-(now + _HELLO_IN) // SECOND) * SECOND
    return TaskFields(
        name="Say hello",
        prompt=f"Say hello to {name or 'your person'}, in one sentence.",
        schedule="once",
        run_at=rfc3339(whole),
    )


routes = [new_agent, add_agent, connection, set_webhook, test_task]
