"""Where the person of the sample is told, and what they were told lately. Nothing is sent."""

from dataclasses import replace

from nod.actions import notifications, sessions
from nod.domain.instant import HOUR, MINUTE
from nod.domain.model import Notice, NoticeKind, NoticeState, User, new_id
from nod.secrets import Vault
from nod.store.store import Tx
from support.push_service import Browser

_PIXEL = "Mozilla/5.0 (Linux; Android 14) Chrome/130.0 Mobile Safari/537.36"


async def furnish_places(
    tx: Tx, vault: Vault, owner: User, run_id: str, decision_id: str
) -> dict[str, str]:
    """Targets that work, fail and rest; notices of each fate; another browser signed in."""
    await sessions.open_session(tx, owner, _PIXEL)
    phone = await notifications.add_subscription(
        tx,
        vault,
        owner,
        Browser("https://push.example.org/1").subscription,
        "",
        "Chrome on Android",
    )
    topic = await notifications.add_apprise(tx, vault, owner, "ntfys://push.example.org/x", "ntfy")
    mail = await notifications.add_apprise(tx, vault, owner, "json://mail.example.org", "Old mail")
    since, used = tx.now - 2 * HOUR, tx.now - 9 * MINUTE
    for each in (
        replace(phone, used_at=used),
        replace(
            topic,
            failing_since=since,
            error="HTTP status 429",
            failures=4,
            next_at=tx.now + 21 * MINUTE,
        ),
        replace(mail, enabled=False),
    ):
        await tx.notify.update_target(each)
    for notice in _notices(tx.now, owner, run_id, decision_id):
        await tx.notify.add(notice)
    return {"target_id": phone.id}


def _notices(now: int, owner: User, run_id: str, decision_id: str) -> list[Notice]:
    def notice(
        minutes: int,
        kind: NoticeKind,
        title: str,
        text: str,
        path: str,
        state: NoticeState = "sent",
        error: str | None = None,
    ) -> Notice:
        at = now - minutes * MINUTE
        return Notice(
            id=new_id("ntc", at),
            user_id=owner.id,
            kind=kind,
            title=title,
            text=text,
            path=path,
            agent_id=None,
            task_id=None,
            run_id=None,
            decision_id=None,
            cause=None,
            created_at=at,
            not_before=at,
            attempts=1,
            state=state,
            settled_at=at,
            error=error,
        )

    run = f"/runs/{run_id}"
    busy = "ntfy: HTTP status 429"
    return [
        notice(
            600, "morning", "The night", "12 runs, 11 done, 1 failed (Backup: timeout)", "/activity"
        ),
        notice(300, "failure", "Check the backups failed", "No sign of life.", run, "dead", busy),
        notice(240, "recovery", "Check the backups works again", "After one failure.", run),
        notice(40, "request", "Merge the pull request?", "Ada asks.", f"/requests/{decision_id}"),
        notice(9, "result", "Morning briefing", "Three pull requests wait for you", run),
        notice(
            2,
            "message",
            "Ada",
            "It was the cache.",
            "/",
            "dropped",
            "the message was read meanwhile",
        ),
    ]
