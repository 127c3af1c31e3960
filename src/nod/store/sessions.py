"""Browsers that are signed in, and the link that makes the first account, in the store."""

from nod.domain.instant import Instant
from nod.domain.model import Session
from nod.store.port import Connection
from nod.store.rows import row

_NONE = ""


class Sessions:
    """The verbs on sessions and setup links. Of tokens the store knows only hashes."""

    __slots__ = ("_db",)

    def __init__(self, db: Connection) -> None:
        self._db = db

    async def insert(self, session: Session) -> None:
        await self._db.many("insert_session", [row(session)])

    async def by_token(self, token_hash: str, rotated_after: Instant) -> Session | None:
        """The session with this cookie, or whose cookie was this until a time not long ago."""
        found = await self._db.one(
            "session_by_token", token_hash=token_hash, rotated_after=rotated_after
        )
        return None if found is None else Session(*found)

    async def of_user(self, user_id: str, now: Instant) -> list[Session]:
        """A person's sessions that have not ended, the one used last first."""
        found = await self._db.all("sessions_of_user", user_id=user_id, now=now)
        return [Session(*each) for each in found]

    async def rotate(self, session: Session) -> None:
        """Write the new token (`token_hash`) over the former (`old_token_hash`)."""
        await self._db.run(
            "rotate_session",
            id=session.id,
            token_hash=session.token_hash,
            old_token_hash=session.old_token_hash,
            rotated_at=session.rotated_at,
        )

    async def touch(self, session: Session) -> None:
        """Write that it was used, when it ends by that, and the browser's words."""
        await self._db.run(
            "touch_session",
            id=session.id,
            seen_at=session.seen_at,
            expires_at=session.expires_at,
            browser=session.browser,
        )

    async def remove(self, user_id: str, session_id: str) -> bool:
        """End one of the person's sessions. False: they have no such."""
        changed = await self._db.run("remove_session", user_id=user_id, session_id=session_id)
        return changed == 1

    async def remove_all(self, user_id: str, but: str | None = None) -> int:
        """End all of the person's sessions, or all but one; return how many."""
        return await self._db.run("remove_sessions_of_user", user_id=user_id, kept_id=but or _NONE)

    async def sweep(self, now: Instant) -> int:
        """Remove those that have ended."""
        return await self._db.run("sweep_sessions", now=now)

    # the link that makes the first account

    async def insert_setup_link(
        self, token_hash: str, created_at: Instant, expires_at: Instant
    ) -> None:
        await self._db.run(
            "insert_setup_link",
            token_hash=token_hash,
            created_at=created_at,
            expires_at=expires_at,
        )

    async def setup_link_ends(self, token_hash: str) -> Instant | None:
        """When the link stops working; None for a link there is not."""
        found = await self._db.one("setup_link_ends", token_hash=token_hash)
        return None if found is None else found[0]

    async def clear_setup_links(self) -> None:
        await self._db.run("clear_setup_links")
