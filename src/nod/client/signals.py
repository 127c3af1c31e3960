"""SIGTERM and Ctrl-C for a program on an event loop."""

import asyncio
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def stopped_by_signals(stop: Callable[[], None]) -> Iterator[None]:
    """The first signal calls `stop`; a second one ends the process as it ends any other.

    Where loops have no signals (Windows, a thread that is not the main one) nothing is changed.
    """
    if sys.platform == "win32" or threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()

    def leave() -> None:
        for each in _SIGNALS:
            loop.remove_signal_handler(each)

    def stop_once() -> None:
        leave()
        stop()

    for each in _SIGNALS:
        loop.add_signal_handler(each, stop_once)
    try:
        yield
    finally:
        leave()
