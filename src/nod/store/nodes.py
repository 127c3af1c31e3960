"""Which servers share the database, and which agents are connected to which, in the store."""

from collections.abc import Iterable
from typing import NamedTuple

from nod.domain.instant import Instant
from nod.store.port import Connection


class Asker(NamedTuple):
    """The server that asks; others are there if they were seen after `alive`."""

    node_id: str
    alive: Instant


class Nodes:
    """The verbs on servers and the agents connected to them."""

    __slots__ = ("_db",)

    def __init__(self, db: Connection) -> None:
        self._db = db

    async def see(self, node_id: str, now: Instant) -> None:
        """The server is there."""
        await self._db.run("see_node", node_id=node_id, now=now)

    async def forget_gone(self, before: Instant) -> None:
        """Remove servers that have not been seen since, and what is connected to none."""
        if await self._db.run("forget_nodes", before=before):
            await self._db.run("forget_connections")

    async def leave(self, node_id: str) -> None:
        """The server ends, and nobody is connected to it any more."""
        await self._db.run("forget_connections_of_node", node_id=node_id)
        await self._db.run("forget_node", node_id=node_id)

    async def others(self, asker: Asker) -> bool:
        """Whether any other server is there."""
        return await self._db.one("other_node", **asker._asdict()) is not None

    async def connect(self, agent_ids: Iterable[str], node_id: str) -> None:
        """The newest connection of these agents is to the server."""
        await self._db.many("connect_agents", [(each, node_id) for each in sorted(agent_ids)])

    async def disconnect(self, agent_ids: Iterable[str], node_id: str) -> None:
        """These agents have no connection to the server any more."""
        await self._db.many("disconnect_agents", [(each, node_id) for each in sorted(agent_ids)])

    async def connections(self, alive: Instant) -> dict[str, str]:
        """To which server, of those seen after `alive`, each agent is connected."""
        found: list[tuple[str, str]] = await self._db.all("connections", alive=alive)
        return dict(found)

    async def waiting(
        self, asker: Asker, since: Instant, before: Instant, limit: int
    ) -> list[tuple[str, str]]:
        """Agents connected to the server, each with an event it ought to have got by `before`."""
        found = await self._db.all(
            "waiting_at_node", since=since, before=before, limit=limit, **asker._asdict()
        )
        return [(agent_id, event_id) for agent_id, event_id in found]
