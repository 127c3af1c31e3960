"""The person's agents as conversations: who is there, what came last, what waits."""

from dataclasses import dataclass

from nod.domain.instant import Instant
from nod.domain.model import Agent, Conversation, Decision, Message, Task, User
from nod.store.store import Tx


@dataclass(frozen=True, slots=True)
class Overview:
    """One agent, as the list of agents shows it."""

    agent: Agent
    conversation: Conversation
    last: Message | None
    unread: int  # at most `Limits.unread_messages`
    asked: tuple[Decision, ...]  # requests that wait, the one that expires next first
    next_task: Task | None
    undelivered: int  # tasks that wait until the agent can be reached; counted as `unread` is

    @property
    def waiting(self) -> int:
        """How many requests wait for the person."""
        return len(self.asked)

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
    asked = await tx.chat.waiting_decisions(agent.id)
    next_tasks = await tx.tasks.with_fires(agent.id, 1)
    return Overview(
        agent,
        conversation,
        newest[0] if newest else None,
        await tx.chat.unread(conversation, tx.limits.unread_messages),
        # An answer that is held counts as given.
        tuple(each for each in asked if each.held_until is None),
        next_tasks[0] if next_tasks else None,
        await tx.events.count_undelivered(agent.id, tx.now, tx.limits.unread_messages),
    )
