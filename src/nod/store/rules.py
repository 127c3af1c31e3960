"""What people always allow their agents, in the store."""

from nod.domain.instant import Instant
from nod.domain.model import AllowRule, Decision
from nod.store.port import Connection
from nod.store.rows import row


class Rules:
    """The verbs on standing permissions."""

    __slots__ = ("_db",)

    def __init__(self, db: Connection) -> None:
        self._db = db

    async def keep(self, rule: AllowRule) -> None:
        """Store the rule, unless the agent has one with this pattern."""
        await self._db.many("keep_rule", [row(rule)])

    async def of_agent(self, agent_id: str) -> list[AllowRule]:
        """The agent's rules, the oldest first."""
        found = await self._db.all("rules_of_agent", agent_id=agent_id)
        return [AllowRule(*each) for each in found]

    async def matching(self, agent_id: str, pattern: str) -> AllowRule | None:
        """The agent's rule with exactly this pattern."""
        found = await self._db.one("rule_for", agent_id=agent_id, pattern=pattern)
        return None if found is None else AllowRule(*found)

    async def count_use(self, rule_id: str, now: Instant) -> None:
        await self._db.run("count_rule_use", rule_id=rule_id, now=now)

    async def answered(self, agent_id: str, limit: int) -> list[Decision]:
        """The agent's requests that a rule answered, the newest first."""
        found = await self._db.all("answered_by_rules", agent_id=agent_id, limit=limit)
        return [Decision(*each) for each in found]

    async def remove(self, agent_id: str, rule_id: str) -> bool:
        """Remove one of the agent's rules. False: it has no such."""
        return await self._db.run("remove_rule", agent_id=agent_id, rule_id=rule_id) == 1
