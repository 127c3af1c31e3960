"""Agents: making them, proving that it is them, changing and removing them."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass, replace

from nod.actions.checks import required
from nod.delivery.address_guard import AddressGuard
from nod.delivery.signing import webhook_key, webhook_secret
from nod.domain.budget import Budget, check_budget, written
from nod.domain.credentials import holds_until
from nod.domain.errors import InvalidInput, NotAuthenticated, NotFound
from nod.domain.instant import SECOND
from nod.domain.limits import Limits
from nod.domain.model import Agent, AgentKind, Conversation, Task, User, WebhookFormat, new_id
from nod.domain.zones import check_timezone
from nod.engine import budgets
from nod.engine.ending import cancel_all
from nod.secrets import Vault
from nod.store.store import Tx

_KINDS: tuple[AgentKind, ...] = ("interactive", "approval_only")
_FORMATS: tuple[WebhookFormat, ...] = ("nod", "cloudevents")
_REMOVED = "its agent was removed"


@dataclass(frozen=True, slots=True)
class Credentials:
    """An agent with what is shown once: its secret, and its signing key as text."""

    agent: Agent
    secret: str
    webhook_secret: str


@dataclass(frozen=True, slots=True)
class AgentChanges:
    """What a person changes of an agent; a field named in `given` is set, also to None."""

    given: frozenset[str]
    name: str | None = None
    timezone: str | None = None
    webhook_url: str | None = None
    budget: Budget | None = None
    webhook_format: str | None = None


def _new_secret() -> str:
    return f"nod_{secrets.token_hex(20)}"


def hash_secret(secret: str) -> str:
    """What is kept of a secret."""
    # 160 random bits cannot be guessed from their hash, so unlike a password's it may be fast.
    return hashlib.sha256(secret.encode()).hexdigest()


async def create_agent(
    tx: Tx,
    vault: Vault,
    guard: AddressGuard,
    owner: User,
    name: str,
    kind: str = "interactive",
    timezone: str | None = None,
    webhook_url: str | None = None,
    webhook_format: str = "nod",
) -> Credentials:
    """A new agent of `owner`, with its secret and the conversation they will have."""
    secret = _new_secret()
    key = webhook_key(secret)
    agent = Agent(
        id=f"agt_{secrets.token_hex(8)}",
        owner_id=owner.id,
        name=required(name, "name", tx.limits.name_chars),
        kind=_kind(kind),
        timezone=None if timezone is None else check_timezone(timezone),
        secret_hash=hash_secret(secret),
        old_secret_hash=None,
        old_secret_until=None,
        old_secret_in_use=False,
        webhook_url=None if not webhook_url else guard.check_url(webhook_url, tx.limits),
        webhook_key=vault.seal(key),
        old_webhook_key=None,
        webhook_failing_since=None,
        webhook_told_at=None,
        webhook_disabled=None,
        last_seen_at=None,
        status_text=None,
        thinking_until=None,
        thinking_in=None,
        created_at=tx.now,
        deleted_at=None,
        webhook_format=_format(webhook_format),
    )
    await tx.people.insert_agent(agent)
    conversation = Conversation(new_id("conv", tx.now), agent.id, agent.name, tx.now)
    await tx.chat.insert_conversation(conversation)
    tx.effects.fact("agent_created", agent_id=agent.id, user_id=owner.id)
    return Credentials(agent, secret, webhook_secret(key))


def _kind(kind: str) -> AgentKind:
    for known in _KINDS:
        if kind == known:
            return known
    raise InvalidInput(f"kind must be interactive or approval_only; got {kind[:64]!r}")


def _format(given: str | None) -> WebhookFormat:
    for known in _FORMATS:
        if given == known:
            return known
    raise InvalidInput("must be nod or cloudevents", field="webhook_format")


async def authenticate(tx: Tx, agent_id: str, secret: str) -> Agent:
    """The agent, if the secret is its own: the present one, or the former while that still works.

    Raises NotFound when there is no such agent, NotAuthenticated for a wrong secret.
    """
    agent = await tx.people.agent(agent_id)
    if agent is None:
        raise NotFound(f"there is no agent {agent_id[:64]}; check X-Nod-Agent-Id")
    if tx.now < holds_until(agent, hash_secret(secret)):
        return agent
    raise NotAuthenticated(
        "the secret is not this agent's; give it a new one with: nod agents rotate-secret"
    )


def shows_new_secret(agent: Agent, secret: str) -> bool:
    """Whether the agent is seen with its new secret for the first time after a rotation."""
    return agent.old_secret_in_use and hmac.compare_digest(hash_secret(secret), agent.secret_hash)


async def new_secret_seen(tx: Tx, agent_id: str) -> None:
    """From now on X-Nod-Signature is made with the new key: the agent knows it."""
    await tx.people.mark_new_secret_seen(agent_id)


async def get_agent(tx: Tx, user: User, agent_id: str) -> Agent:
    """The person's agent. Raises NotFound, also for somebody else's."""
    agent = await tx.people.agent(agent_id)
    if agent is None or agent.owner_id != user.id:
        raise NotFound(f"you have no agent {agent_id[:64]}")
    return agent


async def rotate_secret(tx: Tx, vault: Vault, agent: Agent) -> Credentials:
    """A new secret and signing key. The former ones work for `secret_overlap_s` more.

    Until the agent is seen with its new secret, the former key signs what it is sent.
    """
    secret = _new_secret()
    key = webhook_key(secret)
    former = await tx.people.keep_agent(agent.id) or agent
    rotated = replace(
        former,
        secret_hash=hash_secret(secret),
        webhook_key=vault.seal(key),
        old_secret_hash=former.secret_hash,
        old_secret_until=tx.now + tx.limits.secret_overlap_s * SECOND,
        old_secret_in_use=True,
        old_webhook_key=former.webhook_key,
    )
    await tx.people.rotate_secret(rotated)
    tx.effects.timer("guard", tx.now)
    await tx.chat.add_activity(
        agent.id, "secret_rotated", f"{agent.name} has a new secret", "", None, None, tx.now
    )
    tx.effects.fact("secret_rotated", agent_id=agent.id)
    return Credentials(rotated, secret, webhook_secret(key))


async def update_agent(tx: Tx, guard: AddressGuard, agent: Agent, changes: AgentChanges) -> Agent:
    """Change the fields given. Setting a webhook URL, also the same one, makes it try again."""
    if "budget" in changes.given:
        await tx.tasks.of_agent(agent.id)  # tasks are kept before their agent, here as everywhere
    changed = await tx.people.keep_agent(agent.id) or agent
    if "name" in changes.given:
        name = required(changes.name or "", "name", tx.limits.name_chars)
        changed = replace(changed, name=name)
    if "timezone" in changes.given:
        zone = None if changes.timezone is None else check_timezone(changes.timezone)
        changed = replace(changed, timezone=zone)
    if "webhook_url" in changes.given:
        changed = _with_webhook(guard, changed, changes.webhook_url, tx.limits)
    if "budget" in changes.given:
        changed = await _with_budget(tx, changed, changes.budget)
    if "webhook_format" in changes.given:
        changed = replace(changed, webhook_format=_format(changes.webhook_format))
    await tx.people.update_agent(changed)
    if "webhook_url" in changes.given:
        await _try_webhook(tx, changed)
    tx.effects.fact("agent_updated", agent_id=agent.id)
    tx.effects.change(agent.id)
    return changed


async def _with_budget(tx: Tx, agent: Agent, given: Budget | None) -> Agent:
    """The agent with another budget for all its tasks together; they look at it from now on."""
    budget = written(check_budget(given or Budget()))
    if budget == agent.budget:
        return agent
    await budgets.start_anew(tx, agent.id, agent.id)
    await tx.tasks.mark_budgeted(agent.id, agent_has=budget is not None)
    return replace(agent, budget=budget)


def _with_webhook(guard: AddressGuard, agent: Agent, url: str | None, limits: Limits) -> Agent:
    return replace(
        agent,
        webhook_url=None if not url else guard.check_url(url, limits),
        webhook_failing_since=None,
        webhook_told_at=None,
        webhook_disabled=None,
    )


async def _try_webhook(tx: Tx, agent: Agent) -> None:
    """What waits for the agent goes to its webhook, or waits for another channel without one."""
    if agent.webhook_url is None:
        await tx.events.webhook_closed(agent.id)
    else:
        await tx.events.webhook_opened(agent.id, tx.now)
        tx.effects.timer("deliver", tx.now)


async def remove_agent(tx: Tx, agent: Agent) -> None:
    """Remove the agent: its secret stops working, nothing fires for it, its questions close.

    1. Its tasks end, so that none of the runs that end here is tried again or makes room.
    2. Its runs under way are cancelled.
    3. Its open questions are dismissed, and what it was still to be told is not sent any more.
    """
    await tx.tasks.of_agent(agent.id)  # tasks are kept before their agent, here as everywhere
    await tx.people.keep_agent(agent.id)
    for task in await tx.tasks.of_agent(agent.id):
        await _end_task(tx, task)
    for decision in await tx.chat.waiting_decisions(agent.id):
        await tx.chat.dismiss(decision, tx.now)
        tx.effects.change(decision.id)
    await tx.events.bury_all(agent.id, tx.now, _REMOVED)
    await tx.people.remove_agent(agent.id, tx.now)
    tx.effects.timer("guard", tx.now)
    tx.effects.fact("agent_removed", agent_id=agent.id)
    tx.effects.change(agent.id)


async def _end_task(tx: Tx, task: Task) -> None:
    ended = replace(
        task,
        enabled=False,
        pause_reason=_REMOVED,
        next_fire_at=None,
        updated_at=tx.now,
        deleted_at=tx.now,
    )
    await tx.tasks.update(ended)
    await cancel_all(tx, await tx.runs.active(task.id), _REMOVED)
