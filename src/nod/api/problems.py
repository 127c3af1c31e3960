"""Errors as answers: `{"detail": "<a sentence a human can act on>"}` and the status to it.

The one place that knows which HTTP status each error of the tree has, and the one that puts what
the framework and the JSON decoder say into words for the caller.
"""

import re
from typing import Any, NamedTuple

import msgspec
import structlog
from litestar import MediaType, Request, Response
from litestar.exceptions import (
    HTTPException,
    InternalServerException,
    LitestarException,
    MethodNotAllowedException,
    NotFoundException,
    ValidationException,
)
from litestar.exceptions.http_exceptions import RequestEntityTooLarge

from nod.domain import errors

_log = structlog.get_logger("nod.api")

_STATUS: dict[type[errors.NodError], int] = {
    errors.InvalidInput: 400,
    errors.NotAuthenticated: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.TooLarge: 413,
    errors.TooMany: 429,
    errors.Unavailable: 503,
}
_UNAVAILABLE_RETRY_S = 5

_FAULT = (
    "Nod made a mistake; it is in the server's log. Try again, and report it if it happens again"
)
_NO_PAGE = "there is nothing at this address; /api/docs lists what there is"
_CUT = "the connection closed before the body was complete"
_TOO_DEEP = "the JSON is nested too deeply"

# How the JSON decoder speaks (msgspec/_core.c), and how we say it.
_AT = re.compile(r"^(?P<text>.*) - at (?P<key>`key` in )?`\$\.?(?P<path>[^`]*)`$", re.DOTALL)
_GOT = re.compile(r"Expected `(?P<wanted>[^`]+)`, got `(?P<got>[^`]+)`")
_RANGE = re.compile(
    r"Expected `(?P<kind>\w+)[^`]*` (?:of length )?(?P<sign>>=|<=|>|<) (?P<bound>\S+)"
)
_MISSING = re.compile(r"Object missing required field `(?P<field>[^`]*)`")
_NO_BODY = "Object missing required field `data`"
_NO_PARAMETER = re.compile(r"Missing required (?P<kind>\w+) parameter '(?P<field>[^']*)'")
# The framework's name for the body, before the field's own.
_BODY = re.compile(r"`\$\.data(?=[.\[`])")
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<field>[^`]*)`")
_ENUM = re.compile(r"Invalid (?:enum )?value (?P<value>.+)", re.DOTALL)
_WANTED = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "object": "an object",
    "array": "a list",
}
_GOT_WORDS = {**_WANTED, "int": "a number", "bool": "a boolean"}
_SIGNS = {">=": "at least", "<=": "at most", ">": "more than", "<": "less than"}
_UNITS = {"str": " characters", "bytes": " bytes", "array": " entries", "object": " fields"}


class Problem(NamedTuple):
    """What an error is to the caller. `fault`: it is ours, and belongs into the log."""

    status: int
    detail: str
    headers: dict[str, str]
    fault: bool = False


def sentence(error: Exception, what: str = "the body") -> tuple[int, str]:
    """The HTTP status of an error, and its sentence; a fault of ours is logged.

    `what` names the input that could not be read: a body, or a socket's frame.
    """
    found = problem(error, what)
    if found.fault:
        _log.error("an answer failed", exc_info=error)
    return found.status, found.detail


def problem(error: Exception, what: str = "the body") -> Problem:
    """What to answer for any error. What was not meant for the caller tells nothing of itself."""
    if isinstance(error, errors.NodError):
        return _of_ours(error)
    decoding = _of_decoding(error, what)
    if decoding is not None:
        return Problem(400, decoding, {})
    if isinstance(error, HTTPException):
        return _of_framework(error)
    return Problem(500, _FAULT, {}, fault=True)


def answer(request: Request[Any, Any, Any], error: Exception) -> Response[dict[str, str]]:
    """The response to an error; a fault of ours is logged with its traceback."""
    found = problem(error)
    if found.fault:
        # The path may hold a trigger id, which is a secret; the route's pattern does not.
        route = request.scope.get("path_template", "unknown")
        _log.error("a request failed", method=request.method, route=route, exc_info=error)
    return Response(
        {"detail": found.detail},
        status_code=found.status,
        headers=found.headers,
        media_type=MediaType.JSON,
    )


# For Litestar's `exception_handlers`: everything takes one way.
handlers: dict[int | type[Exception], Any] = {Exception: answer}


def _of_ours(error: errors.NodError) -> Problem:
    status = next((_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS), 500)
    headers = {}
    if isinstance(error, errors.TooMany):
        headers["Retry-After"] = str(max(1, error.retry_after))
    elif isinstance(error, errors.Unavailable):
        headers["Retry-After"] = str(_UNAVAILABLE_RETRY_S)
    return Problem(status, error.detail, headers, fault=status == 500)


