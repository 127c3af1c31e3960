"""Calls that are held for a look, and the senders that tasks trust, in the store."""

from dataclasses import fields
from typing import NamedTuple

from nod.domain.instant import Instant
from nod.domain.model import Decision, HeldCall, Run, TrustedSender
from nod.store.port import Connection
from nod.store.rows import row

_RUN = len(fields(Run))


class Waiting(NamedTuple):
    """A call that waits for a look: its run, and what is known of it."""

    run: Run
    call: HeldCall


class Calls:
    """The verbs on calls. Whoever writes has their task."""

    __slots__ = ("_db",)

    def __init__(self, db: Connection) -> None:
        self._db = db

    async def hold(self, call: HeldCall) -> None:
        await self._db.many("insert_held_call", [row(call)])

    async def waiting(self, task_id: str) -> list[Waiting]:
        """The task's calls that nobody has looked at, the oldest first."""
        found = await self._db.all("waiting_calls", task_id=task_id)
        return [Waiting(Run(*each[:_RUN]), HeldCall(*each[_RUN:])) for each in found]

    async def count_waiting(self, task_id: str) -> int:
        found = await self._db.one("count_waiting_calls", task_id=task_id)
        return 0 if found is None else int(found[0])

    async def open_look(self, task_id: str) -> Decision | None:
        """The request that is open for the task's calls."""
        found = await self._db.one("open_look", task_id=task_id)
        return None if found is None else Decision(*found)

    async def put_call(self, decision_id: str, call: str) -> None:
        """Write what the request says of the calls that wait, as JSON."""
        await self._db.run("put_call", decision_id=decision_id, call=call)

    async def sender(self, task_id: str, sender: str) -> TrustedSender | None:
        """The sender, if the task trusts it."""
        found = await self._db.one("trusted_sender", task_id=task_id, sender=sender)
        return None if found is None else TrustedSender(*found)

    async def senders(self, task_id: str) -> list[TrustedSender]:
        """Whom the task trusts, the oldest first."""
        found = await self._db.all("trusted_senders", task_id=task_id)
        return [TrustedSender(*each) for each in found]

    async def count_senders(self, task_id: str) -> int:
        found = await self._db.one("count_trusted_senders", task_id=task_id)
        return 0 if found is None else int(found[0])

    async def trust(self, sender: TrustedSender) -> None:
        """Trust the sender; of one that is trusted already, what is known of it is replaced."""
        await self._db.many("trust_sender", [row(sender)])

    async def count_use(self, sender_id: str, now: Instant) -> None:
        await self._db.run("count_trusted_call", sender_id=sender_id, now=now)

    async def distrust(self, task_id: str, sender_id: str) -> bool:
        """Trust the sender no more. False: the task did not."""
        removed = await self._db.run("remove_trusted_sender", task_id=task_id, sender_id=sender_id)
        return removed == 1
