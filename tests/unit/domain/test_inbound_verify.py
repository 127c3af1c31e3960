"""Constants are the providers' published examples, so that our reading of a scheme is theirs."""

import hashlib
import hmac
from collections.abc import Callable
from datetime import UTC, datetime
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from standardwebhooks import Webhook

from nod.delivery.signing import sign_headers, webhook_key, webhook_secret
from nod.domain.errors import InvalidInput, NotAuthenticated
from nod.domain.inbound_verify import VerifyKind, check_verify, verify
from nod.domain.instant import SECOND
from nod.domain.limits import Limits

LIMITS = Limits()
BODY = b'{"ref":"refs/heads/main"}'
NOW_S = 1_700_000_000
NOW = NOW_S * SECOND

# docs.github.com, "Validating webhook deliveries", testing the validation
GITHUB_SECRET = "It's a Secret to Everybody"
GITHUB_BODY = b"Hello, World!"
GITHUB_HEX = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"

# docs.slack.dev, "Verifying requests from Slack"
SLACK_SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
SLACK_AT_S = 1_531_420_618
SLACK_BODY = (
    b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow"
    b"&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner"
    b"&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands"
    b"%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
    b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
)
SLACK_HEADERS = {
    "x-slack-request-timestamp": str(SLACK_AT_S),
    "x-slack-signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
}

# The vector that the Standard Webhooks libraries test with
STANDARD_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
STANDARD_BODY = b'{"test": 2432232314}'
STANDARD_AT_S = 1_614_265_330
STANDARD_HEADERS = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": str(STANDARD_AT_S),
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}


def stripe(secret: str, at_s: int, body: bytes) -> str:
    signed = hmac.new(secret.encode(), f"{at_s}.".encode() + body, hashlib.sha256)
    return f"t={at_s},v1={signed.hexdigest()},v0=6ffbb59b2300aae63f272406069a9788"


def check(
    kind: VerifyKind,
    secret: str | None,
    headers: dict[str, str],
    body: bytes = BODY,
    at_s: int = NOW_S,
) -> None:
    verify(kind, secret, headers, body, at_s * SECOND, LIMITS)


def refused(
    kind: VerifyKind,
    secret: str | None,
    headers: dict[str, str],
    body: bytes = BODY,
    at_s: int = NOW_S,
) -> str:
    with pytest.raises(NotAuthenticated) as caught:
        check(kind, secret, headers, body, at_s)
    return caught.value.detail


def test_without_verification_every_call_is_accepted() -> None:
    check("none", None, {})


def test_githubs_published_example_is_accepted() -> None:
    headers = {"x-hub-signature-256": f"sha256={GITHUB_HEX}"}
    check("github", GITHUB_SECRET, headers, GITHUB_BODY)


def test_slacks_published_example_is_accepted() -> None:
    check("slack", SLACK_SECRET, SLACK_HEADERS, SLACK_BODY, SLACK_AT_S)


def test_the_standard_webhooks_example_is_accepted() -> None:
    check("standard", STANDARD_SECRET, STANDARD_HEADERS, STANDARD_BODY, STANDARD_AT_S)


def test_svixs_older_header_names_are_accepted() -> None:
    headers = {name.replace("webhook", "svix"): value for name, value in STANDARD_HEADERS.items()}
    check("standard", STANDARD_SECRET, headers, STANDARD_BODY, STANDARD_AT_S)


def test_what_a_standard_webhooks_library_signs_is_accepted() -> None:
    at = datetime.fromtimestamp(NOW_S, UTC)
    signature = Webhook(STANDARD_SECRET).sign("msg_1", at, BODY.decode())
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(NOW_S),
        "webhook-signature": f"v1a,AAAA v1,AAAA {signature}",
    }
    check("standard", STANDARD_SECRET, headers)


def test_another_nod_is_accepted_as_standard() -> None:
    key = webhook_key("nod_secret")
    sent = sign_headers(
        event_id="evt_1",
        delivery_id="dlv_1",
        body=BODY,
        timestamp=NOW_S,
        retry_num=0,
        retry_reason="first_attempt",
        key=key,
        other_key=None,
    )
    headers = {name.lower(): value for name, value in sent.items()}
    check("standard", webhook_secret(key), headers)


def test_stripes_scheme_is_accepted() -> None:
    check("stripe", "whsec_x", {"stripe-signature": stripe("whsec_x", NOW_S, BODY)})


def test_one_right_stripe_signature_among_several_is_enough() -> None:
    header = stripe("whsec_x", NOW_S, BODY).replace(",v1=", ",v1=00,v1=", 1)
    check("stripe", "whsec_x", {"stripe-signature": header})


def test_gitlabs_token_is_accepted() -> None:
    check("gitlab", "glsecret", {"x-gitlab-token": "glsecret"})


@pytest.mark.parametrize("header", ["Bearer s3cret", "bearer s3cret", "Bearer  s3cret "])
def test_a_bearer_token_is_accepted(header: str) -> None:
    check("bearer", "s3cret", {"authorization": header})


