import base64
import hashlib
import hmac
import time

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from nod.delivery.signing import sign_headers, webhook_key, webhook_secret
from nod.version import __version__

SECRET = "nod_" + "5a" * 20
BODY = '{"type":"task_due","task_name":"Grüße"}'.encode()


def signed(
    *, key: bytes, other_key: bytes | None = None, timestamp: int | None = None
) -> dict[str, str]:
    return sign_headers(
        event_id="evt_1",
        delivery_id="dlv_1",
        body=BODY,
        timestamp=int(time.time()) if timestamp is None else timestamp,
        retry_num=2,
        retry_reason="timeout",
        key=key,
        other_key=other_key,
    )


def test_an_agent_can_derive_its_webhook_secret_from_its_secret() -> None:
    key = hmac.new(SECRET.encode(), b"nod-webhook", hashlib.sha256).digest()

    assert webhook_key(SECRET) == key
    assert webhook_secret(key) == "whsec_" + base64.b64encode(key).decode()


def test_a_webhook_carries_every_header_of_the_contract() -> None:
    headers = signed(key=webhook_key(SECRET), timestamp=1_756_722_600)

    assert headers.pop("X-Nod-Signature").startswith("sha256=")
    assert headers.pop("webhook-signature").startswith("v1,")
    assert headers == {
        "Content-Type": "application/json",
        "User-Agent": f"Nod/{__version__}",
        "X-Nod-Event-Id": "evt_1",
        "X-Nod-Delivery-Id": "dlv_1",
        "X-Nod-Timestamp": "1756722600",
        "X-Nod-Retry-Num": "2",
        "X-Nod-Retry-Reason": "timeout",
        "webhook-id": "evt_1",
        "webhook-timestamp": "1756722600",
    }


def test_nods_signature_covers_the_timestamp_and_the_raw_body() -> None:
    key = webhook_key(SECRET)
    expected = hmac.new(key, b"1756722600." + BODY, hashlib.sha256).hexdigest()

    headers = signed(key=key, other_key=b"o" * 32, timestamp=1_756_722_600)

    assert headers["X-Nod-Signature"] == "sha256=" + expected


def test_a_standard_webhooks_library_accepts_a_webhook_with_the_secret_shown() -> None:
    key = webhook_key(SECRET)

    assert Webhook(webhook_secret(key)).verify(BODY, signed(key=key))["type"] == "task_due"


@pytest.mark.parametrize("holder", ["new", "old"])
def test_after_a_rotation_both_secrets_verify(holder: str) -> None:
    keys = {"new": webhook_key(SECRET), "old": webhook_key("nod_" + "11" * 20)}
    headers = signed(key=keys["new"], other_key=keys["old"])

    Webhook(webhook_secret(keys[holder])).verify(BODY, headers)


def test_a_changed_body_is_not_accepted() -> None:
    key = webhook_key(SECRET)

    with pytest.raises(WebhookVerificationError):
        Webhook(webhook_secret(key)).verify(BODY + b" ", signed(key=key))
