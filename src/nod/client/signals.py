"""SIGTERM and Ctrl-C for a program on an event loop."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def stopped_by_signals(stop: Callable[[], None]) -> Iterator[None]:
    """The first signal calls `stop`; a second one ends the process as it ends any other.

    Where loops have no signals (Windows, a thread that is not the main one) nothing is changed.
    """
    loop = asyncio.get_running_loop()

    def leave() -> None:
        for each in _SIGNALS:
            loop.remove_signal_handler(each)

    def stop_once() -> None:
        leave()
        stop()

    # Windows' loops have none; outside of the main thread asyncio raises one of the others.
    with suppress(NotImplementedError, RuntimeError, ValueError):
        for each in _SIGNALS:
            loop.add_signal_handler(each, stop_once)
    try:
        yield
    finally:
        with suppress(NotImplementedError):  # Windows again: there was nothing to take back
            leave()
