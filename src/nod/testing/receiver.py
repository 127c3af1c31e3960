"""A webhook endpoint on a real socket that keeps what it is sent."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from nod.client.errors import WebhookVerificationError
from nod.client.types import Event
from nod.client.webhooks import verify_webhook


@dataclass(frozen=True, slots=True)
class Call:
    """One verified call: its headers, their names in lower case, and the event."""

    headers: dict[str, str]
    event: Event


@dataclass
class Receiver:
    """`calls` have come, and are Nod's; `refused` says why others were answered 401.

    Verified calls are answered with `status`.
    """

    secret: str
    now: Callable[[], float]
    url: str = ""
    status: int = 200
    calls: list[Call] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    # Calls come in other threads.
    _came: threading.Condition = field(default_factory=threading.Condition, repr=False)

    def event(self, kind: str, *, timeout_s: float = 10.0) -> Event:
        """The first event of that type, such as `task_due`, once it has come."""
        with self._came:
            found = self._came.wait_for(lambda: self._first(kind), timeout_s)
        if found is None:
            raise TimeoutError(f"no {kind} has come within {timeout_s:g} s: {self.refused}")
        return found

    def take(self, headers: dict[str, str], body: bytes) -> int:
        """Keeps a call. Returns the status to answer with."""
        try:
            event = verify_webhook(body, headers, self.secret, now=self.now())
        except WebhookVerificationError as error:
            self.refused.append(error.detail)
            return 401
        with self._came:
            self.calls.append(Call(headers, event))
            self._came.notify_all()
        return self.status

    def _first(self, kind: str) -> Event | None:
        return next((call.event for call in self.calls if call.event["type"] == kind), None)


@contextmanager
def receiving(secret: str, now: Callable[[], float]) -> Iterator[Receiver]:
    """A receiver for the agent with that secret; `now` is unix seconds on the server's clock."""
    receiver = Receiver(secret, now)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers.get("content-length", "0")))
            self.send_response(receiver.take(headers, body))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Says nothing: the test has the calls."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_port}/"
    thread = threading.Thread(target=server.serve_forever, args=[0.01], name="nod.testing receiver")
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
