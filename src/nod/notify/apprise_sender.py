"""Apprise: one notice to one of its URLs, in a thread, with a time limit.

A URL is a secret and stays out of the log. What a service may reach is decided where it connects
(`confined.py`), so redirects and names that change their address are covered as well.
"""

import asyncio
import logging
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from types import ModuleType
from typing import TYPE_CHECKING

from nod.delivery.address_guard import AddressGuard
from nod.domain.errors import InvalidInput
from nod.domain.limits import Limits
from nod.domain.model import NoticeKind
from nod.notify.confined import confined, refusal
from nod.notify.outcome import OK, Outcome

if TYPE_CHECKING:
    import apprise

# Services that reach no further than the machine Nod runs on, or that keep files on it.
REFUSED_SCHEMAS = frozenset(
    {
        "blink1",  # a light on USB
        "dbus",
        "glib",
        "gnome",
        "kde",
        "macosx",
        "qt",
        "rsyslog",  # unproven lines to a log
        "syslog",
        "vapid",  # keeps subscriptions in files; browsers subscribe by themselves here
        "windows",
    }
)
_THREADS = 16
_SHOWN_CHARS = 300
_LOGGER = "apprise"
_TYPES: dict[NoticeKind, str] = {"failure": "failure", "recovery": "success", "health": "warning"}


@dataclass(frozen=True, slots=True)
class Words:
    """What a notice says to a person. `link` is the whole address of the page it opens."""

    kind: NoticeKind
    title: str
    text: str
    link: str


@lru_cache(maxsize=1)
def _apprise() -> ModuleType:
    """The library, imported when the first person has an Apprise URL."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of a module that it shims itself
        import apprise

        apprise.Apprise.instantiate("json://localhost")
    logger = logging.getLogger(_LOGGER)
    logger.propagate = False
    logger.addHandler(_sayings)
    logger.setLevel(logging.WARNING)
    return apprise


class _Sayings(logging.Handler):
    """Keeps what Apprise last said in each thread: it gives no other reason for a failure."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._last = threading.local()

    def emit(self, record: logging.LogRecord) -> None:
        self._last.text = record.getMessage()

    def take(self) -> str | None:
        """What was said since the last time."""
        text: str | None = getattr(self._last, "text", None)
        self._last.text = None
        return text


_sayings = _Sayings()


def check_apprise(url: str, limits: Limits) -> str:
    """The URL, if it can be used; else InvalidInput. It may take a moment: use a thread."""
    schema = schema_of(url)
    if len(url) > limits.webhook_url_chars:
        raise InvalidInput(f"url has {len(url)} characters; {limits.webhook_url_chars} fit")
    if schema in REFUSED_SCHEMAS:
        raise InvalidInput(f"{schema}:// stays on this machine; name a service that reaches you")
    _apprise()
    with confined(AddressGuard([])):
        if _plugin(url, limits) is None:
            raise InvalidInput(
                "url is not an Apprise URL such as ntfys://ntfy.sh/my-topic;"
                " github.com/caronc/apprise/wiki lists them"
            )
    return url


def masked(url: str) -> str:
    """The URL as it may be shown: the service and nothing of what is secret."""
    return f"{schema_of(url)}://…"


def schema_of(url: str) -> str:
    """Which service a URL is for. Apprise also takes some web addresses as they are."""
    return url.strip().partition("://")[0].lower()


def _plugin(url: str, limits: Limits) -> "apprise.NotifyBase | None":
    library = _apprise()
    asset = library.AppriseAsset(
        app_id="Nod",
        app_desc="Nod",
        async_mode=False,
        http_redirects=False,
        allow_templates=False,
        pgp_autogen=False,
        pem_autogen=False,
        secure_logging=True,
        storage_mode=library.PersistentStoreMode.MEMORY,
    )
    found: apprise.NotifyBase | None = library.Apprise.instantiate(url, asset=asset)
    if found is not None:
        most = float(limits.notify_timeout_s)
        found.socket_connect_timeout = min(found.socket_connect_timeout or most, most)
        found.socket_read_timeout = min(found.socket_read_timeout or most, most)
    return found


class AppriseSender:
    """Sends to Apprise URLs, `_THREADS` at the same time."""

    def __init__(self, guard: AddressGuard, limits: Limits) -> None:
        self._guard = guard
        self._limits = limits
        self._free = asyncio.Semaphore(_THREADS)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="nod-apprise")

    async def send(self, url: str, words: Words) -> Outcome:
        """Send once. Never raises for what the service or the network does.

        A thread cannot be stopped: one that is too slow keeps its place until it ends, and only
        the waiting for it is over.
        """
        await self._free.acquire()
        loop = asyncio.get_running_loop()
        sending = loop.run_in_executor(self._threads, self._send, url, words)
        sending.add_done_callback(lambda _: self._free.release())
        try:
            async with asyncio.timeout(self._limits.notify_timeout_s):
                return await asyncio.shield(sending)
        except TimeoutError:
            return Outcome("failed", f"no answer within {self._limits.notify_timeout_s} s")

    def close(self) -> None:
        """Let go of the threads, without waiting for what is under way."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _send(self, url: str, words: Words) -> Outcome:
        _apprise()  # outside, because importing it is ours to do
        _sayings.take()
        with confined(self._guard):
            try:
                sent = self._say(url, words)
                error = None if sent else _sayings.take() or "the service did not take it"
            except Exception as raised:  # noqa: BLE001 - a plugin may run into anything
                error = f"the service failed: {type(raised).__name__}"
            error = error and (refusal() or error)[:_SHOWN_CHARS]
        return OK if error is None else Outcome("failed", error)

    def _say(self, url: str, words: Words) -> bool:
        found = _plugin(url, self._limits)
        if found is None:
            return False
        kind = _TYPES.get(words.kind, "info")
        body = f"{words.text}\n{words.link}".strip()
        return bool(
            found.notify(body=body, title=words.title, notify_type=kind, body_format="text")
        )
