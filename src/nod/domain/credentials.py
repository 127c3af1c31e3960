"""How long an agent's secret is good for. Pure."""

import hmac

from nod.domain.instant import Instant
from nod.domain.model import Agent

FOR_GOOD: Instant = 1 << 62


def holds_until(agent: Agent, secret_hash: str) -> Instant:
    """Until when the secret with this hash is the agent's, FOR_GOOD or a time; 0: it is not."""
    if hmac.compare_digest(secret_hash, agent.secret_hash):
        return FOR_GOOD
    if hmac.compare_digest(secret_hash, agent.old_secret_hash or ""):
        return agent.old_secret_until or 0
    return 0
