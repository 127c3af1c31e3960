"""What cannot be handled is set aside: it holds up nothing else, and is tried again later.

It is kept in memory only. After a restart everything is tried again at once, which is what
somebody who has just repaired something wants.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from nod.clock import Clock
from nod.domain.errors import NodError
from nod.domain.instant import SECOND, Instant
from nod.store.effects import Fact

_log = structlog.get_logger("nod.engine")

_FIRST_S = 60
_LONGEST_S = 3600

Tell = Callable[[Sequence[Fact]], None]


@dataclass(frozen=True, slots=True)
class _Failed:
    """How often it has failed, and when it may be tried again, in monotonic seconds."""

    times: int
    again: float


class Aside:
    """The things of one kind (`what`) whose handling failed. It belongs to the event loop's thread.

    The first wait is a minute, each later one twice as long, an hour at most.
    """

    def __init__(self, what: str, clock: Clock, tell: Tell) -> None:
        """`tell` hears of each failure, for the figures."""
        self.what = what
        self._clock = clock
        self._tell = tell
        self._failed: dict[str, _Failed] = {}

    def put(self, id_: str, error: BaseException) -> None:
        """Set it aside because of `error`; one line in the log names it."""
        now = self._clock.monotonic()
        self._forget_old(now)
        before = self._failed.get(id_)
        times = 1 if before is None else before.times + 1
        wait_s = min(_FIRST_S << min(times - 1, 10), _LONGEST_S)
        self._failed[id_] = _Failed(times, now + wait_s)
        _log.error(
            f"this {self.what} cannot be handled and is set aside",
            id=id_,
            times=times,
            again_s=wait_s,
            exc_info=error,
        )
        self._tell([Fact("set_aside", {"what": self.what, "id": id_, "reason": reason(error)})])

    def forget(self, id_: str) -> None:
        """It is no problem any more."""
        self._failed.pop(id_, None)

    def waiting(self) -> set[str]:
        """The ids that are not to be touched now."""
        now = self._clock.monotonic()
        return {id_ for id_, each in self._failed.items() if each.again > now}

    def next_at(self) -> Instant | None:
        """When the next one may be tried again; None when nothing is set aside."""
        now = self._clock.monotonic()
        waits = [each.again - now for each in self._failed.values() if each.again > now]
        return self._clock.now() + round(min(waits) * SECOND) if waits else None

    def _forget_old(self, now: float) -> None:
        """What was not put back within the longest wait has been handled, or is gone."""
        for id_ in [id_ for id_, each in self._failed.items() if each.again + _LONGEST_S < now]:
            del self._failed[id_]


def reason(error: BaseException) -> str:
    """The error for a person: its own sentence where it has one."""
    return error.detail if isinstance(error, NodError) else repr(error)
