"""The person's agents as conversations: who is there, what came last, what waits."""

from dataclasses import dataclass

from nod.domain.instant import Instant
from nod.domain.model import Agent, Conversation, Message, Task, User
from nod.store.store import Tx


@dataclass(frozen=True, slots=True)
class Overview:
    """One agent, as the list of agents shows it."""

    agent: Agent
    conversation: Conversation
    last: Message | None
    unread: int  # at most `Limits.unread_messages`
    waiting: int  # requests
    next_task: Task | None

    @property
    def moved_at(self) -> Instant:
        """When something last happened in the conversation."""
        return self.conversation.created_at if self.last is None else self.last.created_at


async def overviews(tx: Tx, user: User) -> list[Overview]:
    """All of the person's agents, the one that was last heard in first."""
    found = [await overview(tx, each) for each in await tx.people.agents_of(user.id)]
    return sorted(found, key=lambda each: (each.moved_at, each.agent.id), reverse=True)


async def overview(tx: Tx, agent: Agent) -> Overview:
    """One agent."""
    conversation = await tx.chat.default_conversation(agent.id)
    newest = await tx.chat.messages(conversation.id, 1)
    waiting, _ = await tx.chat.count_open_decisions(agent.id)
    return Overview(
        agent,
        conversation,
        newest[0] if newest else None,
        await tx.chat.unread(conversation, tx.limits.unread_messages),
        waiting,
        _next(await tx.tasks.of_agent(agent.id)),
    )


def _next(tasks: list[Task]) -> Task | None:
    due = [each for each in tasks if each.enabled and each.next_fire_at is not None]
    return min(due, key=lambda each: each.next_fire_at or 0, default=None)
