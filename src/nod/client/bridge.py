"""Between an event loop and the threads of handlers that are no coroutines."""

import asyncio
import concurrent.futures
import contextvars
import inspect
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Bridge:
    """Carries coroutines from one thread to the loop, until it is ended."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._ended = False
        self._waits: set[concurrent.futures.Future[Any]] = set()

    def blocking(self, method: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, T]:
        """The method as one that waits, for the thread."""

        def call(*args: P.args, **kwargs: P.kwargs) -> T:
            self.check()
            wait = asyncio.run_coroutine_threadsafe(method(*args, **kwargs), self._loop)
            self._waits.add(wait)
            try:
                return wait.result()
            except concurrent.futures.CancelledError:
                raise asyncio.CancelledError from None
            finally:
                self._waits.discard(wait)

        call.__name__, call.__doc__ = method.__name__, method.__doc__
        return call

    def check(self) -> None:
        """Raises asyncio.CancelledError when it is ended."""
        if self._ended:
            raise asyncio.CancelledError

    def end(self) -> None:
        """Whatever the thread waits for or calls from now on raises asyncio.CancelledError."""
        self._ended = True
        for wait in tuple(self._waits):
            wait.cancel()


async def in_thread(function: Callable[[], T]) -> T:
    """The result of `function`, called in a thread of its own.

    Its own, because it may wait for days, and a daemon, because it must not keep the process.
    When this is cancelled, the thread is not waited for.
    """
    loop, done = asyncio.get_running_loop(), concurrent.futures.Future[T]()
    context = contextvars.copy_context()

    def work() -> None:
        try:
            result = context.run(function)
        except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
            _settle(done, error)
        else:
            with suppress(concurrent.futures.InvalidStateError):
                done.set_result(result)

    threading.Thread(target=work, name="nod-handler", daemon=True).start()
    return await asyncio.wrap_future(done, loop=loop)


def _settle(done: "concurrent.futures.Future[Any]", error: BaseException) -> None:
    with suppress(concurrent.futures.InvalidStateError):
        if isinstance(error, asyncio.CancelledError):
            done.cancel()
        else:
            done.set_exception(error)


def is_async(function: Callable[..., object]) -> bool:
    """Whether calling it makes a coroutine."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004 - the method itself is looked at
    )
