"""What happened, for the person: one line each, newest first."""

from nod.actions.agents import get_agent
from nod.domain.model import Activity, User
from nod.store.chat import NEWEST
from nod.store.store import Tx


async def list_activity(
    tx: Tx, user: User, agent_id: str | None, limit: int, before: int = NEWEST
) -> list[Activity]:
    """The person's activity, of one agent or of all; those with a seq below `before`.

    Each agent is asked for its newest lines, so that a page costs the same however long the
    history has grown.
    """
    if agent_id is not None:
        asked = [await get_agent(tx, user, agent_id)]
    else:
        asked = await tx.people.agents_of(user.id)
    found = [line for each in asked for line in await tx.chat.activity_of(each.id, limit, before)]
    return sorted(found, key=lambda line: line.seq, reverse=True)[:limit]
