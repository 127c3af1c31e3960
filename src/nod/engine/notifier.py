"""Notices to the people: the stage that brings what `engine/notify.py` wrote to their devices.

Each target has one attempt at a time and a lease on it, so that a slow one holds up no other, and
a process that is killed leaves nothing but a lease that ends. What fails is tried again, less and
less often, for `notify_window_s`; a target that fails for days is given up.
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

import msgspec
import structlog

from nod.clock import Clock
from nod.domain import notify
from nod.domain.errors import NodError, Unavailable
from nod.domain.instant import SECOND, Instant, rfc3339
from nod.domain.limits import Limits
from nod.domain.model import Decision, Notice, NotifyTarget, new_id
from nod.domain.policy import notify_delay_s
from nod.domain.words import duration_words
from nod.engine.aside import Tell
from nod.engine.batches import Batches
from nod.engine.mornings import MORNINGS
from nod.engine.notify import target_disabled
from nod.notify.apprise_sender import AppriseSender, Words
from nod.notify.outcome import Outcome
from nod.notify.push import PushMessage, PushSender, Subscription, Urgency
from nod.notify.vapid import KEY_NAME, Vapid, new_key
from nod.secrets import Vault
from nod.store.notify import Send
from nod.store.store import Store, Tx

_log = structlog.get_logger("nod.notify")
_AGAIN_S = 1.0
_TRIES = 8
_URGENT = ("request", "failure", "health")

Button = dict[str, str]
Buttons = Callable[[Decision, Instant], list[Button]]


@dataclass(frozen=True, slots=True)
class Ready:
    """A notice that goes to a target now. `buttons` are what a push message lets the person do."""

    send: Send
    ttl_s: int
    buttons: list[Button]


async def make_vapid_key(tx: Tx, vault: Vault) -> None:
    """Make the server's key for push services, unless it has one."""
    if await tx.notify.server_key(KEY_NAME) is None:
        await tx.notify.add_server_key(KEY_NAME, vault.seal(new_key()), tx.now)


async def installation(tx: Tx) -> str:
    """What only processes on this database know, and all of them alike."""
    key = await tx.notify.server_key(KEY_NAME)
    return sha256((key or "").encode()).hexdigest()[:32]


