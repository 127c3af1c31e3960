"""Web Push: a browser's subscription, and one message to it (RFC 8030).

The endpoint comes from a browser, so it is outside data: it is called as webhooks are, through the
address guard, without following redirects.
"""

import base64
import binascii
import hashlib
from dataclasses import dataclass, replace
from typing import Literal
from urllib.parse import urlsplit

import msgspec

from nod.clock import Clock
from nod.delivery.address_guard import AddressGuard, as_address
from nod.delivery.webhook import Answer, WebhookSender
from nod.domain.errors import InvalidInput
from nod.domain.limits import Limits
from nod.domain.policy import retry_after_s
from nod.notify.encryption import AUTH_BYTES, encrypt, public_key
from nod.notify.outcome import OK, Outcome
from nod.notify.vapid import Vapid, b64url

Urgency = Literal["very-low", "low", "normal", "high"]

_TOPIC_CHARS = 32  # RFC 8030, section 5.4
_GONE = (404, 410)
_REFUSED = (400, 413)


class Keys(msgspec.Struct, frozen=True):
    """A subscription's public key and its secret, in base64 for URLs."""

    p256dh: str
    auth: str


class Subscription(msgspec.Struct, frozen=True):
    """What a browser's PushSubscription gives as JSON."""

    endpoint: str
    keys: Keys


@dataclass(frozen=True, slots=True)
class PushMessage:
    """What is sent. `topic`: at the push service it takes the place of an older one with it."""

    payload: bytes
    ttl_s: int
    urgency: Urgency
    topic: str


def check_subscription(given: Subscription, guard: AddressGuard, limits: Limits) -> Subscription:
    """The subscription in its normal form. Raises InvalidInput with what is wrong."""
    endpoint = guard.check_url(given.endpoint, limits)
    parts = urlsplit(endpoint)
    if parts.scheme == "http" and as_address(parts.hostname or "") is None:
        raise InvalidInput("endpoint must begin with https://, as a browser's does")
    _open_keys(given.keys)
    return Subscription(endpoint, given.keys)


def _open_keys(keys: Keys) -> tuple[bytes, bytes]:
    try:
        point, auth = _bytes(keys.p256dh), _bytes(keys.auth)
        public_key(point)
    except (binascii.Error, ValueError):
        raise InvalidInput("keys.p256dh must be a browser's public key in base64url") from None
    if len(auth) != AUTH_BYTES:
        raise InvalidInput(f"keys.auth must be {AUTH_BYTES} bytes in base64url")
    return point, auth


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class PushSender:
    """Sends to push services. One for the process; used and closed in one event loop."""

    def __init__(self, guard: AddressGuard, limits: Limits, clock: Clock) -> None:
        own = replace(
            limits,
            webhook_timeout_s=limits.notify_timeout_s,
            webhook_connections=limits.notify_parallel,
        )
        self._sender = WebhookSender(guard, own, clock)
        self._clock = clock

    async def send(self, to: Subscription, message: PushMessage, vapid: Vapid) -> Outcome:
        """Send once. Never raises for what the push service or the network does."""
        body = encrypt(message.payload, *_open_keys(to.keys))
        headers = {
            "Authorization": vapid.authorization(to.endpoint, self._clock.now()),
            "Content-Type": "application/octet-stream",
            "Content-Encoding": "aes128gcm",
            "TTL": str(message.ttl_s),
            "Urgency": message.urgency,
            "Topic": b64url(hashlib.sha256(message.topic.encode()).digest())[:_TOPIC_CHARS],
        }
        answer = await self._sender.send(to.endpoint, headers, body)
        return self._outcome(answer)

    async def close(self) -> None:
        """Close all connections."""
        await self._sender.close()

    def _outcome(self, answer: Answer) -> Outcome:
        if answer.reason == "ok":
            return OK
        error = f"{answer.error} {answer.head}".strip()
        if answer.status in _GONE:
            return Outcome("gone", "the browser has ended its subscription")
        if answer.status in _REFUSED:
            return Outcome("refused", error)
        asked = answer.retry_after
        wait = None if asked is None else retry_after_s(asked, self._clock.now())
        return Outcome("failed", error, wait)
