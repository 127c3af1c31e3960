"""Who and what the demo needs: an account, an agent, two tasks. Kept between its runs."""

import json
import os
import secrets
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from nod.actions import accounts, agents, tasks
from nod.app import Nod
from nod.delivery.address_guard import AddressGuard
from nod.domain.errors import NotAuthenticated, NotFound
from nod.domain.model import Agent, Run, Task
from nod.domain.task_fields import TaskFields
from nod.engine.fire import run_now
from nod.store.store import Tx

EMAIL = "demo@example.org"

_FILE = "demo.json"
# A run that an earlier demo left behind does not hold up this one's.
_EACH_MINUTE = TaskFields(
    name="This machine",
    prompt="Report how this machine is: disk, load, memory and uptime.",
    schedule="* * * * *",
    overlap="cancel_previous",
    timeout_s=60,
)
_ON_CALL = TaskFields(
    name="A call",
    prompt="Say what this call has brought.",
    schedule="event",
    overlap="allow",
    timeout_s=60,
)


@dataclass(frozen=True, slots=True)
class Access:
    """What lets a person and the agent in. Written to a file only its owner can read."""

    password: str
    agent_id: str
    secret: str


@dataclass(frozen=True, slots=True)
class World:
    """The demo's things in the store, and the run it begins with."""

    access: Access
    each_minute: Task
    on_call: Task
    first: Run


async def prepare(nod: Nod) -> World:
    """Make what is not there yet, and a first run at once."""
    path = nod.settings.data_dir / _FILE
    access = await _known(nod, path)
    if access is None:
        access = await _new(nod)
        _keep(path, access)
    return await nod.store.write(lambda tx: _tasks(tx, nod, access))


async def _known(nod: Nod, path: Path) -> Access | None:
    """What an earlier demo has left, if it still opens the door."""
    access = _read(path)
    if access is None:
        return None
    try:
        await nod.store.read(lambda tx: agents.authenticate(tx, access.agent_id, access.secret))
    except (NotFound, NotAuthenticated):
        return None
    return access


def _read(path: Path) -> Access | None:
    try:
        return Access(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


async def _new(nod: Nod) -> Access:
    password = secrets.token_urlsafe(9)
    hashed = accounts.hash_password(password, nod.limits)
    guard = AddressGuard(nod.settings.allow_webhook_nets)

    async def make(tx: Tx) -> agents.Credentials:
        owner = await tx.people.user_by_email(EMAIL)
        if owner is None:
            owner = await accounts.create_user(tx, EMAIL, hashed, "You")
        await tx.people.update_user(replace(owner, password_hash=hashed))
        return await agents.create_agent(tx, nod.vault, guard, owner, "Demo agent")

    made = await nod.store.write(make)
    return Access(password, made.agent.id, made.secret)


def _keep(path: Path, access: Access) -> None:
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(asdict(access), file)


async def _tasks(tx: Tx, nod: Nod, access: Access) -> World:
    agent = await agents.authenticate(tx, access.agent_id, access.secret)
    each_minute = await _task(tx, nod, agent, _EACH_MINUTE)
    on_call = await _task(tx, nod, agent, _ON_CALL)
    return World(access, each_minute, on_call, await run_now(tx, each_minute))


async def _task(tx: Tx, nod: Nod, agent: Agent, wanted: TaskFields) -> Task:
    """The agent's task of this name, made if it is not there."""
    for task in await tx.tasks.of_agent(agent.id):
        if task.name == wanted.name:
            return task
    return await tasks.create(tx, nod.vault, agent, wanted, "user")