class Notifier:
    """Sends what is due. `buttons` gives what a person can answer from the notice itself."""

    def __init__(
        self,
        store: Store,
        push: PushSender,
        apprise: AppriseSender,
        vault: Vault,
        clock: Clock,
        limits: Limits,
        public_url: str,
        buttons: Buttons,
        tell: Tell,
    ) -> None:
        self._store = store
        self._push = push
        self._apprise = apprise
        self._vault = vault
        self._clock = clock
        self._limits = limits
        self._public_url = public_url
        self._buttons = buttons
        self._mornings = Batches(store, MORNINGS, clock, tell)
        self._vapid: Vapid | None = None
        self._sending: set[asyncio.Task[None]] = set()

    async def vapid(self) -> Vapid:
        """The server's key for push services. Raises WrongSecretKey when it cannot be opened."""
        if self._vapid is None:
            sealed = await self._store.read(lambda tx: tx.notify.server_key(KEY_NAME))
            if sealed is None:
                await self._store.write(lambda tx: make_vapid_key(tx, self._vault))
                return await self.vapid()
            self._vapid = Vapid(self._vault.open(sealed), self._public_url)
        return self._vapid

    async def look(self) -> Instant | None:
        """Sum up the nights that are over, send what is due; return when to look again."""
        await self._mornings.work_off()
        room = self._limits.notify_parallel - len(self._sending)
        now = self._clock.now()
        next_send, next_morning = await self._store.read(_next)
        if room > 0 and next_send is not None and next_send <= now:
            for ready in await self._store.write(lambda tx: self._claim(tx, room)):
                task = asyncio.create_task(self._attempt(ready), name="notification")
                self._sending.add(task)
                task.add_done_callback(self._sending.discard)
            next_send, next_morning = await self._store.read(_next)
        # Without room, the end of an attempt wakes the stage.
        times = [next_send if room > 0 else None, next_morning, self._mornings.aside.next_at()]
        return min((each for each in times if each is not None), default=None)

    async def close(self) -> None:
        """Stop. What is under way is tried again when its lease has ended."""
        for task in self._sending:
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)
        await self._push.close()
        self._apprise.close()

    async def test(self, target: NotifyTarget) -> Outcome:
        """Send a test to the target now."""
        now = self._clock.now()
        notice = _test_notice(target, now)
        return await self._send(Ready(Send(target, notice, 0), self._limits.notify_timeout_s, []))

    # what is due

    async def _claim(self, tx: Tx, room: int) -> list[Ready]:
        """Take the targets that have something to get and are free. What is moot is dropped."""
        ready: list[Ready] = []
        lease = tx.now + 2 * self._limits.notify_timeout_s * SECOND
        due = await tx.notify.due(tx.now, room)
        # Whoever is faster has the target; with one database process nobody is.
        for send in [each for each in due if await tx.notify.lease(each.target.id, tx.now, lease)]:
            decision = None
            if send.notice.decision_id is not None:
                decision = await tx.chat.decision(send.notice.decision_id)
            why = await _moot(tx, send.notice, decision)
            if why is None:
                ready.append(self._ready(send, decision, tx.now))
            else:
                await tx.notify.settle(send.notice, "dropped", why, tx.now)
                await tx.notify.lease(send.target.id, lease, 0)
                tx.effects.timer("notify", tx.now)
        return ready

    def _ready(self, send: Send, decision: Decision | None, now: Instant) -> Ready:
        ends = send.notice.not_before + self._limits.notify_window_s * SECOND
        buttons: list[Button] = []
        if decision is not None and decision.status == "pending":
            ends = min(ends, decision.expires_at)
            buttons = self._buttons(decision, now)
        return Ready(send, max(0, (ends - now) // SECOND), buttons)

    # one attempt

    async def _attempt(self, ready: Ready) -> None:
        outcome = await self._send(ready)
        jitter = random.uniform(-1, 1)  # noqa: S311 - spreads load, guards nothing
        while True:
            try:
                return await self._store.write(lambda tx: record(tx, ready.send, outcome, jitter))
            except Unavailable as error:
                _log.warning("an attempt waits to be stored", reason=error.detail)
                await asyncio.sleep(_AGAIN_S)

    async def _send(self, ready: Ready) -> Outcome:
        target = ready.send.target
        try:
            address = self._vault.open(target.address)
            if target.kind == "apprise":
                return await self._apprise.send(address.decode(), self._words(ready.send.notice))
            to = msgspec.json.decode(address, type=Subscription)
            return await self._push.send(to, self._message(ready), await self.vapid())
        except NodError as error:
            return Outcome("failed", error.detail)
        except Exception as error:  # noqa: BLE001 - one that cannot be sent holds up no other
            _log.exception("a notice cannot be sent", notice_id=ready.send.notice.id)
            return Outcome("refused", f"it cannot be sent: {type(error).__name__}")

    def _words(self, notice: Notice) -> Words:
        return Words(notice.kind, notice.title, notice.text, f"{self._public_url}{notice.path}")

    def _message(self, ready: Ready) -> PushMessage:
        notice = ready.send.notice
        tag = notify.tag(notice)
        payload: dict[str, Any] = {
            "id": notice.id,
            "kind": notice.kind,
            "title": notice.title,
            "text": notice.text,
            "path": notice.path,
            "tag": tag,
            "at": rfc3339(notice.created_at),
            "actions": ready.buttons,
        }
        urgency: Urgency = "high" if notice.kind in _URGENT else "normal"
        return PushMessage(msgspec.json.encode(payload), ready.ttl_s, urgency, tag)


async def _next(tx: Tx) -> tuple[Instant | None, Instant | None]:
    return await tx.notify.next_send_at(), await tx.notify.next_morning()


async def _moot(tx: Tx, notice: Notice, decision: Decision | None) -> str | None:
    """Why there is nothing to tell any more."""
    asks = notice.decision_id is not None and not (notice.cause or "").startswith(notify.EXPIRED)
    if asks and (decision is None or decision.status != "pending" or decision.held_until):
        return "the request was answered meanwhile"
    if notice.message_id is not None and await tx.notify.is_read(notice.message_id):
        return "the message was read meanwhile"
    if tx.now > notice.not_before + tx.limits.notify_window_s * SECOND:
        return "it could not be delivered in time"
    return None


def _test_notice(target: NotifyTarget, now: Instant) -> Notice:
    return Notice(
        id=new_id("ntc", now),
        user_id=target.user_id,
        kind="message",
        title="Nod reaches you here",
        text="This is the test you asked for.",
        path=f"{notify.TARGETS}#{target.id}",
        agent_id=None,
        task_id=None,
        run_id=None,
        decision_id=None,
        cause=None,
        created_at=now,
        not_before=now,
        attempts=0,
        state="pending",
        settled_at=None,
        error=None,
    )


# what came of it


async def record(tx: Tx, send: Send, outcome: Outcome, jitter: float) -> None:
    """Write one attempt down: the notice is there, is tried again, or its target is given up."""
    tx.effects.timer("notify", tx.now)
    tx.effects.fact(
        "notified" if outcome.result == "ok" else "notify_failed",
        user_id=send.notice.user_id,
        notice_id=send.notice.id,
        agent_id=send.notice.agent_id,
        target_id=send.target.id,
        kind=send.target.kind,
        reason=outcome.error,
    )
    target = await tx.notify.target(send.target.id)
    if target is None:
        return
    over = outcome.result in ("ok", "refused") or send.attempts + 1 >= _TRIES
    await tx.notify.tried(send, outcome.error, tx.now, over=over)
    if outcome.result == "gone":
        await tx.notify.remove_target(target, tx.now)
    else:
        await record_health(tx, target, outcome, jitter)


async def record_health(tx: Tx, target: NotifyTarget, outcome: Outcome, jitter: float) -> None:
    """Keep what is known of a target: it works, it waits for its next try, or it is given up."""
    if outcome.error is None:
        well = replace(
            target, failing_since=None, error=None, used_at=tx.now, failures=0, next_at=0
        )
        await tx.notify.update_target(well)
        return
    since = target.failing_since or tx.now
    wait_s = max(notify_delay_s(target.failures + 1, jitter), outcome.retry_after_s or 0)
    failing = replace(
        target,
        failing_since=since,
        error=outcome.error,
        failures=target.failures + 1,
        next_at=tx.now + round(wait_s * SECOND),
    )
    failing_s = (tx.now - since) // SECOND
    if failing_s < tx.limits.notify_disable_s:
        await tx.notify.update_target(failing)
        return
    why = f"it has failed for {duration_words(failing_s)}: {outcome.error}"
    await tx.notify.disable_target(replace(failing, enabled=False, error=why), tx.now)
    await target_disabled(tx, await tx.notify.owner(target), target, why)
