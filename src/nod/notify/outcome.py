"""What came of one attempt to notify a target."""

from dataclasses import dataclass
from typing import Literal

Result = Literal[
    "ok",
    "failed",  # it may work later
    "refused",  # the target does not take this notice; another it may
    "gone",  # the target does not exist any more
]


@dataclass(frozen=True, slots=True)
class Outcome:
    """`error` is a plain sentence, None after success; `retry_after_s` what the target asks for."""

    result: Result
    error: str | None = None
    retry_after_s: float | None = None


OK = Outcome("ok")
