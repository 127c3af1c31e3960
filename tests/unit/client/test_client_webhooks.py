"""Verifying webhooks: genuine ones pass, and nothing else does anything but be refused."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from nod import WebhookVerificationError, verify_webhook

SECRET = "nod_" + "ab" * 20
KEY = hmac.digest(SECRET.encode(), b"nod-webhook", hashlib.sha256)
WHSEC = "whsec_" + base64.b64encode(KEY).decode()
NOW = 1_756_719_000
BODY = json.dumps({"type": "task_due", "run_id": "run_1"}).encode()


def own_headers(body: bytes = BODY, at: int = NOW, key: bytes = KEY) -> dict[str, str]:
    mac = hmac.new(key, f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return {"X-Nod-Timestamp": str(at), "X-Nod-Signature": f"sha256={mac}"}


def standard_headers(body: bytes = BODY, at: int = NOW) -> dict[str, str]:
    moment = datetime.fromtimestamp(at, UTC)
    signature = Webhook(WHSEC).sign("evt_1", moment, body.decode())
    return {"webhook-id": "evt_1", "webhook-timestamp": str(at), "webhook-signature": signature}


@pytest.mark.parametrize("secret", [SECRET, WHSEC])
@pytest.mark.parametrize("headers", [own_headers(), standard_headers()])
def test_both_signatures_pass_under_both_forms_of_the_secret(
    headers: dict[str, str], secret: str
) -> None:
    event = verify_webhook(BODY, headers, secret, now=NOW)
    assert event == {"type": "task_due", "run_id": "run_1"}


def test_the_machines_clock_is_used_when_no_time_is_given() -> None:
    at = int(datetime.now(UTC).timestamp())
    assert verify_webhook(BODY, own_headers(at=at), SECRET)
    with pytest.raises(WebhookVerificationError, match="replay"):
        verify_webhook(BODY, own_headers(at=at - 400), SECRET)


def test_names_of_headers_may_have_any_case_and_be_bytes() -> None:
    upper = {name.upper(): value for name, value in own_headers().items()}
    assert verify_webhook(BODY, upper, SECRET, now=NOW)
    raw: Any = {name.encode(): value.encode() for name, value in own_headers().items()}
    view: Any = memoryview(BODY)
    assert verify_webhook(view, raw, SECRET, now=NOW)


@pytest.mark.parametrize("separator", [",", ", ", " "])
def test_during_a_rotation_one_fitting_signature_is_enough(separator: str) -> None:
    both = own_headers()
    both["X-Nod-Signature"] = f"sha256={'0' * 64}{separator}{both['X-Nod-Signature']}"
    assert verify_webhook(BODY, both, SECRET, now=NOW)
    standard = standard_headers()
    standard["webhook-signature"] = f"v1,AAAA {standard['webhook-signature']}"
    assert verify_webhook(BODY, standard, SECRET, now=NOW)


@pytest.mark.parametrize("headers", [own_headers(), standard_headers()])
def test_a_changed_body_another_secret_and_a_changed_time_are_refused(
    headers: dict[str, str],
) -> None:
    with pytest.raises(WebhookVerificationError, match="no signature fits"):
        verify_webhook(BODY + b" ", headers, SECRET, now=NOW)
    with pytest.raises(WebhookVerificationError, match="no signature fits"):
        verify_webhook(BODY, headers, "nod_other", now=NOW)
    later = {k: str(NOW + 1) if "timestamp" in k.lower() else v for k, v in headers.items()}
    with pytest.raises(WebhookVerificationError, match="no signature fits"):
        verify_webhook(BODY, later, SECRET, now=NOW)


@pytest.mark.parametrize("headers", [own_headers(), standard_headers()])
@pytest.mark.parametrize(("seconds", "passes"), [(300, True), (-300, True), (301, False)])
def test_the_tolerance_holds_in_both_directions(
    headers: dict[str, str], seconds: int, passes: bool
) -> None:
    if passes:
        assert verify_webhook(BODY, headers, SECRET, now=NOW + seconds)
        return
    for moment in (NOW + seconds, NOW - seconds):
        with pytest.raises(WebhookVerificationError):
            verify_webhook(BODY, headers, SECRET, now=moment)


def test_a_signature_without_its_timestamp_is_refused() -> None:
    for headers in (own_headers(), standard_headers()):
        bare = {name: value for name, value in headers.items() if "timestamp" not in name.lower()}
        with pytest.raises(WebhookVerificationError):
            verify_webhook(BODY, bare, SECRET, now=NOW)


@pytest.mark.parametrize("body", [b"[]", b"not json", b"\xff", b"[" * 100_000, b"1" * 10_000])
def test_a_signed_body_that_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(WebhookVerificationError, match="not a JSON object"):
        verify_webhook(body, own_headers(body), SECRET, now=NOW)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_!!", "whsec_ä", None, 5, b"x", "\ud800"])
def test_a_secret_that_is_none_is_refused(secret: Any) -> None:
    with pytest.raises(WebhookVerificationError, match="secret"):
        verify_webhook(BODY, own_headers(), secret, now=NOW)


@pytest.mark.parametrize("headers", [None, [], 5, "x"])
def test_headers_that_are_none_are_refused(headers: Any) -> None:
    with pytest.raises(WebhookVerificationError, match="headers"):
        verify_webhook(BODY, headers, SECRET, now=NOW)


def test_a_body_that_was_parsed_before_is_refused_with_a_hint() -> None:
    parsed: Any = {"type": "task_due"}
    with pytest.raises(WebhookVerificationError, match="raw bytes"):
        verify_webhook(parsed, own_headers(), SECRET, now=NOW)


NAMES = st.sampled_from(
    [
        "X-Nod-Signature",
        "x-nod-timestamp",
        "webhook-id",
        "Webhook-Timestamp",
        "webhook-signature",
        "other",
    ]
)
VALUES = st.one_of(
    st.text(),
    st.binary(),
    st.none(),
    st.integers().map(str),
    st.just(str(NOW)),
    st.text().map(lambda text: f"sha256={text}"),
    st.binary().map(lambda data: f"v1,{base64.b64encode(data).decode()}"),
)


@given(st.binary(), st.dictionaries(NAMES, VALUES), st.one_of(st.text(), st.just(SECRET)))
def test_garbage_is_refused_and_never_ends_in_another_error(
    body: bytes, headers: dict[str, Any], secret: str
) -> None:
    with pytest.raises(WebhookVerificationError):
        verify_webhook(body, headers, secret, now=NOW)