def test_a_token_beyond_ascii_is_accepted_as_servers_decode_it() -> None:
    check(
        "bearer", "schlüssel", {"authorization": "Bearer " + "schlüssel".encode().decode("latin-1")}
    )


@pytest.mark.parametrize("name", ["x-signature-256", "x-signature", "x-hub-signature-256"])
@pytest.mark.parametrize(
    "value", [GITHUB_HEX, f"sha256={GITHUB_HEX}", f"SHA256={GITHUB_HEX.upper()}"]
)
def test_a_plain_signature_of_the_body_is_accepted(name: str, value: str) -> None:
    check("hmac-sha256", GITHUB_SECRET, {name: value}, GITHUB_BODY)


def test_a_second_header_with_a_plain_signature_may_be_the_right_one() -> None:
    headers = {"x-signature-256": "00", "x-hub-signature-256": f"sha256={GITHUB_HEX}"}
    check("hmac-sha256", GITHUB_SECRET, headers, GITHUB_BODY)


def test_nods_own_signature_is_not_taken_for_a_plain_one() -> None:
    # It covers the timestamp too; taken as one over the body, a recorded webhook could be
    # played back with "timestamp." as the beginning of another body.
    headers = {"x-nod-signature": f"sha256={GITHUB_HEX}"}
    assert "X-Signature-256" in refused("hmac-sha256", GITHUB_SECRET, headers, GITHUB_BODY)


SIGNED: list[tuple[VerifyKind, str, dict[str, str], bytes, int]] = [
    ("github", GITHUB_SECRET, {"x-hub-signature-256": f"sha256={GITHUB_HEX}"}, GITHUB_BODY, NOW_S),
    ("slack", SLACK_SECRET, SLACK_HEADERS, SLACK_BODY, SLACK_AT_S),
    ("standard", STANDARD_SECRET, STANDARD_HEADERS, STANDARD_BODY, STANDARD_AT_S),
    ("stripe", "whsec_x", {"stripe-signature": stripe("whsec_x", NOW_S, BODY)}, BODY, NOW_S),
    ("hmac-sha256", GITHUB_SECRET, {"x-signature-256": GITHUB_HEX}, GITHUB_BODY, NOW_S),
    ("gitlab", "glsecret", {"x-gitlab-token": "glsecret"}, BODY, NOW_S),
    ("bearer", "s3cret", {"authorization": "Bearer s3cret"}, BODY, NOW_S),
]
signed = pytest.mark.parametrize(
    ("kind", "secret", "headers", "body", "at_s"), SIGNED, ids=[case[0] for case in SIGNED]
)
signs_the_body = pytest.mark.parametrize(
    ("kind", "secret", "headers", "body", "at_s"), SIGNED[:5], ids=[case[0] for case in SIGNED[:5]]
)
Case = tuple[VerifyKind, str, dict[str, str], bytes, int]


def test_every_kind_has_an_accepted_call_here() -> None:
    assert {case[0] for case in SIGNED} | {"none"} == set(get_args(VerifyKind))


@signs_the_body
def test_a_changed_body_is_refused(
    kind: VerifyKind, secret: str, headers: dict[str, str], body: bytes, at_s: int
) -> None:
    detail = refused(kind, secret, headers, body + b" ", at_s)
    assert "does not match the body; is verify_secret the secret that the sender signs" in detail


@signed
def test_another_secret_is_refused_and_nothing_of_it_is_told(
    kind: VerifyKind, secret: str, headers: dict[str, str], body: bytes, at_s: int
) -> None:
    check(kind, secret, headers, body, at_s)
    other = "whsec_" + "QUFB" * 8
    detail = refused(kind, other, headers, body, at_s)
    assert other not in detail
    assert not any(len(word) > 30 for word in detail.split())


def as_written(name: str) -> str:
    """The header's name as its provider's pages have it."""
    return name if name.startswith("webhook") else name.title()


@signed
def test_a_missing_header_is_named_as_its_provider_names_it(
    kind: VerifyKind, secret: str, headers: dict[str, str], body: bytes, at_s: int
) -> None:
    for name in headers:
        rest = {key: value for key, value in headers.items() if key != name}
        assert f"the {as_written(name)} header" in refused(kind, secret, rest, body, at_s)


@signs_the_body
def test_the_header_with_the_wrong_signature_or_time_is_named(
    kind: VerifyKind, secret: str, headers: dict[str, str], body: bytes, at_s: int
) -> None:
    names = [as_written(name) for name in headers if "signature" in name]
    assert f"signature in {names[0]} does" in refused(kind, "b3RoZXI=", headers, body, at_s)
    if kind in ("slack", "standard", "stripe"):
        (timestamp,) = [as_written(name) for name in headers if "timestamp" in name] or names
        detail = refused(kind, secret, headers, body, at_s + 301)
        assert detail.startswith(f"{timestamp} says")


