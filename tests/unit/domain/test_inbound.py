import hashlib
import hmac
import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nod.domain.errors import InvalidInput, NotAuthenticated, TooLarge
from nod.domain.inbound import (
    UrlCheck,
    dedupe_key,
    read_payload,
    safe_headers,
    source,
    url_check,
)
from nod.domain.instant import SECOND
from nod.domain.limits import Limits

LIMITS = Limits()
NOW_S = 1_700_000_000
FORM = "application/x-www-form-urlencoded"
MULTIPART = 'multipart/form-data; boundary="b"'


def payload(body: bytes, content_type: str = "", limits: Limits = LIMITS) -> object:
    return json.loads(read_payload(body, content_type, limits))


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": 1, "a":2}',
        b"[1,  2]",
        b'"text"',
        b"null",
        b"12.50",
        b'{"big":123456789012345678901}',
    ],
)
@pytest.mark.parametrize(
    "content_type",
    ["application/json", "Application/JSON; charset=utf-8", "application/vnd.x+json"],
)
def test_json_reaches_the_agent_byte_for_byte(body: bytes, content_type: str) -> None:
    assert read_payload(body, content_type, LIMITS) == body


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/octet-stream", FORM])
@pytest.mark.parametrize("body", [b' {"ref":"main"}', b' ["main"]'])
def test_an_object_or_array_counts_as_json_under_any_type_as_curl_sends_it(
    content_type: str, body: bytes
) -> None:
    assert read_payload(body, content_type, LIMITS) == body


def test_a_byte_order_mark_is_passed_over() -> None:
    assert read_payload(b"\xef\xbb\xbf{}", "application/json", LIMITS) == b"{}"


@pytest.mark.parametrize("content_type", ["", "application/json", FORM, MULTIPART])
@pytest.mark.parametrize("body", [b"", b" \r\n"])
def test_an_empty_body_is_an_empty_object(body: bytes, content_type: str) -> None:
    assert read_payload(body, content_type, LIMITS) == b"{}"


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"hello",
        b'{"a":NaN}',
        b"[Infinity]",
        b"[-Infinity]",
        b"[1e999]",
        b'"\xff"',
        b"{}{}",
        b'"\xed\xa0\x80"',
        b'"\x00"',
        "{}".encode("utf-16"),
        b"{'a':1}",
    ],
)
def test_a_body_declared_as_json_that_is_none_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidInput, match="declared as JSON, but it is not"):
        read_payload(body, "application/json", LIMITS)


