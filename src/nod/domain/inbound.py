"""What a call of a trigger URL brings: its payload, who sent it, and whether it came before.

`headers` have lower-case names everywhere here. The proof of who calls is in `inbound_verify.py`.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import msgspec
import multipart  # type: ignore[import-untyped]  # its release carries no type marker

from nod.domain.errors import InvalidInput, TooLarge
from nod.domain.inbound_verify import VerifyKind, verify, verify_v0
from nod.domain.instant import Instant
from nod.domain.limits import Limits

_T = TypeVar("_T")

_NO_JSON = (msgspec.DecodeError, UnicodeDecodeError)
_BOM = b"\xef\xbb\xbf"  # RFC 8259, section 8.1: a parser may pass over it
_OPENS_JSON = (b"{", b"[")

# Longer ones are kept as their hash, so that a key fits an index.
_KEY_CHARS = 200
# Longer values are left out of what the agent sees; nothing in the safe set is ever that long.
_HEADER_CHARS = 1_000

_DEDUPE_HEADERS = ("idempotency-key", "webhook-id", "x-github-delivery")
_CLOUD_EVENT = "application/cloudevents+json"
_SAFE_HEADERS = (
    "content-type",
    "user-agent",
    "idempotency-key",
    "webhook-id",
    "webhook-timestamp",
    "svix-id",
    "svix-timestamp",
    "x-github-event",
    "x-github-delivery",
    "x-github-hook-id",
    "x-gitlab-event",
    "x-gitlab-event-uuid",
    "x-gitlab-instance",
    "x-gitea-event",
    "x-gitea-delivery",
    "x-slack-request-timestamp",
    "x-slack-retry-num",
    "x-slack-retry-reason",
    "x-zm-request-timestamp",
    "x-request-id",
    "x-event-key",
    "x-shopify-topic",
    "x-shopify-webhook-id",
    "x-nod-event-id",
    "x-nod-delivery-id",
    "x-nod-timestamp",
    "x-nod-retry-num",
    "ce-specversion",
    "ce-id",
    "ce-source",
    "ce-type",
    "ce-subject",
    "ce-time",
)
_MARKS = (
    ("github", ("x-github-event",)),
    ("gitlab", ("x-gitlab-event",)),
    ("stripe", ("stripe-signature",)),
    ("slack", ("x-slack-signature",)),
    ("standard-webhooks", ("webhook-id", "webhook-signature")),
)
_PRODUCT = re.compile(r"[A-Za-z0-9._-]{1,64}")


@dataclass(frozen=True, slots=True)
class UrlCheck:
    """What to answer, with status 200, to a service that asks whether the URL is ours."""

    body: str
    content_type: str


class _StripeEvent(msgspec.Struct):
    id: str = ""


class _CloudEvent(msgspec.Struct):
    """What tells one CloudEvent from all others (CloudEvents 1.0, "id")."""

    source: str = ""
    id: str = ""


class _ZoomToken(msgspec.Struct):
    plainToken: str = ""  # noqa: N815 - Zoom's name


class _Check(msgspec.Struct):
    type: str = ""
    challenge: str = ""
    event: str | dict[str, msgspec.Raw] = ""  # Slack's events are objects, Zoom's are names
    payload: _ZoomToken | None = None


def read_payload(body: bytes, content_type: str, limits: Limits) -> bytes:
    """The JSON text that goes to the agent as `payload`.

    JSON is passed on as it came. A form becomes an object; a field that comes more than once, a
    list. An empty body is `{}`, anything else `{"body": "<text>"}`. Without a JSON content type an
    object or array still counts as JSON, also under the type that `curl -d` gives to everything.
    Raises InvalidInput if the body is declared as JSON and is not, TooLarge for too many fields.
    """
    body = body.removeprefix(_BOM)
    kind, options = multipart.parse_options_header(content_type)
    if not body.strip():
        return b"{}"
    if kind == "application/json" or kind.endswith("+json"):
        _check_json(body, limits)
        return body
    if body.lstrip().startswith(_OPENS_JSON) and _is_json(body, limits):
        return body
    if kind == "application/x-www-form-urlencoded":
        return _form(body, limits)
    if kind == "multipart/form-data":
        return _multipart(body, options.get("boundary", ""), limits) or _text(body)
    return _text(body)


def media_type(body: bytes, content_type: str, payload: bytes) -> str:
    """What a body that was read as `payload` is declared as; empty for JSON, and for no body."""
    if not body.strip() or payload == body.removeprefix(_BOM):
        return ""
    return multipart.parse_options_header(content_type)[0].lower() or "undeclared"


def dedupe_key(headers: Mapping[str, str], payload: bytes) -> str | None:
    """What two calls have in common if they are one event sent twice; None if nothing tells.

    The first of `Idempotency-Key`, `webhook-id`, `X-GitHub-Delivery`, or of a call from Stripe the
    id of its event (`evt_…` in the payload), or a CloudEvent's source and id, in headers or in the
    payload.
    """
    for name in _DEDUPE_HEADERS:
        if headers.get(name):
            return _bounded(name, headers[name])
    cloud = _cloud_event(headers, payload)
    if cloud.id and cloud.source:
        return _bounded("cloudevent", msgspec.json.encode([cloud.source, cloud.id]).decode())
    if "stripe-signature" not in headers:
        return None
    event = _decoded(payload, _StripeEvent)
    return _bounded("stripe", event.id) if event and event.id.startswith("evt_") else None


def _cloud_event(headers: Mapping[str, str], payload: bytes) -> _CloudEvent:
    """The event of a call in the structured or in the binary mode; empty for any other call."""
    if headers.get("content-type", "").lower().startswith(_CLOUD_EVENT):
        return _decoded(payload, _CloudEvent) or _CloudEvent()
    return _CloudEvent(headers.get("ce-source", ""), headers.get("ce-id", ""))


def url_check(
    kind: VerifyKind,
    secret: str | None,
    headers: Mapping[str, str],
    query: Mapping[str, str],
    body: bytes,
    now: Instant,
    limits: Limits,
) -> UrlCheck | None:
    """The answer, if the call only asks whether this URL takes events; None for any other call.

    To be asked before `verify`, because not every service signs this question:

    - Slack and Lark post `{"type": "url_verification", "challenge"}` and read the challenge in
      the answer. Verified first when the task verifies Slack (Slack, "url_verification event").
    - Microsoft Graph and SharePoint post nothing to `?validationToken=…`, unsigned, and read the
      token as plain text (Microsoft Graph, "Receive change notifications through webhooks").
    - Zoom posts `endpoint.url_validation` and wants its token signed with the secret. It is
      answered only if the question is signed with that secret itself; otherwise anyone could have
      any text signed here (Zoom, "Validate your webhook endpoint").

    Dropbox and Meta ask by GET, which a trigger URL answers with 405. Raises NotAuthenticated for a
    wrong signature.
    """
    token = next((query[name] for name in query if name.lower() == "validationtoken"), None)
    if token and not body.strip():
        return UrlCheck(token, "text/plain; charset=utf-8")
    check = _decoded(body, _Check)
    if check is None:
        return None
    if check.type == "url_verification" and check.challenge:
        if kind == "slack":
            verify(kind, secret, headers, body, now, limits)
        return _json_answer({"challenge": check.challenge})
    if check.event == "endpoint.url_validation" and check.payload and secret:
        verify_v0("X-Zm-Signature", "X-Zm-Request-Timestamp", secret, headers, body, now, limits)
        plain = check.payload.plainToken
        signed = hmac.new(secret.encode(), plain.encode(), hashlib.sha256).hexdigest()
        return _json_answer({"plainToken": plain, "encryptedToken": signed})
    return None


def safe_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers that an agent may see: what the event is, never what proves or permits it."""
    return {
        name: headers[name]
        for name in _SAFE_HEADERS
        if name in headers and len(headers[name]) <= _HEADER_CHARS
    }


