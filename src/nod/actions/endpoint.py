"""Trying the address that takes an agent's events, outside the outbox."""

from dataclasses import dataclass

import msgspec

from nod.actions.agents import get_agent
from nod.delivery.signing import sign_headers
from nod.domain.errors import Conflict
from nod.domain.instant import SECOND
from nod.domain.model import User, new_id
from nod.engine.webhooks import in_format, keys_of
from nod.secrets import Vault
from nod.store.store import Tx


@dataclass(frozen=True, slots=True)
class TrialCall:
    """A signed webhook that brings nothing: an event of the type `test`."""

    url: str
    headers: dict[str, str]
    body: bytes


async def make_trial_call(
    tx: Tx, vault: Vault, user: User, agent_id: str, public_url: str
) -> TrialCall:
    """What to send to the agent's endpoint to see whether it answers. Nothing is stored.

    It is made for a disabled endpoint too: to try it is how one finds out that it works again.
    Raises NotFound, Conflict for an agent without an endpoint.
    """
    agent = await get_agent(tx, user, agent_id)
    if agent.webhook_url is None:
        raise Conflict("this agent has no webhook URL to try; set one first")
    event_id = new_id("evt", tx.now)
    text = "A test from Nod. There is nothing to do."
    event = msgspec.json.encode({"type": "test", "event_id": event_id, "text": text}).decode()
    body, content_type = in_format(agent, event, tx.now, public_url)
    key, other = keys_of(agent, vault, tx.now)
    headers = sign_headers(
        event_id=event_id,
        delivery_id=new_id("dlv", tx.now),
        body=body,
        timestamp=tx.now // SECOND,
        retry_num=0,
        retry_reason="first_attempt",
        key=key,
        other_key=other,
        content_type=content_type,
    )
    return TrialCall(agent.webhook_url, headers, body)
