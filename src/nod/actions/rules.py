"""Standing permissions: what a person always allows an agent.

A rule is made by approving a permission with `always_allow`. It holds for a pattern that the agent
offered and the person chose; where none was chosen, for the very same request again: same title,
same description. A label such as "Always" says too little to allow anything by.
"""

import msgspec

from nod.actions.agents import get_agent
from nod.actions.checks import limited, required
from nod.domain.decisions import allowed_by_rule
from nod.domain.errors import Conflict, NotFound
from nod.domain.model import AllowRule, Decision, User, new_id
from nod.store.store import Tx


class AlwaysOption(msgspec.Struct, frozen=True):
    """One pattern that the person may allow for good."""

    pattern: str
    label: str = ""


def offered(decision: Decision) -> list[AlwaysOption]:
    """The patterns that the agent offered."""
    return msgspec.json.decode(decision.always_allow_options, type=list[AlwaysOption])


def itself(decision: Decision) -> str:
    """The request as the pattern that only the same request has."""
    return "\n\n".join(each for each in (decision.title, decision.description) if each)


async def keep(tx: Tx, decision: Decision, by: str) -> None:
    """Keep what the person has just allowed for good, if the decision is a permission."""
    if decision.kind != "permission" or not decision.always_allow:
        return
    labels = {each.pattern: each.label for each in offered(decision)}
    chosen = decision.always_allow_pattern
    rule = AllowRule(
        id=new_id("rul", tx.now),
        agent_id=decision.agent_id,
        pattern=itself(decision) if chosen is None else chosen,
        label=decision.title if chosen is None else labels[chosen],
        decision_id=decision.id,
        created_by=by,
        created_at=tx.now,
        uses=0,
        used_at=None,
    )
    await tx.rules.keep(rule)
    tx.effects.fact(
        "rule_kept",
        rule_id=rule.id,
        agent_id=rule.agent_id,
        decision_id=decision.id,
        pattern=rule.pattern,
    )


async def answering(tx: Tx, decision: Decision) -> AllowRule | None:
    """The rule that answers a new request; None: the person is asked."""
    if decision.kind != "permission" or not decision.allows_always:
        return None
    for pattern in (*(each.pattern for each in offered(decision)), itself(decision)):
        rule = await tx.rules.matching(decision.agent_id, pattern)
        if rule is not None:
            return rule
    return None


async def apply(tx: Tx, rule: AllowRule, decision: Decision) -> Decision:
    """The request as the rule answers it, not stored yet. The use is counted and shown."""
    is_offered = any(each.pattern == rule.pattern for each in offered(decision))
    allowed = allowed_by_rule(
        decision, rule.pattern if is_offered else None, rule.label or rule.pattern, tx.now
    )
    await tx.rules.count_use(rule.id, tx.now)
    await tx.chat.add_activity(
        decision.agent_id,
        "rule_used",
        f"Allowed: {decision.title}",
        f"You always allow this agent: {rule.label or rule.pattern}",
        decision.task_id,
        decision.run_id,
        tx.now,
        decision.id,
    )
    tx.effects.fact(
        "rule_used",
        rule_id=rule.id,
        agent_id=rule.agent_id,
        decision_id=decision.id,
        conversation_id=decision.conversation_id,
        run_id=decision.run_id,
        pattern=rule.pattern,
    )
    return allowed


async def list_rules(tx: Tx, user: User, agent_id: str) -> list[AllowRule]:
    """What the person always allows the agent, the oldest first. Raises NotFound."""
    agent = await get_agent(tx, user, agent_id)
    return await tx.rules.of_agent(agent.id)


async def add_rule(tx: Tx, user: User, agent_id: str, pattern: str, label: str = "") -> AllowRule:
    """Always allow the agent what it names by `pattern`, in exactly these words.

    Raises NotFound, InvalidInput, Conflict where there is such a rule.
    """
    agent = await get_agent(tx, user, agent_id)
    wanted = required(pattern, "pattern", tx.limits.title_chars)
    if await tx.rules.matching(agent.id, wanted) is not None:
        raise Conflict("this agent is always allowed that already")
    rule = AllowRule(
        id=new_id("rul", tx.now),
        agent_id=agent.id,
        pattern=wanted,
        label=limited(label, "label", tx.limits.title_chars),
        decision_id=None,
        created_by=user.email,
        created_at=tx.now,
        uses=0,
        used_at=None,
    )
    await tx.rules.keep(rule)
    tx.effects.fact("rule_kept", rule_id=rule.id, agent_id=agent.id, pattern=rule.pattern)
    return rule


async def allowed_lately(tx: Tx, user: User, agent_id: str, limit: int) -> list[Decision]:
    """The agent's requests that its rules answered, the newest first. Raises NotFound."""
    agent = await get_agent(tx, user, agent_id)
    return await tx.rules.answered(agent.id, limit)


async def remove_rule(tx: Tx, user: User, agent_id: str, rule_id: str) -> None:
    """Ask the person again from now on. Raises NotFound."""
    agent = await get_agent(tx, user, agent_id)
    if not await tx.rules.remove(agent.id, rule_id):
        raise NotFound(f"this agent has no rule {rule_id[:64]}")
    tx.effects.fact("rule_removed", rule_id=rule_id, agent_id=agent.id)
