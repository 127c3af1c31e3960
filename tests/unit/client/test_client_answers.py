"""Which error an answer becomes, and when a call is tried again. No I/O."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nod import (
    ApiError,
    AuthError,
    BadRequest,
    Conflict,
    ConnectError,
    Forbidden,
    NodError,
    NotFound,
    RateLimited,
    ServerError,
    TooLarge,
)
from nod.client import requests
from nod.client.answers import Answer, error_of
from nod.client.conversation import LONGEST_DELAY_S, Pause, backoff_s, conversation

UNAVAILABLE = Answer(503, {}, b'{"detail": "shutting down"}')
OK = Answer(200, {}, b"[]")


@pytest.mark.parametrize(
    ("status", "kind", "retryable"),
    [
        (400, BadRequest, False),
        (422, BadRequest, False),
        (401, AuthError, False),
        (403, Forbidden, False),
        (404, NotFound, False),
        (405, ApiError, False),
        (409, Conflict, False),
        (413, TooLarge, False),
        (429, RateLimited, True),
        (500, ServerError, True),
        (503, ServerError, True),
        (302, ServerError, False),
    ],
)
def test_a_status_becomes_its_error_with_the_servers_sentence(
    status: int, kind: type[ApiError], retryable: bool
) -> None:
    error = error_of(Answer(status, {}, b'{"detail": "because"}'))
    assert type(error) is kind
    assert (error.status, error.detail, error.retryable) == (status, "because", retryable)


def test_success_is_no_error() -> None:
    assert error_of(OK) is None


def test_an_answer_that_is_not_nods_says_so_and_what_to_look_at() -> None:
    page = error_of(Answer(502, {}, b"<html>Bad Gateway</html>"))
    assert page is not None
    assert page.detail == (
        "the server answered 502 Bad Gateway; Nod or a proxy in front of it is down or starting"
    )
    moved = error_of(Answer(301, {"location": "https://nod.example/"}, b""))
    assert moved is not None
    assert "https://nod.example/" in moved.detail
    assert "NOD_API_URL" in moved.detail
    odd = error_of(Answer(499, {}, b'{"detail": 5}'))
    assert odd is not None
    assert odd.detail.startswith("the server answered 499")
    with pytest.raises(ServerError, match="NOD_API_URL"):
        requests.tasks().decode(Answer(200, {}, b"<html>"))


def test_events_are_only_taken_from_an_answer_that_holds_events() -> None:
    decode = requests.events().decode
    assert decode(Answer(200, {}, b'[{"event_id": "evt_1"}]')) == [{"event_id": "evt_1"}]
    for odd in (b'{"ok": true}', b'["evt_1"]', b"[{}]", b"[" * 100_000):
        with pytest.raises(ServerError):
            decode(Answer(200, {}, odd))


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"retry-after": "7"}, 7.0),
        (
            {
                "retry-after": "Mon, 01 Sep 2025 09:00:30 GMT",
                "date": "Mon, 01 Sep 2025 09:00:00 GMT",
            },
            30.0,
        ),
        ({"retry-after": "Mon, 01 Sep 2025 09:00:30 GMT"}, 1.0),
        ({"retry-after": "soon"}, 1.0),
        ({}, 1.0),
    ],
)
def test_a_rate_limit_says_how_long_to_wait(headers: dict[str, str], wait_s: float) -> None:
    error = error_of(Answer(429, headers, b""))
    assert isinstance(error, RateLimited)
    assert error.retry_after == wait_s


@given(
    st.integers(100, 599),
    st.binary(max_size=50),
    st.dictionaries(st.sampled_from(["retry-after", "date", "location"]), st.text(max_size=30)),
)
def test_any_answer_is_a_success_or_an_error_with_a_sentence(
    status: int, body: bytes, headers: dict[str, str]
) -> None:
    error = error_of(Answer(status, headers, body))
    assert (error is None) == (200 <= status < 300)
    assert error is None or isinstance(error.detail, str)


def test_a_read_is_sent_again_after_a_broken_connection_and_after_503() -> None:
    steps = conversation(requests.tasks(), retries=3)
    assert next(steps) == requests.tasks()
    assert isinstance(steps.send(ConnectError("reset")), Pause)
    assert steps.send(None) == requests.tasks()
    assert isinstance(steps.send(UNAVAILABLE), Pause)
    steps.send(None)
    with pytest.raises(StopIteration) as end:
        steps.send(OK)
    assert end.value.value == []


def test_what_is_not_safe_to_repeat_is_sent_once() -> None:
    steps = conversation(requests.message("hello"), retries=3)
    next(steps)
    with pytest.raises(ConnectError):
        steps.send(ConnectError("reset"))


@pytest.mark.parametrize("answer", [Answer(404, {}, b""), Answer(500, {}, b"")])
def test_a_no_is_not_asked_again(answer: Answer) -> None:
    steps = conversation(requests.tasks(), retries=3)
    next(steps)
    with pytest.raises(ApiError):
        steps.send(answer)


def test_the_last_error_is_raised_when_the_retries_are_used_up() -> None:
    steps = conversation(requests.tasks(), retries=1)
    next(steps)
    steps.send(ConnectError("first"))
    steps.send(None)
    with pytest.raises(ServerError, match="shutting down"):
        steps.send(UNAVAILABLE)


def test_the_servers_retry_after_is_kept_within_reason() -> None:
    for asked, kept in (("2", 2.0), ("3600", LONGEST_DELAY_S)):
        steps = conversation(requests.tasks(), retries=1)
        next(steps)
        assert steps.send(Answer(503, {"retry-after": asked}, b"")) == Pause(kept)


def test_a_request_needs_an_outcome() -> None:
    steps = conversation(requests.tasks(), retries=1)
    next(steps)
    with pytest.raises(RuntimeError):
        steps.send(None)


@given(st.integers(0, 10_000))
def test_backoff_stays_within_its_bounds(attempt: int) -> None:
    assert 0 <= backoff_s(attempt, 0.5, 30) <= 30


def test_every_error_of_the_client_is_one_tree() -> None:
    for error in (ApiError(400, "x"), ConnectError("x")):
        assert isinstance(error, NodError)
        assert str(error) == error.detail == "x"
