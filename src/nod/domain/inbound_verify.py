"""Is the caller of a trigger who the task says it is? One function for each kind of proof.

`headers` have lower-case names, and values decoded as Latin-1, which is how ASGI servers hand
them on and which loses no byte. Nothing in a header makes these functions raise anything but
NotAuthenticated, no message tells the signature that was expected, and every comparison takes
the same time wherever the difference lies.

Sources: GitHub "Validating webhook deliveries", GitLab "Webhooks: secret token", Stripe "Verify
webhook signatures manually", Slack "Verifying requests from Slack", the Standard Webhooks
specification, RFC 6750 for bearer tokens.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from typing import Literal, assert_never, get_args

from nod.domain.errors import InvalidInput, NotAuthenticated
from nod.domain.instant import SECOND, Instant
from nod.domain.limits import Limits

VerifyKind = Literal[
    "none", "github", "gitlab", "stripe", "slack", "standard", "hmac-sha256", "bearer"
]

# Where the plain scheme is looked for. `X-Nod-Signature` is not among them: Nod signs its
# timestamp with the body, so another Nod that calls is verified by `standard`.
_PLAIN_HEADERS = ("x-signature-256", "x-signature", "x-hub-signature-256")
# Svix signs in the same way under its own names, from the time before the standard.
_STANDARD_NAMES = ("webhook", "svix")
_UNIX_SECONDS = re.compile(r"[0-9]{1,12}")


def check_verify(kind: str, secret: str | None) -> VerifyKind:
    """The kind, if it exists and `secret` fits it; else InvalidInput."""
    if kind not in get_args(VerifyKind):
        kinds = ", ".join(get_args(VerifyKind))
        raise InvalidInput(f"must be one of {kinds}", field="verify")
    checked: VerifyKind = kind  # type: ignore[assignment]  # narrowed by the line above
    if checked != "none" and not secret:
        raise InvalidInput(
            f"is missing; {kind} needs the secret that is shared with the caller",
            field="verify_secret",
        )
    if checked == "standard" and not _standard_key(secret or ""):
        raise InvalidInput(
            "is no Standard Webhooks secret; it is whsec_ followed by base64", field="verify_secret"
        )
    return checked


def verify(
    kind: VerifyKind,
    secret: str | None,
    headers: Mapping[str, str],
    body: bytes,
    now: Instant,
    limits: Limits,
) -> None:
    """Raise NotAuthenticated unless the call proves that it knows `secret`.

    `body` is the raw body as it came. Signatures with a time are accepted while it is at most
    `limits.trigger_tolerance_s` away from `now`, so that a recorded call cannot be played back.
    """
    if kind == "none":
        return
    if not secret:
        raise NotAuthenticated("the task has no verify_secret, so no call can prove anything")
    match kind:
        case "github":
            _verify_github(secret, headers, body)
        case "gitlab":
            _verify_token(secret, _needed(headers, "X-Gitlab-Token"))
        case "stripe":
            _verify_stripe(secret, headers, body, now, limits)
        case "slack":
            _verify_slack(secret, headers, body, now, limits)
        case "standard":
            _verify_standard(secret, headers, body, now, limits)
        case "hmac-sha256":
            _verify_plain(secret, headers, body)
        case "bearer":
            _verify_bearer(secret, headers)
        case _:
            assert_never(kind)


def _verify_github(secret: str, headers: Mapping[str, str], body: bytes) -> None:
    """`X-Hub-Signature-256: sha256=<hex of the body's HMAC>`."""
    given = _needed(headers, "X-Hub-Signature-256")
    _one_matches("X-Hub-Signature-256", [given], f"sha256={_hmac(secret.encode(), body).hex()}")


def _verify_stripe(
    secret: str, headers: Mapping[str, str], body: bytes, now: Instant, limits: Limits
) -> None:
    """`Stripe-Signature: t=<unix>,v1=<hex>[,v1=<hex>]` over "{t}.{body}".

    The key is the whole endpoint secret, `whsec_` included and nothing decoded.
    """
    fields = [
        part.strip().partition("=") for part in _needed(headers, "Stripe-Signature").split(",")
    ]
    sent = next((value for name, _, value in fields if name == "t"), "")
    _check_age("Stripe-Signature", sent, now, limits)
    expected = _hmac(secret.encode(), sent.encode() + b"." + body).hex()
    given = [value for name, _, value in fields if name == "v1"]
    _one_matches("Stripe-Signature", given, expected)


def _verify_slack(
    secret: str, headers: Mapping[str, str], body: bytes, now: Instant, limits: Limits
) -> None:
    """`X-Slack-Signature: v0=<hex>` over "v0:{X-Slack-Request-Timestamp}:{body}"."""
    verify_v0("X-Slack-Signature", "X-Slack-Request-Timestamp", secret, headers, body, now, limits)


def verify_v0(
    signature: str,
    timestamp: str,
    secret: str,
    headers: Mapping[str, str],
    body: bytes,
    now: Instant,
    limits: Limits,
) -> None:
    """Slack's scheme under the header names given; Zoom uses the same with its own."""
    given, sent = _needed(headers, signature), _needed(headers, timestamp).strip()
    _check_age(timestamp, sent, now, limits)
    expected = _hmac(secret.encode(), f"v0:{sent}:".encode() + body).hex()
    _one_matches(signature, [given], f"v0={expected}")


