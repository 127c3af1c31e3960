"""Whatever goes wrong, the answer is a status and one sentence to act on."""

import io
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import httpx
import msgspec
import pytest
import structlog
from litestar import Litestar, get, post
from litestar.exceptions import HTTPException
from litestar.params import FromQuery, JSONBody

from nod.api.problems import handlers, sentence
from nod.domain import errors
from nod.secrets import WrongSecretKey
from nod.telemetry import setup_logging
from support.inprocess import InProcess


class Option(msgspec.Struct):
    pattern: str


class Body(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    count: Annotated[int, msgspec.Meta(ge=1, le=5)] = 1
    kind: Literal["a", "b"] = "a"
    options: list[Option] = []
    note: str | None = None
    ratio: float = 0
    tag: Annotated[str, msgspec.Meta(max_length=3)] = ""
    flag: bool = False
    counts: dict[int, int] = {}
    letters: Annotated[str, msgspec.Meta(pattern="^[a-z]*$")] = ""


@pytest.mark.parametrize(
    ("raw", "detail"),
    [
        (b"{}", "name is missing"),
        (b'{"name":1}', "name must be text, not a number"),
        (b'{"name":true}', "name must be text, not a boolean"),
        (b'{"name":null}', "name must be text, not null"),
        (b'{"name":[]}', "name must be text, not a list"),
        (b'{"name":"","note":1.5}', "note must be text, not a number"),
        (b'{"name":"","count":"1"}', "count must be a whole number, not text"),
        (b'{"name":"","count":1.5}', "count must be a whole number, without a fraction"),
        (b'{"name":"","count":9}', "count must be at most 5"),
        (b'{"name":"","tag":"long"}', "tag must have at most 3 characters"),
        (b'{"name":"","flag":"yes"}', "flag must be true or false, not text"),
        (b'{"name":"","kind":"c"}', "kind cannot be 'c'; /api/docs lists what it can be"),
        (b'{"name":"","options":{}}', "options must be a list, not an object"),
        (b'{"name":"","options":[{}]}', "options[0].pattern is missing"),
        (b'{"name":"","options":[{"pattern":1}]}', "options[0].pattern must be text, not a number"),
        (b'{"name":"","nam":1}', "nam is not a field that Nod knows here"),
        (b'{"name":"","counts":{"a":1}}', "a key of counts must be a whole number, not text"),
        (b'{"name":"","letters":"1"}', "letters cannot be read: Expected `str` matching"),
        (b"[]", "the frame must be an object, not a list"),
        (b"", "the frame is empty or ends too early; it must be JSON"),
        (b'{"name":', "the frame is empty or ends too early; it must be JSON"),
        (b'{"name":NaN}', "the frame is not JSON: invalid character (byte 8)"),
        (b'{"name":"\xff"}', "the frame is not UTF-8 text"),
        (b'{"note":' + b"[" * 100_000, "the JSON is nested too deeply"),
    ],
)
def test_what_the_decoder_says_is_put_into_words(raw: bytes, detail: str) -> None:
    wanted: Any = dict[str, Any] if raw.startswith(b'{"note":[') else Body
    with pytest.raises((msgspec.DecodeError, UnicodeDecodeError, RecursionError)) as raised:
        msgspec.json.decode(raw, type=wanted)
    status, said = sentence(raised.value, "the frame")
    assert status == 400
    assert said.startswith(detail)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.InvalidInput("x"), 400),
        (errors.NotAuthenticated("x"), 401),
        (errors.Forbidden("x"), 403),
        (errors.NotFound("x"), 404),
        (errors.Conflict("x"), 409),
        (errors.TooLarge("x"), 413),
        (errors.TooMany("x", retry_after=7), 429),
        (errors.Unavailable("x"), 503),
        (WrongSecretKey("x"), 500),
    ],
)
async def test_each_error_of_the_tree_has_its_status_and_says_when_to_try_again(
    error: errors.NodError, status: int
) -> None:
    answer = await answered(error)
    assert answer.status_code == status
    assert answer.json() == {"detail": "x"}
    expected = {429: "7", 503: "5"}.get(status)
    assert answer.headers.get("Retry-After") == expected


async def answered(error: Exception) -> httpx.Response:
    """The answer of a handler that meets this error."""

    @get("/thing")
    async def fail() -> None:
        raise error

    app = Litestar([fail], exception_handlers=handlers, openapi_config=None, logging_config=None)
    transport = httpx.ASGITransport(app)  # type: ignore[arg-type]  # the framework's own types
    async with httpx.AsyncClient(transport=transport, base_url="http://nod") as client:
        return await client.get("/thing")


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    out = io.StringIO()
    setup_logging(log_json=False, stream=out)
    yield out
    structlog.reset_defaults()


@pytest.mark.parametrize("error", [ValueError("hunter2"), HTTPException("hunter2")])
async def test_a_fault_of_nod_tells_the_caller_nothing_and_the_log_everything(
    error: Exception, log: io.StringIO
) -> None:
    answer = await answered(error)
    assert answer.status_code == 500
    assert list(answer.json()) == ["detail"]
    assert "hunter2" not in answer.text
    assert "hunter2" in log.getvalue()
    assert "Traceback" in log.getvalue()
    assert "route=/thing" in log.getvalue()


def test_a_fault_behind_a_frame_is_logged_too(log: io.StringIO) -> None:
    status, said = sentence(KeyError("hunter2"))
    assert status == 500
    assert "hunter2" not in said
    assert "hunter2" in log.getvalue()


async def test_the_frameworks_own_refusals_have_the_same_shape() -> None:
    answer = await answered(HTTPException("422: the thing is odd", status_code=422))
    assert (answer.status_code, answer.json()) == (400, {"detail": "the thing is odd"})


async def test_a_missing_or_wrong_parameter_is_named() -> None:
    @post("/thing")
    async def take(data: JSONBody[Body], size: FromQuery[int]) -> None: ...

    app = Litestar([take], exception_handlers=handlers, openapi_config=None, logging_config=None)
    transport = httpx.ASGITransport(app)  # type: ignore[arg-type]  # the framework's own types
    async with httpx.AsyncClient(transport=transport, base_url="http://nod") as client:
        good = {"name": "x"}
        missing = await client.post("/thing", json=good)
        wrong = await client.post("/thing?size=big", json=good)
        nested = await client.post("/thing?size=1", json={"name": "x", "options": [{}]})
        nothing = await client.post("/thing?size=1")
    details = [each.json()["detail"] for each in (missing, wrong, nested, nothing)]
    assert {each.status_code for each in (missing, wrong, nested, nothing)} == {400}
    assert details[0] == "size is missing; give it as a query parameter"
    assert details[1] == "size must be a whole number, not text"
    assert details[2] == "options[0].pattern is missing"
    assert "body" in details[3]


async def test_an_unknown_address_and_a_wrong_method_say_what_there_is(nod: InProcess) -> None:
    async with httpx.AsyncClient(base_url=nod.url) as client:
        nowhere = await client.get("/api/nowhere")
        wrong = await client.delete("/healthz")
    assert nowhere.status_code == 404
    assert "/api/docs" in nowhere.json()["detail"]
    assert wrong.status_code == 405
    assert "GET" in wrong.headers["Allow"]
    assert "GET" in wrong.json()["detail"]
