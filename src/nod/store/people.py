"""People and agents in the store."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from nod.domain.instant import Instant
from nod.domain.model import Agent, User
from nod.store.port import Connection
from nod.store.rows import row

# The e-mail address of the account that is not made yet; agents added before it belong to it.
UNCLAIMED = ""


class Seen(NamedTuple):
    """When an agent was last heard of."""

    agent_id: str
    at: Instant


class People:
    """The verbs on users, logins and agents."""

    __slots__ = ("_db",)

    def __init__(self, db: Connection) -> None:
        self._db = db

    # people

    async def insert_user(self, user: User) -> bool:
        """False: there is an account with this address."""
        values = dict(zip(User.__slots__, row(user), strict=True))
        return await self._db.run("insert_user", **values) == 1

    async def claim(self, user: User) -> bool:
        """Make the row that was kept for the first account (`user.id`) that account. False:
        somebody was faster."""
        changed = await self._db.run(
            "claim_user",
            id=user.id,
            email=user.email,
            name=user.name,
            password_hash=user.password_hash,
            timezone=user.timezone,
            created_at=user.created_at,
        )
        return changed == 1

    async def update_user(self, user: User) -> None:
        """Write what a person may change: all but the e-mail address."""
        await self._db.run(
            "update_user",
            id=user.id,
            name=user.name,
            password_hash=user.password_hash,
            timezone=user.timezone,
            locale=user.locale,
            theme=user.theme,
            quiet_from=user.quiet_from,
            quiet_until=user.quiet_until,
            quiet_requests=user.quiet_requests,
            morning_at=user.morning_at,
            feed_version=user.feed_version,
            tokens_from=user.tokens_from,
        )

    async def user(self, user_id: str) -> User | None:
        """The person. Whoever writes has them: nobody else changes the account meanwhile."""
        found = await self._db.one("user", user_id=user_id)
        return None if found is None else User(*found)

    async def user_by_email(self, email: str) -> User | None:
        """`email` in its normal form (`actions.accounts.normal_email`)."""
        found = await self._db.one("user_by_email", email=email)
        return None if found is None else User(*found)

    async def first_user(self) -> User | None:
        """The account made first; None while there is none."""
        found = await self._db.one("first_user")
        return None if found is None else User(*found)

    # logins

    async def add_login_attempt(self, email: str, address: str | None, now: Instant) -> None:
        await self._db.run("insert_login_attempt", email=email, address=address, created_at=now)

    async def login_attempts(self, email: str, since: Instant) -> tuple[int, Instant | None]:
        """How many attempts failed or are under way since a time, and when the oldest was."""
        found = await self._db.one("login_attempts", email=email, since=since)
        return (0, None) if found is None else (found[0], found[1])

    async def login_attempts_from(self, address: str, since: Instant) -> tuple[int, Instant | None]:
        """The same for all attempts made from one network address."""
        found = await self._db.one("login_attempts_from", address=address, since=since)
        return (0, None) if found is None else (found[0], found[1])

    async def clear_login_attempts(self, email: str) -> None:
        await self._db.run("clear_login_attempts", email=email)

    async def sweep_login_attempts(self, before: Instant) -> int:
        return await self._db.run("sweep_login_attempts", before=before)

    # agents

    async def insert_agent(self, agent: Agent) -> None:
        await self._db.many("insert_agent", [row(agent)])

    async def agent(self, agent_id: str) -> Agent | None:
        """The agent, unless it was removed."""
        found = await self._db.one("agent", agent_id=agent_id)
        return None if found is None else Agent(*found)

    async def keep_agent(self, agent_id: str) -> Agent | None:
        """The agent, which nobody else changes, or gives a task or a question, until this unit
        ends. A unit that needs a task or a run as well gets that first."""
        found = await self._db.one("kept_agent", agent_id=agent_id)
        return None if found is None else Agent(*found)

    async def keep_agents(self, agent_ids: Iterable[str]) -> list[Agent]:
        """The same for several at once."""
        ids = msgspec.json.encode(sorted(set(agent_ids))).decode()
        return [Agent(*each) for each in await self._db.all("kept_agents", agent_ids=ids)]

    async def agents_of(self, owner_id: str) -> list[Agent]:
        """A person's agents, the oldest first."""
        return [Agent(*each) for each in await self._db.all("agents_of", owner_id=owner_id)]

    async def all_agents(self) -> list[Agent]:
        """Everybody's agents, the oldest first."""
        return [Agent(*each) for each in await self._db.all("all_agents")]

    async def suspects(self) -> list[Agent]:
        """Removed agents, and those that have had another secret."""
        return [Agent(*each) for each in await self._db.all("suspects")]

    async def update_agent(self, agent: Agent) -> None:
        """Write what a person edits: name, zone, budget, webhook and what is known of that."""
        await self._db.run(
            "update_agent",
            id=agent.id,
            name=agent.name,
            timezone=agent.timezone,
            webhook_url=agent.webhook_url,
            webhook_format=agent.webhook_format,
            webhook_failing_since=agent.webhook_failing_since,
            webhook_told_at=agent.webhook_told_at,
            webhook_disabled=agent.webhook_disabled,
            budget=agent.budget,
        )

    async def rotate_secret(self, agent: Agent) -> None:
        """Write the secrets and keys, the new and the old."""
        await self._db.run(
            "rotate_secret",
            id=agent.id,
            secret_hash=agent.secret_hash,
            old_secret_hash=agent.old_secret_hash,
            old_secret_until=agent.old_secret_until,
            old_secret_in_use=agent.old_secret_in_use,
            webhook_key=agent.webhook_key,
            old_webhook_key=agent.old_webhook_key,
        )

    async def mark_new_secret_seen(self, agent_id: str) -> None:
        """The agent knows its new secret; from now on the new key comes first."""
        await self._db.run("mark_new_secret_seen", agent_id=agent_id, in_use=False)

    async def remove_agent(self, agent_id: str, now: Instant) -> bool:
        """Mark the agent as removed. False: it was already."""
        return await self._db.run("remove_agent", agent_id=agent_id, now=now) == 1

    async def set_webhook_health(
        self,
        agent_id: str,
        failing_since: Instant | None,
        told_at: Instant | None,
        disabled: str | None,
    ) -> None:
        await self._db.run(
            "set_webhook_health",
            agent_id=agent_id,
            failing_since=failing_since,
            told_at=told_at,
            disabled=disabled,
        )

    async def touch(self, seen: Sequence[Seen]) -> None:
        """Write when agents were last heard of."""
        await self._db.many("touch_agents", [(each.at, each.agent_id) for each in seen])

    async def set_thinking(
        self,
        agent_id: str,
        text: str | None,
        until: Instant | None,
        conversation_id: str | None,
    ) -> None:
        """Show "Thinking…" until a time, or no longer (None)."""
        await self._db.run(
            "set_thinking",
            agent_id=agent_id,
            text=text,
            until=until,
            conversation_id=conversation_id,
        )