def source(headers: Mapping[str, str]) -> str:
    """Who seems to call: a known service by its headers, else the user agent's product."""
    for name, marks in _MARKS:
        if all(mark in headers for mark in marks):
            return name
    product = _PRODUCT.match(headers.get("user-agent", ""))
    return product.group().lower() if product else "unknown"


def _check_json(body: bytes, limits: Limits) -> None:
    try:
        deep = _is_deeper(msgspec.json.decode(body), limits.json_depth)
    except RecursionError:
        deep = True
    except _NO_JSON as error:
        raise InvalidInput(f"the body is declared as JSON, but it is not: {error}") from None
    if deep:
        raise InvalidInput(f"the JSON is nested deeper than {limits.json_depth} levels")


def _is_json(body: bytes, limits: Limits) -> bool:
    try:
        _check_json(body, limits)
    except InvalidInput:
        return False
    return True


def _is_deeper(value: Any, levels: int) -> bool:
    """Whether arrays and objects stand in each other more than so many levels; level by level."""
    inside = [value] if isinstance(value, (dict, list)) else []
    for _ in range(levels):
        items = (v.values() if isinstance(v, dict) else v for v in inside)
        inside = [v for group in items for v in group if isinstance(v, (dict, list))]
    return bool(inside)


def _form(body: bytes, limits: Limits) -> bytes:
    if body.count(b"&") >= limits.form_fields:
        raise TooLarge(f"the form has more than {limits.form_fields} fields")
    text = body.decode("utf-8", "replace")
    return _fields_json(parse_qsl(text, keep_blank_values=True))


