"""Waiting for what another process brings about, where it tells nobody."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def seen(look: Callable[[], T | None], what: str) -> T:
    """What `look` finds, once another process has brought it about.

    The one place where tests sleep: neither a port that opens nor what a person would see in
    another process can be waited for.
    """
    end = time.monotonic() + 30
    while (found := look()) is None:
        assert time.monotonic() < end, f"nothing seen of {what}"
        time.sleep(0.02)
    return found
