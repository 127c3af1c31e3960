"""Reading what the server answered: a result, a page of a list, or one error of the tree."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Generic, TypeVar
from urllib.parse import parse_qs, urlsplit

from nod.client.errors import (
    ApiError,
    AuthError,
    BadRequest,
    Conflict,
    Forbidden,
    NotFound,
    RateLimited,
    ServerError,
    TooLarge,
)

T = TypeVar("T")

_BY_STATUS: dict[int, type[ApiError]] = {
    400: BadRequest,
    401: AuthError,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    413: TooLarge,
    422: BadRequest,
}
_DEFAULT_RETRY_AFTER_S = 1.0
_NEXT = re.compile(r'<([^<>]*)>\s*;[^,]*\brel="?next"?', re.ASCII)


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer; the names of `headers` are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list, and the cursor of the page after it."""

    items: list[T]
    next_cursor: str | None


def json_of(answer: Answer) -> Any:
    """The JSON of a successful answer. Raises ServerError if it is something else."""
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError):
        raise _foreign(answer, "JSON") from None


def events_of(answer: Answer) -> list[dict[str, Any]]:
    """A list of events with their ids. Raises ServerError if it is something else."""
    events = json_of(answer)
    if not isinstance(events, list) or not all(map(_is_event, events)):
        raise _foreign(answer, "a list of events")
    return events


def _is_event(event: object) -> bool:
    return isinstance(event, dict) and isinstance(event.get("event_id"), str)


def _foreign(answer: Answer, expected: str) -> ServerError:
    detail = f"the answer is not {expected}; does NOD_API_URL point to a Nod server?"
    return ServerError(answer.status, detail)


def nothing_of(_answer: Answer) -> None:
    """For calls whose answer says nothing."""


def page_of(answer: Answer) -> Page[Any]:
    """A bare array and the cursor from its `Link: <…>; rel="next"` header (RFC 8288)."""
    found = _NEXT.search(answer.headers.get("link", ""))
    cursor = parse_qs(urlsplit(found[1]).query).get("cursor") if found else None
    return Page(json_of(answer), cursor[0] if cursor else None)


def error_of(answer: Answer) -> ApiError | None:
    """The error an answer stands for; None for success."""
    if 200 <= answer.status < 300:
        return None
    detail = _detail(answer)
    if answer.status == 429:
        wait = _retry_after(answer)
        return RateLimited(429, detail, _DEFAULT_RETRY_AFTER_S if wait is None else wait)
    kind = _BY_STATUS.get(answer.status)
    return kind(answer.status, detail) if kind else _unexpected(answer, detail)


def _unexpected(answer: Answer, detail: str) -> ApiError:
    if 400 <= answer.status < 500:
        return ApiError(answer.status, detail)
    return ServerError(answer.status, detail, _retry_after(answer))


def _detail(answer: Answer) -> str:
    try:
        body = json.loads(answer.body)
    except (ValueError, RecursionError):
        body = None
    if isinstance(body, dict) and isinstance(body.get("detail"), str):
        return str(body["detail"])
    return f"the server answered {_named(answer.status)}{_hint(answer)}"


def _named(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _hint(answer: Answer) -> str:
    if 300 <= answer.status < 400:
        target = answer.headers.get("location", "elsewhere")
        return f" and points to {target[:200]}; set NOD_API_URL to the address it points to"
    if answer.status >= 500:
        return "; Nod or a proxy in front of it is down or starting"
    return ", not in Nod's form; does NOD_API_URL point to a Nod server?"


def _retry_after(answer: Answer) -> float | None:
    """Seconds from `Retry-After`, which is a number or an HTTP date (RFC 9110, 10.2.3).

    A date is read against the answer's own `Date`, so the two machines' clocks need not agree.
    """
    text = answer.headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]{1,9}", text):
        return float(text)
    try:
        until, sent = (parsedate_to_datetime(t) for t in (text, answer.headers.get("date", "")))
        return max(0.0, (until - sent).total_seconds())
    except (ValueError, TypeError):
        return None