def _multipart(body: bytes, boundary: str, limits: Limits) -> bytes | None:
    """The parts as an object, a file as its name, type and text; None if the body is malformed."""
    fields: list[tuple[str, Any]] = []
    part: Any = None
    content = bytearray()
    try:
        parser = multipart.PushMultipartParser(boundary, max_segment_count=limits.form_fields)
        for event in chain(parser.parse(body), parser.parse(b"")):  # empty: that was all
            if isinstance(event, multipart.MultipartSegment):
                part, content = event, bytearray()
            elif event is None:
                fields.append((part.name, _part_value(part, bytes(content))))
            else:
                content += event
    except multipart.ParserLimitReached as error:
        raise TooLarge(f"the form has too many fields or headers: {error}") from None
    except multipart.MultipartError:
        return None
    return _fields_json(fields)


def _part_value(part: Any, content: bytes) -> Any:
    if part.filename is None:
        return content.decode("utf-8", "replace")
    return {
        "filename": part.filename,
        "content_type": part.content_type or "text/plain",  # RFC 7578, section 4.4
        **_as_text(content),
    }


def _fields_json(fields: Iterable[tuple[str, Any]]) -> bytes:
    grouped: dict[str, list[Any]] = {}
    for name, value in fields:
        grouped.setdefault(name, []).append(value)
    shown = {name: values if len(values) > 1 else values[0] for name, values in grouped.items()}
    return msgspec.json.encode(shown)


def _text(body: bytes) -> bytes:
    return msgspec.json.encode(_as_text(body))


def _as_text(content: bytes) -> dict[str, str]:
    try:
        return {"body": content.decode()}
    except UnicodeDecodeError:
        note = "utf-8, undecodable bytes replaced"
        return {"body": content.decode("utf-8", "replace"), "encoding": note}


def _decoded(body: bytes, type_: type[_T]) -> _T | None:
    try:
        return msgspec.json.decode(body, type=type_)
    except (*_NO_JSON, RecursionError):
        return None


def _json_answer(answer: dict[str, str]) -> UrlCheck:
    return UrlCheck(msgspec.json.encode(answer).decode(), "application/json")


def _bounded(kind: str, value: str) -> str:
    if len(value) > _KEY_CHARS:
        digest = hashlib.sha256(value.encode()).hexdigest()
        return f"{kind}:sha256:{digest}"
    return f"{kind}:{value}"
