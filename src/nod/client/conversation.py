"""One call with its retries, without I/O: it says what to do next, and is told what came of it.

`Client` and `AsyncClient` both drive this; neither has logic of its own.
"""

import random
from collections.abc import Generator
from dataclasses import dataclass
from itertools import count
from typing import TypeVar

from nod.client.answers import Answer, error_of
from nod.client.errors import ConnectError, NodError, ServerError
from nod.client.requests import Request

T = TypeVar("T")

FIRST_DELAY_S = 0.25
LONGEST_DELAY_S = 10.0


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait so many seconds before going on."""

    delay_s: float


Step = Request[T] | Pause
Outcome = Answer | ConnectError | None
"""What came of a step: the answer, that there was none, or None after a pause."""


def conversation(request: Request[T], retries: int) -> Generator[Step[T], Outcome, T]:
    """Sends the request, up to `retries` times more where that is safe and can help.

    Returns what the request decodes to, or raises the last error. Only repeatable requests are
    sent again, and only when the connection broke or the answer was 502, 503 or 504.
    """
    for attempt in count():
        outcome = yield request
        error = error_of(outcome) if isinstance(outcome, Answer) else outcome
        if error is None and isinstance(outcome, Answer):
            return request.decode(outcome)
        if error is None:
            break
        if attempt >= retries or not (request.repeatable and _passing(error)):
            raise error
        yield Pause(_delay(error, attempt))
    raise RuntimeError("a request was not answered by an Answer or a ConnectError")


def _passing(error: NodError) -> bool:
    return isinstance(error, ConnectError) or (
        isinstance(error, ServerError) and error.status in (502, 503, 504)
    )


def _delay(error: NodError, attempt: int) -> float:
    asked = error.retry_after if isinstance(error, ServerError) else None
    if asked is not None:
        return min(asked, LONGEST_DELAY_S)
    return backoff_s(attempt, FIRST_DELAY_S, LONGEST_DELAY_S)


def backoff_s(attempt: int, first_s: float, longest_s: float) -> float:
    """Exponential backoff with full jitter: anything up to `first_s` * 2^attempt, capped.

    Source: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    """
    highest = min(longest_s, first_s * 2.0 ** min(attempt, 30))
    return random.uniform(0, highest)  # noqa: S311 -- spreads load, guards nothing