def _verify_standard(
    secret: str, headers: Mapping[str, str], body: bytes, now: Instant, limits: Limits
) -> None:
    """`webhook-signature: v1,<base64> …` over "{webhook-id}.{webhook-timestamp}.{body}".

    Several signatures may stand there, separated by spaces, while the sender changes its key;
    one that matches is enough, and those of other versions (`v1a`) are passed over.
    """
    prefix = next((p for p in _STANDARD_NAMES if f"{p}-signature" in headers), _STANDARD_NAMES[0])
    message_id = _needed(headers, f"{prefix}-id")
    sent = _needed(headers, f"{prefix}-timestamp").strip()
    given = _needed(headers, f"{prefix}-signature").split()
    _check_age(f"{prefix}-timestamp", sent, now, limits)
    key = _standard_key(secret)
    if not key:
        raise NotAuthenticated("verify_secret of the task is no Standard Webhooks secret")
    signed = b"%b.%b.%b" % (_as_sent(message_id), sent.encode(), body)
    expected = base64.b64encode(_hmac(key, signed)).decode()
    _one_matches(f"{prefix}-signature", given, f"v1,{expected}")


def _verify_plain(secret: str, headers: Mapping[str, str], body: bytes) -> None:
    """The body's HMAC in hexadecimal, with or without `sha256=` before it.

    Looked for in `X-Signature-256`, `X-Signature` and `X-Hub-Signature-256`. Whoever can choose
    does better with `standard`, which a recorded call cannot fool.
    """
    given = [headers[name] for name in _PLAIN_HEADERS if headers.get(name)]
    if not given:
        raise NotAuthenticated(
            "the X-Signature-256 header is missing; it is sha256= and the HMAC-SHA256"
            " of the body under verify_secret, in hexadecimal"
        )
    plain = [value.strip().lower().removeprefix("sha256=") for value in given]
    _one_matches("X-Signature-256", plain, _hmac(secret.encode(), body).hex())


def _verify_bearer(secret: str, headers: Mapping[str, str]) -> None:
    """`Authorization: Bearer <secret>`."""
    scheme, _, token = _needed(headers, "Authorization").strip().partition(" ")
    if scheme.lower() != "bearer":
        raise NotAuthenticated("the Authorization header must be: Bearer <verify_secret>")
    _verify_token(secret, token.strip())


def _verify_token(secret: str, given: str) -> None:
    if not hmac.compare_digest(_as_sent(given), secret.encode()):
        raise NotAuthenticated("the token is not the verify_secret of the task")


def _needed(headers: Mapping[str, str], name: str) -> str:
    value = headers.get(name.lower())
    if not value:
        raise NotAuthenticated(f"the {name} header is missing; the task accepts signed calls only")
    return value


def _check_age(name: str, sent: str, now: Instant, limits: Limits) -> None:
    if not _UNIX_SECONDS.fullmatch(sent):
        raise NotAuthenticated(f"{name} has no time in unix seconds")
    age_s = now // SECOND - int(sent)
    if abs(age_s) > limits.trigger_tolerance_s:
        raise NotAuthenticated(
            f"{name} says a time {abs(age_s)} s {'ago' if age_s > 0 else 'ahead'}; at most"
            f" {limits.trigger_tolerance_s} s are accepted; check the clocks of both machines"
        )


def _one_matches(name: str, given: Iterable[str], expected: str) -> None:
    matches = [hmac.compare_digest(_as_sent(one.strip()), expected.encode()) for one in given]
    if not any(matches):
        raise NotAuthenticated(
            f"the signature in {name} does not match the body;"
            " is verify_secret the secret that the sender signs with?"
        )


def _as_sent(value: str) -> bytes:
    """The bytes of a header's value before they were decoded."""
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError:
        return value.encode("utf-8", "surrogatepass")


def _standard_key(secret: str) -> bytes:
    """The key in a `whsec_…` secret; empty if it is malformed. Missing padding is put back."""
    text = secret.removeprefix("whsec_")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""


def _hmac(key: bytes, message: bytes) -> bytes:
    return hmac.new(key, message, hashlib.sha256).digest()
