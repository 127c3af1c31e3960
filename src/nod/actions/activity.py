"""What happened, for the person: one line each, newest first."""

from nod.actions.agents import get_agent
from nod.domain.model import Activity, User
from nod.store.chat import NEWEST
from nod.store.store import Tx


async def list_activity(
    tx: Tx, user: User, agent_id: str | None, limit: int, before: int = NEWEST
) -> list[Activity]:
    """The person's activity, of one agent or of all; those with a seq below `before`."""
    if agent_id is not None:
        await get_agent(tx, user, agent_id)
    return await tx.chat.activity_of(user.id, agent_id, limit, before)