@signed
def test_a_task_without_its_secret_accepts_nothing(
    kind: VerifyKind, secret: str, headers: dict[str, str], body: bytes, at_s: int
) -> None:
    assert secret
    for nothing in (None, ""):
        assert "no verify_secret" in refused(kind, nothing, headers, body, at_s)


@pytest.mark.parametrize("case", SIGNED[1:4], ids=["slack", "standard", "stripe"])
@pytest.mark.parametrize(("late_s", "word"), [(301, "ago"), (-301, "ahead")])
def test_a_call_played_back_later_is_refused(case: Case, late_s: int, word: str) -> None:
    kind, secret, headers, body, at_s = case
    assert f"301 s {word}" in refused(kind, secret, headers, body, at_s + late_s)


@pytest.mark.parametrize("case", SIGNED[1:4], ids=["slack", "standard", "stripe"])
@pytest.mark.parametrize("late_s", [300, -300])
def test_clocks_may_differ_by_the_tolerance(case: Case, late_s: int) -> None:
    kind, secret, headers, body, at_s = case
    check(kind, secret, headers, body, at_s + late_s)


@pytest.mark.parametrize("sent", ["now", "", "-5", "1e9", "9" * 40, "١٢٣", "1700000000.5"])
def test_a_malformed_time_is_refused(sent: str) -> None:
    assert "unix seconds" in refused("stripe", "s", {"stripe-signature": f"t={sent},v1=00"})
    assert "unix seconds" in refused("stripe", "s", {"stripe-signature": "v1=00"})


def test_a_header_for_another_scheme_than_bearer_is_refused() -> None:
    assert "Bearer" in refused("bearer", "s3cret", {"authorization": "Basic czNjcmV0"})


def test_a_stored_secret_that_is_no_standard_one_accepts_nothing() -> None:
    assert "no Standard Webhooks secret" in refused(
        "standard", "whsec_!", STANDARD_HEADERS, STANDARD_BODY, STANDARD_AT_S
    )


def test_characters_that_no_server_would_decode_are_refused_too() -> None:
    assert "not the verify_secret" in refused("gitlab", "s", {"x-gitlab-token": "\u20ac\ud800"})


HEADERS = st.dictionaries(
    st.sampled_from(
        [
            "authorization",
            "stripe-signature",
            "x-gitlab-token",
            "x-hub-signature-256",
            "x-signature",
            "x-signature-256",
            "webhook-id",
            "webhook-timestamp",
            "webhook-signature",
            "svix-signature",
            "x-slack-signature",
            "x-slack-request-timestamp",
        ]
    ),
    st.one_of(
        st.text(st.characters()),
        st.sampled_from([str(NOW_S), f"t={NOW_S},v1=", "v0=", "v1,", "v1", "Bearer ", "sha256="]),
    ),
)


@settings(deadline=None)  # machines that run tests are sometimes busy
@given(kind=st.sampled_from(get_args(VerifyKind)), headers=HEADERS, body=st.binary())
def test_no_header_of_whatever_shape_gets_in_or_raises_another_error(
    kind: VerifyKind, headers: dict[str, str], body: bytes
) -> None:
    secret = "whsec_" + "QUFB" * 8
    if kind == "none":
        verify(kind, secret, headers, body, NOW, LIMITS)
        return
    with pytest.raises(NotAuthenticated):
        verify(kind, secret, headers, body, NOW, LIMITS)


@pytest.mark.parametrize("kind", get_args(VerifyKind))
def test_every_kind_can_be_chosen_with_a_secret(kind: str) -> None:
    assert check_verify(kind, STANDARD_SECRET) == kind


def test_no_verification_needs_no_secret() -> None:
    assert check_verify("none", None) == "none"


@pytest.mark.parametrize("kind", [kind for kind in get_args(VerifyKind) if kind != "none"])
@pytest.mark.parametrize("secret", [None, ""])
def test_a_kind_that_needs_a_secret_is_refused_without_it(kind: str, secret: str | None) -> None:
    with pytest.raises(InvalidInput, match="verify_secret is missing"):
        check_verify(kind, secret)


def test_an_unknown_kind_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InvalidInput, match="none, github, gitlab"):
        check_verify("md5", "s")


@pytest.mark.parametrize(
    "secret", ["whsec_", "whsec_not base64", "whsec_AAAA!!!!", "whsec_ü", "whsec_A"]
)
def test_a_malformed_standard_secret_is_refused(secret: str) -> None:
    with pytest.raises(InvalidInput, match="whsec_ followed by base64"):
        check_verify("standard", secret)


@pytest.mark.parametrize(
    "change", [str, lambda s: s.removeprefix("whsec_"), lambda s: s + "A", lambda s: s + "=="]
)
def test_a_standard_secret_may_lack_its_prefix_or_its_padding(change: Callable[[str], str]) -> None:
    secret = change("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwAA")
    assert check_verify("standard", secret) == "standard"