def _of_decoding(error: Exception, what: str) -> str | None:
    """What is wrong with an input that could not be read; None for other errors."""
    cause: BaseException | None = error
    while cause is not None and isinstance(cause, LitestarException):
        cause = cause.__cause__
    match cause:
        case msgspec.ValidationError() if cause is not error:
            return _of_request(str(cause))
        case msgspec.ValidationError():
            return _in_words(str(cause), what)
        case msgspec.DecodeError():
            return _malformed(str(cause), what)
        case UnicodeDecodeError():
            return f"{what} is not UTF-8 text"
        case RecursionError() if "deserializing" in str(cause):
            return _TOO_DEEP
        case _:
            return None


def _of_request(text: str) -> str:
    """What is wrong with a request that the framework has read: its body is `data` there."""
    if text == _NO_BODY:
        return "the body is missing; send JSON"
    return _in_words(_BODY.sub("`$", text), "the body")


def _of_framework(error: HTTPException) -> Problem:
    headers = dict(error.headers or {})
    match error:
        case ValidationException():
            return Problem(400, _validation(error), headers)
        case NotFoundException():
            return Problem(404, _NO_PAGE, headers)
        case MethodNotAllowedException():
            return _wrong_method(headers)
        case RequestEntityTooLarge():
            return Problem(413, "the body is larger than this address accepts", headers)
        case InternalServerException() if "disconnected" in error.detail:
            return Problem(400, _CUT, headers)
        case _ if error.status_code >= 500:
            return Problem(500, _FAULT, headers, fault=True)
        case _:
            return Problem(_as_400(error.status_code), _plain(error.detail), headers)


def _wrong_method(headers: dict[str, str]) -> Problem:
    """What the address is for. OPTIONS, which only tells the same, is left out."""
    names = {name.strip() for name in headers.get("allow", "").split(",")} - {"OPTIONS"}
    allowed = sorted(name for name in names if name.isupper())
    if not allowed:
        return Problem(405, "this address does not take that method", headers)
    detail = f"this address takes {', '.join(allowed)} only"
    return Problem(405, detail, {"Allow": ", ".join(allowed)})


def _validation(error: ValidationException) -> str:
    """The first of the framework's findings; each is the decoder's text and a place."""
    found = error.extra
    if not isinstance(found, list) or not found or not isinstance(found[0], dict):
        missing = _NO_PARAMETER.match(error.detail)
        if missing is not None:
            return f"{missing['field']} is missing; give it as a {missing['kind']} parameter"
        return _plain(error.detail)
    text, key = str(found[0].get("message", "")), str(found[0].get("key", ""))
    return _say(text, "" if key == "data" else key)


def _in_words(text: str, what: str) -> str:
    """A sentence for what msgspec says, such as "Expected `str`, got `int` - at `$.name`"."""
    found = _AT.match(text)
    if found is None:
        return _say(text, "", what)
    path = "a value in the body" if found["path"] == "[...]" else found["path"]
    where = f"a key of {path or 'the body'}" if found["key"] else path
    return _say(found["text"], where, what)


def _say(text: str, field: str, what: str = "the body") -> str:
    name = field or what
    if found := _MISSING.match(text):
        return f"{_inside(field, found['field'])} is missing"
    if found := _UNKNOWN.match(text):
        return f"{_inside(field, found['field'])} is not a field that Nod knows here"
    if found := _GOT.match(text):
        return _wrong_type(name, found["wanted"], found["got"])
    if found := _RANGE.match(text):
        unit = _UNITS.get(found["kind"], "")
        verb = "have" if unit else "be"
        return f"{name} must {verb} {_SIGNS[found['sign']]} {found['bound']}{unit}"
    if found := _ENUM.match(text):
        return f"{name} cannot be {found['value'][:64]}; /api/docs lists what it can be"
    return f"{name} cannot be read: {text[:200]}"


def _wrong_type(name: str, wanted: str, got: str) -> str:
    kinds = [kind for kind in wanted.split(" | ") if kind != "null"]
    must = " or ".join(_WANTED.get(kind, kind) for kind in kinds)
    if got == "float" and "int" in kinds:
        return f"{name} must be {must}, without a fraction"
    return f"{name} must be {must}, not {_GOT_WORDS.get(got, got)}"


def _inside(path: str, field: str) -> str:
    return f"{path}.{field}" if path else field


def _malformed(text: str, what: str) -> str:
    if "truncated" in text:
        return f"{what} is empty or ends too early; it must be JSON"
    return f"{what} is not JSON: {text.removeprefix('JSON is malformed: ')}"


def _as_400(status: int) -> int:
    return 400 if status == 422 else status


def _plain(detail: str) -> str:
    """The framework's own sentence without its status before it."""
    return re.sub(r"^\d{3}: ", "", detail)[:300] or "the request cannot be understood"