@pytest.mark.parametrize("opens", [b"[", b'{"a":', b'[{"a":'])
def test_json_may_be_nested_as_deep_as_the_limit(opens: bytes) -> None:
    closes = opens[::-1].replace(b"[", b"]").replace(b"{", b"}").replace(b':"a"', b"")
    levels = opens.count(b"[") + opens.count(b"{")
    body = opens * (64 // levels) + b"1" + closes * (64 // levels)

    assert read_payload(body, "application/json", LIMITS) == body
    with pytest.raises(InvalidInput, match="deeper than 64"):
        read_payload(b"[" + body + b"]", "application/json", LIMITS)


@pytest.mark.parametrize("depth", [65, 2_000, 500_000])
def test_json_nested_without_end_is_refused_and_breaks_nothing(depth: int) -> None:
    body = b"[" * depth + b"]" * depth
    with pytest.raises(InvalidInput, match="deeper than 64"):
        read_payload(body, "application/json", LIMITS)
    assert payload(body, "text/plain") == {"body": body.decode()}


def test_a_form_is_an_object_with_lists_for_repeated_fields() -> None:
    body = b"name=Ada+L%C3%BC&tag=a&tag=b&empty="
    assert payload(body, FORM) == {"name": "Ada Lü", "tag": ["a", "b"], "empty": ""}


def test_bytes_of_a_form_that_are_no_text_are_replaced() -> None:
    assert payload(b"raw=a\xffb&escaped=%ff", FORM) == {"raw": "a\ufffdb", "escaped": "\ufffd"}
    body = part('name="raw"', b"a\xffb") + b"\r\n--b--"
    assert payload(body, MULTIPART) == {"raw": "a\ufffdb"}


def test_a_form_with_more_fields_than_the_limit_is_refused() -> None:
    limits = replace(LIMITS, form_fields=2)
    assert payload(b"a=1&b=2", FORM, limits) == {"a": "1", "b": "2"}
    with pytest.raises(TooLarge, match="more than 2 fields"):
        read_payload(b"a=1&b=2&c=3", FORM, limits)


def part(headers: str, content: bytes) -> bytes:
    return b"--b\r\nContent-Disposition: form-data; " + headers.encode() + b"\r\n\r\n" + content


def test_a_multipart_form_is_an_object_and_its_files_are_told_apart() -> None:
    body = b"\r\n".join(
        [
            part('name="subject"', "Grüße".encode()),
            part('name="to"', b"a"),
            part('name="to"', b"b"),
            part('name="f"; filename="n.txt"\r\nContent-Type: text/csv', b"x,y\r\n1,2"),
            part('name="g"; filename="g"', b"\xff"),
            part('name="empty"', b""),
            b"--b--\r\n",
        ]
    )
    assert payload(body, MULTIPART) == {
        "subject": "Grüße",
        "to": ["a", "b"],
        "f": {"filename": "n.txt", "content_type": "text/csv", "body": "x,y\r\n1,2"},
        "g": {
            "filename": "g",
            "content_type": "text/plain",
            "body": "\ufffd",
            "encoding": "utf-8, undecodable bytes replaced",
        },
        "empty": "",
    }


def test_a_multipart_form_with_more_parts_than_the_limit_is_refused() -> None:
    body = b"\r\n".join([part(f'name="{n}"', b"x") for n in range(3)]) + b"\r\n--b--"
    assert payload(body, MULTIPART, replace(LIMITS, form_fields=3)) == dict.fromkeys("012", "x")
    with pytest.raises(TooLarge, match="too many"):
        read_payload(body, MULTIPART, replace(LIMITS, form_fields=2))


@pytest.mark.parametrize("content_type", [MULTIPART, "multipart/form-data"])
@pytest.mark.parametrize("body", [b"no parts", b"--b\r\nContent-Disp", b"--b\r\n\r\nx\r\n--b--"])
def test_a_malformed_multipart_form_is_passed_on_as_text(body: bytes, content_type: str) -> None:
    assert payload(body, content_type) == {"body": body.decode()}


@pytest.mark.parametrize(
    "body", ["Backup finished", "12", "true", "{not json", "null\x00", "Grüße"]
)
def test_anything_else_is_passed_on_as_text(body: str) -> None:
    read = read_payload(body.encode(), "text/plain", LIMITS)
    assert json.loads(read) == {"body": body}
    assert b"\x00" not in read


def test_bytes_that_are_no_text_are_replaced_and_it_is_said() -> None:
    assert payload(b"a\xffb", "application/octet-stream") == {
        "body": "a\ufffdb",
        "encoding": "utf-8, undecodable bytes replaced",
    }


@settings(deadline=None)  # machines that run tests are sometimes busy
@given(
    body=st.one_of(
        st.binary(),
        st.lists(
            st.sampled_from(
                [
                    b"--b\r\n",
                    b"--b--",
                    b"\r\n",
                    b"Content-Disposition: form-data; name=x",
                    b"\xff",
                    b"Content-Length: 3",
                    b":",
                    b"x",
                ]
            )
        ).map(b"".join),
    ),
    content_type=st.one_of(
        st.text(st.characters(codec="latin-1")),
        st.sampled_from(["", "application/json", FORM, MULTIPART, "multipart/form-data;boundary"]),
    ),
)
def test_whatever_comes_is_json_for_the_agent_or_refused(body: bytes, content_type: str) -> None:
    try:
        read = read_payload(body, content_type, LIMITS)
    except (InvalidInput, TooLarge):
        return
    json.loads(read.decode())


@pytest.mark.parametrize(
    ("headers", "body", "key"),
    [
        ({}, b"{}", None),
        ({"idempotency-key": "k", "webhook-id": "w"}, b"{}", "idempotency-key:k"),
        ({"webhook-id": "msg_1", "x-github-delivery": "d"}, b"{}", "webhook-id:msg_1"),
        ({"x-github-delivery": "72d3162e"}, b"{}", "x-github-delivery:72d3162e"),
        ({"idempotency-key": "", "x-github-delivery": "d"}, b"{}", "x-github-delivery:d"),
        ({"stripe-signature": "t=1"}, b'{"id":"evt_1","object":"event"}', "stripe:evt_1"),
        ({"stripe-signature": "t=1"}, b'{"id":"ch_1"}', None),
        ({"stripe-signature": "t=1"}, b'{"id":5}', None),
        ({"stripe-signature": "t=1"}, b"[" * 9_000 + b"]" * 9_000, None),
        ({}, b'{"id":"evt_1"}', None),
    ],
)
def test_two_calls_of_one_event_have_the_same_key(
    headers: dict[str, str], body: bytes, key: str | None
) -> None:
    assert dedupe_key(headers, body) == key


def test_long_keys_stay_short_and_different() -> None:
    keys = [dedupe_key({"idempotency-key": "k" * 5_000 + end}, b"{}") or "" for end in "ab"]
    assert keys[0] != keys[1]
    assert all(len(key) < 100 for key in keys)
    assert dedupe_key({"webhook-id": "k" * 200}, b"{}") == "webhook-id:" + "k" * 200
    digest = hashlib.sha256(b"k" * 201).hexdigest()
    assert dedupe_key({"webhook-id": "k" * 201}, b"{}") == f"webhook-id:sha256:{digest}"


def test_an_agent_sees_what_the_event_is_and_no_credential() -> None:
    shown = {"content-type": "application/json", "x-github-event": "push", "webhook-id": "m"}
    hidden = dict.fromkeys(
        [
            "authorization",
            "cookie",
            "proxy-authorization",
            "x-api-key",
            "x-signature",
            "x-hub-signature-256",
            "x-gitlab-token",
            "stripe-signature",
            "x-slack-signature",
            "webhook-signature",
            "x-forwarded-for",
            "x-nod-secret",
        ],
        "s3cret",
    )
    assert safe_headers(shown | hidden | {"user-agent": "x" * 1_001}) == shown
    assert safe_headers({"user-agent": "x" * 1_000}) == {"user-agent": "x" * 1_000}


@pytest.mark.parametrize(
    "names",
    [
        "content-type user-agent x-request-id idempotency-key",
        "webhook-id webhook-timestamp",
        "svix-id svix-timestamp",
        "x-github-event x-github-delivery x-github-hook-id",
        "x-gitlab-event x-gitlab-event-uuid x-gitlab-instance",
        "x-gitea-event x-gitea-delivery",
        "x-slack-request-timestamp x-slack-retry-num x-slack-retry-reason",
        "x-zm-request-timestamp",
        "x-event-key",
        "x-shopify-topic x-shopify-webhook-id",
        "x-nod-event-id x-nod-delivery-id x-nod-timestamp x-nod-retry-num",
    ],
)
def test_an_agent_sees_which_event_of_which_service_it_is(names: str) -> None:
    headers = dict.fromkeys(names.split(), "1")
    assert safe_headers(headers) == headers


@pytest.mark.parametrize(
    ("headers", "name"),
    [
        ({"x-github-event": "push", "user-agent": "GitHub-Hookshot/1"}, "github"),
        ({"x-gitlab-event": "Push Hook", "webhook-id": "m", "webhook-signature": "v1,"}, "gitlab"),
        ({"stripe-signature": "t=1"}, "stripe"),
        ({"x-slack-signature": "v0="}, "slack"),
        ({"webhook-id": "m", "webhook-signature": "v1,"}, "standard-webhooks"),
        ({"webhook-id": "m", "user-agent": "curl/8.5.0"}, "curl"),
        ({"user-agent": "Mozilla/5.0 (X11)"}, "mozilla"),
        ({"user-agent": "(none)"}, "unknown"),
        ({}, "unknown"),
    ],
)
def test_the_source_is_named(headers: dict[str, str], name: str) -> None:
    assert source(headers) == name


CHALLENGE = b'{"token":"t","challenge":"3eZbrw1aBm2rZg","type":"url_verification"}'


def v0(prefix: str, secret: str, body: bytes) -> dict[str, str]:
    mac = hmac.new(secret.encode(), f"v0:{NOW_S}:".encode() + body, hashlib.sha256).hexdigest()
    return {f"{prefix}-request-timestamp": str(NOW_S), f"{prefix}-signature": f"v0={mac}"}


def test_slack_reads_its_challenge_in_the_answer() -> None:
    answer = url_check("none", None, {}, {}, CHALLENGE, NOW_S * SECOND, LIMITS)
    assert answer == UrlCheck('{"challenge":"3eZbrw1aBm2rZg"}', "application/json")


def test_a_task_that_verifies_slack_answers_its_challenge_only_if_it_is_signed() -> None:
    signed = v0("x-slack", "s", CHALLENGE)
    assert url_check("slack", "s", signed, {}, CHALLENGE, NOW_S * SECOND, LIMITS) is not None
    with pytest.raises(NotAuthenticated):
        url_check("slack", "other", signed, {}, CHALLENGE, NOW_S * SECOND, LIMITS)


@pytest.mark.parametrize("name", ["validationToken", "validationtoken"])
def test_microsoft_reads_its_token_as_plain_text(name: str) -> None:
    answer = url_check("none", None, {}, {name: "Validation: ü"}, b"", NOW_S * SECOND, LIMITS)
    assert answer == UrlCheck("Validation: ü", "text/plain; charset=utf-8")


ZOOM = b'{"payload":{"plainToken":"qgg8vlvZRS6UYooatFL8Aw"},"event":"endpoint.url_validation"}'


def test_zoom_reads_its_token_signed() -> None:
    headers = v0("x-zm", "zoom", ZOOM)
    answer = url_check("none", "zoom", headers, {}, ZOOM, NOW_S * SECOND, LIMITS)
    assert answer is not None
    assert json.loads(answer.body) == {
        "plainToken": "qgg8vlvZRS6UYooatFL8Aw",
        "encryptedToken": hmac.new(b"zoom", b"qgg8vlvZRS6UYooatFL8Aw", "sha256").hexdigest(),
    }


@pytest.mark.parametrize(
    ("headers", "says"),
    [
        ({}, "the X-Zm-Signature header is missing"),
        ({"x-zm-signature": "v0="}, "the X-Zm-Request-Timestamp header is missing"),
        (v0("x-zm", "guess", ZOOM), "the signature in X-Zm-Signature does not match"),
    ],
)
def test_nobody_but_zoom_gets_a_text_signed_with_the_secret(
    headers: dict[str, str], says: str
) -> None:
    with pytest.raises(NotAuthenticated, match=f"^{says}"):
        url_check("hmac-sha256", "s", headers, {}, ZOOM, NOW_S * SECOND, LIMITS)


@pytest.mark.parametrize(
    ("query", "body"),
    [
        ({}, b""),
        ({}, b"not json"),
        ({}, b"[]"),
        ({}, b"[" * 9_000),
        ({}, b'{"type":"event_callback","event":{"type":"message"},"challenge":"x"}'),
        ({}, b'{"type":"url_verification"}'),
        ({}, b'{"type":"url_verification","challenge":5}'),
        ({}, b'{"event":"endpoint.url_validation"}'),
        ({}, ZOOM),  # no secret to sign with
        ({"validationToken": ""}, b""),
        ({"validationToken": "t"}, b'{"value":[]}'),
        ({"source": "ci"}, b"{}"),
    ],
)
def test_any_other_call_is_an_event(query: dict[str, str], body: bytes) -> None:
    assert url_check("none", None, {}, query, body, NOW_S * SECOND, LIMITS) is None
