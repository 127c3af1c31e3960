"""Home: the person's agents as conversations."""

import msgspec
from litestar import Controller, get
from litestar.di import NamedDependency

from nod.actions.home import Overview, overviews
from nod.api.auth import require_user
from nod.api.user.chat import pictures_of
from nod.api.user.views import (
    AgentView,
    ConversationView,
    MessageView,
    agent_fields,
    conversation_view,
    message_view,
)
from nod.api.views import at
from nod.app import Nod
from nod.domain.model import Task, User
from nod.store.store import Tx


class AlarmView(msgspec.Struct):
    """The next task to fire."""

    task_id: str
    name: str
    next_run_at: str | None


class OverviewView(msgspec.Struct):
    """One agent: what was said last, how much is unread and waits, and what comes next."""

    agent: AgentView
    conversation: ConversationView
    last_message: MessageView | None
    unread: int
    waiting: int
    next_alarm: AlarmView | None
    undelivered: int


class Home(Controller):
    """What the app shows first."""

    path = "/api/home"
    tags = ("Chat",)
    guards = (require_user,)

    @get()
    async def get_home(
        self, nod: NamedDependency[Nod], user: NamedDependency[User]
    ) -> list[OverviewView]:
        """The person's agents, the one last heard in first. `unread` and `undelivered` (tasks that
        wait until the agent can be reached) count to a hundred."""

        async def look(tx: Tx) -> list[OverviewView]:
            return [await _view(tx, nod, each) for each in await overviews(tx, user)]

        return await nod.store.read(look)


async def _view(tx: Tx, nod: Nod, each: Overview) -> OverviewView:
    connected = nod.sockets.connected(each.agent.id)
    last = None
    if each.last is not None:
        last = message_view(each.last, await pictures_of(tx, each.last))
    return OverviewView(
        AgentView(**agent_fields(each.agent, tx.now, connected=connected)),
        conversation_view(each.conversation),
        last,
        each.unread,
        each.waiting,
        None if each.next_task is None else _alarm(each.next_task),
        each.undelivered,
    )


def _alarm(task: Task) -> AlarmView:
    return AlarmView(task.id, task.name, at(task.next_fire_at))
