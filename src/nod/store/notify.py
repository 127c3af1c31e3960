"""Where people are notified, what they are told, and the server's own keys, in the store."""

from typing import NamedTuple

from nod.domain.instant import Instant
from nod.domain.model import Notice, NoticeState, NotifyTarget, Run, User
from nod.domain.notify import NightRun
from nod.store.port import Connection
from nod.store.rows import row

_ID_DIGITS = 12  # of the time at the beginning of an id, see `new_id`


class Send(NamedTuple):
    """A notice that may go to one target now. `attempts`: how often that was tried."""

    target: NotifyTarget
    notice: Notice
    attempts: int


class Morning(NamedTuple):
    """A person whose night is to be summed up at `at`; 0: when that is has to be found out."""

    user: User
    at: Instant


class Notify:
    """The verbs on targets and notices."""

    __slots__ = ("_db",)

    def __init__(self, db: Connection) -> None:
        self._db = db

    # notices

    async def reader(self, agent_id: str) -> User | None:
        """The agent's owner, if they have a target; else there is nobody to tell."""
        found = await self._db.one("reader", agent_id=agent_id)
        return None if found is None else User(*found)

    async def add(self, notice: Notice) -> bool:
        """Store a notice, and put it on its way unless it is held. False: its cause was told."""
        values = dict(zip(Notice.__slots__, row(notice), strict=True))
        if await self._db.run("insert_notice", **values) == 0:
            return False
        if notice.state == "pending":
            await self._put_on_its_way(notice)
        return True

    async def _put_on_its_way(self, notice: Notice) -> None:
        ways = await self._db.run(
            "insert_sends",
            notice_id=notice.id,
            due_at=notice.not_before,
            user_id=notice.user_id,
        )
        if ways == 0:
            await self.settle(notice, "dropped", "there is no target", notice.created_at)

    async def causes_over(self, task_id: str) -> None:
        """The task works: what fails from now on is told again."""
        await self._db.run("causes_over", task_id=task_id)

    async def notices_of(self, user_id: str, limit: int, before: str) -> list[Notice]:
        """Newest first, those with an id below `before`."""
        found = await self._db.all("notices_of", user_id=user_id, before=before, limit=limit)
        return [Notice(*each) for each in found]

    async def sweep(self, before: Instant, limit: int) -> int:
        return await self._db.run("sweep_notices", before=before, limit=limit)

    async def last_result(self, run: Run) -> Run | None:
        """The task's last successful run before this one."""
        found = await self._db.one("last_result", task_id=run.task_id, run_id=run.id)
        return None if found is None else Run(*found)

    # targets

    async def insert_target(self, target: NotifyTarget) -> bool:
        """False: the person has it already."""
        values = dict(zip(NotifyTarget.__slots__, row(target), strict=True))
        return await self._db.run("insert_target", **values) == 1

    async def target(self, target_id: str) -> NotifyTarget | None:
        found = await self._db.one("target", target_id=target_id)
        return None if found is None else NotifyTarget(*found)

    async def target_at(self, user_id: str, address_hash: str) -> NotifyTarget | None:
        """The person's target with that address."""
        found = await self._db.one("target_at", user_id=user_id, address_hash=address_hash)
        return None if found is None else NotifyTarget(*found)

    async def remove_elsewhere(self, user_id: str, address_hash: str) -> None:
        """Take a browser away from everybody but this person."""
        await self._db.run("remove_elsewhere", user_id=user_id, address_hash=address_hash)

    async def owner(self, target: NotifyTarget) -> User:
        """Whose target it is. Raises LookupError for one that is gone."""
        found = await self._db.one("target_owner", target_id=target.id)
        if found is None:
            raise LookupError(f"{target.id} is gone")
        return User(*found)

    async def targets_of(self, user_id: str) -> list[NotifyTarget]:
        """A person's targets, the oldest first."""
        return [NotifyTarget(*each) for each in await self._db.all("targets_of", user_id=user_id)]

    async def all_targets(self) -> list[NotifyTarget]:
        """Everybody's targets, the oldest first."""
        return [NotifyTarget(*each) for each in await self._db.all("all_targets")]

    async def update_target(self, target: NotifyTarget) -> None:
        """Write all but whose it is and where it leads."""
        await self._db.run(
            "update_target",
            id=target.id,
            label=target.label,
            address=target.address,
            enabled=target.enabled,
            failing_since=target.failing_since,
            error=target.error,
            used_at=target.used_at,
            failures=target.failures,
            next_at=target.next_at,
        )

    async def remove_target(self, target: NotifyTarget, now: Instant) -> None:
        """Remove it; notices that were to go there alone are dead."""
        await self._db.run("remove_target", target_id=target.id)
        await self._settle_unsent(target.user_id, now, "its target was removed")

    async def disable_target(self, target: NotifyTarget, now: Instant) -> None:
        """Write the target, which is not used any more, and give up what was to go there."""
        await self.update_target(target)
        await self._db.run("sends_of_target_over", target_id=target.id)
        await self._settle_unsent(target.user_id, now, target.error or "")

    async def _settle_unsent(self, user_id: str, now: Instant, error: str) -> None:
        await self._db.run("settle_unsent", user_id=user_id, now=now, error=error)

    # sending

    async def due(self, now: Instant, limit: int) -> list[Send]:
        """One notice for each target that is free, the longest due first."""
        found = await self._db.all("due_sends", now=now, limit=limit)
        return [await self._send(*each) for each in found]

    async def _send(self, target_id: str, notice_id: str, attempts: int) -> Send:
        target, notice = await self.target(target_id), await self.notice(notice_id)
        if target is None or notice is None:
            raise LookupError(f"{notice_id} or {target_id} is gone, and its sending is not")
        return Send(target, notice, attempts)

    async def notice(self, notice_id: str) -> Notice | None:
        found = await self._db.one("notice", notice_id=notice_id)
        return None if found is None else Notice(*found)

    async def next_send_at(self) -> Instant | None:
        """When the next notice may go to its target."""
        found = await self._db.one("next_send_at")
        return None if found is None else found[0]

    async def lease(self, target_id: str, now: Instant, until: Instant) -> bool:
        """Keep the target for one attempt. False: another has it."""
        return await self._db.run("lease_target", target_id=target_id, now=now, until=until) == 1

    async def is_read(self, message_id: str) -> bool:
        """Whether the person has seen the message in the app."""
        return await self._db.one("is_read", message_id=message_id) is not None

    async def tried(self, send: Send, error: str | None, now: Instant, *, over: bool) -> None:
        """Write down an attempt. `over`: the last one of this notice to this target."""
        notice, keys = send.notice, {"target_id": send.target.id, "notice_id": send.notice.id}
        await self._db.run("notice_tried", notice_id=notice.id, error=error)
        await self._db.run("send_over" if over else "send_failed", **keys)
        if error is None:
            await self._db.run(
                "settle_notice", notice_id=notice.id, state="sent", error=None, now=now
            )
        elif over:
            await self._settle_unsent(notice.user_id, now, error)

    async def settle(
        self, notice: Notice, state: NoticeState, error: str | None, now: Instant
    ) -> None:
        """Take a notice off its way to all targets."""
        await self._db.run("sends_over", notice_id=notice.id)
        await self._db.run("settle_notice", notice_id=notice.id, state=state, error=error, now=now)

    # mornings

    async def due_mornings(self, now: Instant, limit: int) -> list[Morning]:
        """People whose night is to be summed up."""
        found = await self._db.all("due_mornings", now=now, limit=limit)
        return [Morning(User(*each[:-1]), each[-1]) for each in found]

    async def next_morning(self) -> Instant | None:
        """When the next night is to be summed up."""
        found = await self._db.one("next_morning")
        return None if found is None else found[0]

    async def set_morning(self, user_id: str, at: Instant | None) -> None:
        await self._db.run("set_morning", user_id=user_id, at=at)

    async def ended_runs(
        self, user_id: str, since: Instant, until: Instant, made_since: Instant
    ) -> list[NightRun]:
        """Runs of a person's agents that ended from `since` until `until`, the oldest first, of
        those made at `made_since` or later."""
        first_id = f"run_{made_since:0{_ID_DIGITS}x}"
        found = await self._db.all(
            "ended_runs", user_id=user_id, since=since, until=until, first_id=first_id
        )
        return [NightRun(*each) for each in found]

    async def sum_up(self, user_id: str, until: Instant, now: Instant) -> list[Notice]:
        """What waits for the person's morning, the oldest first; the morning card tells of it."""
        found = await self._db.all("sum_up", user_id=user_id, until=until, now=now)
        return sorted((Notice(*each) for each in found), key=lambda notice: notice.id)

    # keys

    async def server_key(self, name: str) -> str | None:
        """The key as it was stored: sealed."""
        found = await self._db.one("server_key", name=name)
        return None if found is None else str(found[0])

    async def add_server_key(self, name: str, value: str, now: Instant) -> None:
        """Store a key, unless there is one."""
        await self._db.run("insert_server_key", name=name, value=value, created_at=now)
