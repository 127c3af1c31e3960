"""Verifying webhooks: that a call came from Nod, unchanged and recently.

Two signatures are accepted, both HMAC-SHA256 under the same key:

- `X-Nod-Signature: sha256=<hex>` over `{X-Nod-Timestamp}.` and the raw body;
- `webhook-signature: v1,<base64>` over `{webhook-id}.{webhook-timestamp}.` and the raw body
  (Standard Webhooks 1.0, standardwebhooks.com).

The key is `HMAC-SHA256(key=secret, "nod-webhook")`, so an agent needs nothing but its secret; the
`whsec_…` shown at creation is the same key in base64. During a rotation a header carries more than
one signature; one that fits is enough.
"""

import base64
import binascii
import hashlib
import hmac
import json
import re
import time
from collections.abc import Mapping
from typing import Any

from nod.client.errors import WebhookVerificationError

_SEPARATORS = re.compile(r"[,\s]+")
_TIMESTAMP = re.compile(r"[0-9]{1,12}")


def signing_key(secret: str) -> bytes:
    """The key behind an agent's secret (`nod_…`) or a webhook secret (`whsec_…`).

    Raises WebhookVerificationError for text that is neither.
    """
    try:
        if secret.startswith("whsec_"):
            key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        else:
            key = secret.encode() and hmac.digest(secret.encode(), b"nod-webhook", hashlib.sha256)
    except (AttributeError, TypeError, ValueError, binascii.Error):
        key = b""
    if not key:
        raise WebhookVerificationError("the secret is neither an agent's secret nor a whsec_ one")
    return key


def verify_webhook(
    body: bytes,
    headers: Mapping[str, str],
    secret: str,
    *,
    tolerance_s: float = 300,
    now: float | None = None,
) -> dict[str, Any]:
    """The event in a webhook's body, if Nod signed it within the last `tolerance_s` seconds.

    Where the body is a CloudEvent, the event is its `data`.

    `body` is the raw body as it came, before any parsing. `headers` may have names in any case.
    `secret` is the agent's secret or its `whsec_…`. `now` is unix seconds, the machine's clock if
    not given. Raises WebhookVerificationError, and nothing else whatever the input; compares in
    constant time.
    """
    raw = _raw(body)
    given = _lower(headers)
    key = signing_key(secret)
    timestamp = _verified_timestamp(raw, given, key)
    if abs((time.time() if now is None else now) - timestamp) > tolerance_s:
        raise WebhookVerificationError(
            f"the webhook was signed more than {tolerance_s:g} s from now; it may be a replay,"
            " or one of the two clocks is wrong"
        )
    return _event(raw)


def _raw(body: object) -> bytes:
    if not isinstance(body, bytes | bytearray | memoryview):
        raise WebhookVerificationError("the body must be the raw bytes as they were received")
    return bytes(body)


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    try:
        return {_text(name).lower(): _text(value) for name, value in headers.items()}
    except (AttributeError, TypeError, ValueError):
        raise WebhookVerificationError("the headers must map names to values") from None


def _text(value: object) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _verified_timestamp(raw: bytes, headers: dict[str, str], key: bytes) -> int:
    """The signed time of the first of the two schemes whose signature fits."""
    own = headers.get("x-nod-timestamp", "")
    if _TIMESTAMP.fullmatch(own) and _fits(
        headers.get("x-nod-signature", ""), "sha256=" + _mac(key, f"{own}.", raw).hex()
    ):
        return int(own)
    standard = headers.get("webhook-timestamp", "")
    prefix = f"{headers.get('webhook-id', '')}.{standard}."
    if _TIMESTAMP.fullmatch(standard) and _fits(
        headers.get("webhook-signature", ""), _base64(_mac(key, prefix, raw))
    ):
        return int(standard)
    raise WebhookVerificationError(
        "no signature fits: the secret is another agent's, or the body was changed on the way"
    )


def _mac(key: bytes, prefix: str, raw: bytes) -> bytes:
    return hmac.digest(key, prefix.encode("utf-8", "replace") + raw, hashlib.sha256)


def _base64(mac: bytes) -> str:
    return base64.b64encode(mac).decode()


def _fits(header: str, expected: str) -> bool:
    """Whether one of the header's signatures is the expected one. Looks at all of them."""
    fits = False
    for offered in _SEPARATORS.split(header):
        fits |= hmac.compare_digest(offered.encode("utf-8", "replace"), expected.encode())
    return fits


def _event(raw: bytes) -> dict[str, Any]:
    try:
        event = json.loads(raw)
    except (ValueError, RecursionError):
        event = None
    if not isinstance(event, dict):
        raise WebhookVerificationError("the body is signed by Nod but is not a JSON object")
    inner = event.get("data") if "specversion" in event else None
    return inner if isinstance(inner, dict) else event
