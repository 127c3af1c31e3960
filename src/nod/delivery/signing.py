"""The headers of a webhook: what is sent, which attempt it is, and proof that Nod sent it.

Two signatures stand side by side, both HMAC-SHA256 under the same key:

    X-Nod-Signature     sha256=<hex>, over "{timestamp}." and the raw body
    webhook-signature   v1,<base64>, over "{event id}.{timestamp}." and the raw body

The second is the scheme of Standard Webhooks (standardwebhooks.com), so any of its libraries
verifies a webhook with the `webhook_secret` that the agent was shown.
"""

import base64
import hashlib
import hmac

from nod.version import __version__

_PURPOSE = b"nod-webhook"
_PREFIX = "whsec_"  # Standard Webhooks, "Signature scheme": how a symmetric secret is written


def webhook_key(secret: str) -> bytes:
    """The signing key of an agent, 32 bytes, from the secret it was given at its creation.

    An agent that kept only its secret can so make the key itself.
    """
    return _hmac(secret.encode(), _PURPOSE)


def webhook_secret(key: bytes) -> str:
    """The signing key as it is shown and as Standard Webhooks libraries take it."""
    return _PREFIX + base64.b64encode(key).decode()


def sign_headers(
    *,
    event_id: str,
    delivery_id: str,
    body: bytes,
    timestamp: int,
    retry_num: int,
    retry_reason: str,
    key: bytes,
    other_key: bytes | None,
    content_type: str = "application/json",
) -> dict[str, str]:
    """All headers of one webhook attempt.

    `timestamp` is in unix seconds, `retry_num` counts from 0. `other_key` is the key from before
    a rotation, as long as it still works: `webhook-signature` then carries one signature of each,
    while `X-Nod-Signature` has room for one and is made with `key`.
    """
    keys = [key] if other_key is None else [key, other_key]
    return {
        "Content-Type": content_type,
        "User-Agent": f"Nod/{__version__}",
        "X-Nod-Event-Id": event_id,
        "X-Nod-Delivery-Id": delivery_id,
        "X-Nod-Timestamp": str(timestamp),
        "X-Nod-Retry-Num": str(retry_num),
        "X-Nod-Retry-Reason": retry_reason,
        "X-Nod-Signature": f"sha256={_hmac(key, b'%d.' % timestamp + body).hex()}",
        "webhook-id": event_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(_standard(k, event_id, timestamp, body) for k in keys),
    }


def _standard(key: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(_hmac(key, signed)).decode()


def _hmac(key: bytes, message: bytes) -> bytes:
    return hmac.new(key, message, hashlib.sha256).digest()
