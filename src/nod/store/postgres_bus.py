"""Hints between the nodes on one PostgreSQL, by LISTEN and NOTIFY on a connection of their own.

They are told after the commit, not within it: PostgreSQL lets transactions that notify commit only
one after the other. What comes up while one message is on its way goes out together in the next.
"""

import asyncio
import contextlib
from typing import Any

import asyncpg
import structlog

from nod.bus.hints import Heard, Hints, pieces, read_piece
from nod.store.postgres_errors import translate
from nod.store.postgres_pool import connect

CHANNEL = "nod"
ANYTHING = ""
"""What a command says beside the servers: anything may have changed."""

_log = structlog.get_logger("nod.bus")
_TELL = f"SELECT pg_notify('{CHANNEL}', piece) FROM unnest(CAST($1 AS TEXT[])) AS piece"  # noqa: S608 - our own name
_MOST_BYTES = 7_900  # PostgreSQL takes less than 8000
_AGAIN_S = 1.0
_PULSE_S = 10.0  # so that a line that was cut is noticed without anything to tell
_ANSWER_S = 5.0


class PostgresBus:
    """A `bus.hints.Bus` on the database itself. Its connection is one more than the pool's."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._heard: Heard = lambda _: None
        self._untold = Hints()
        self._woken = asyncio.Event()
        self._closing = False
        self._is_there = True
        self._task: asyncio.Task[None] | None = None

    def start(self, heard: Heard) -> None:
        """See `bus.hints.Bus.start`."""
        self._heard = heard
        self._task = asyncio.create_task(self._run(), name="bus")

    def tell(self, hints: Hints) -> None:
        """See `bus.hints.Bus.tell`."""
        self._untold.add(hints)
        self._woken.set()

    async def close(self) -> None:
        """See `bus.hints.Bus.close`."""
        self._closing = True
        self._woken.set()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=_ANSWER_S)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while not self._closing:
            try:
                await self._connected()
            except Exception as error:  # noqa: BLE001 - the bus goes on, whatever it runs into
                self._is_away(error)
                await asyncio.sleep(_AGAIN_S)

    async def _connected(self) -> None:
        """Listen and tell until the connection is lost."""
        connection = await connect(self._url)
        try:
            await connection.add_listener(CHANNEL, self._has_heard)
            connection.add_termination_listener(lambda _: self._woken.set())
            self._has_come()
            while not self._closing:
                await self._tell(connection)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_PULSE_S):
                        await self._woken.wait()
            await self._tell(connection)
        finally:
            connection.terminate()

    async def _tell(self, connection: Any) -> None:
        self._woken.clear()
        told, self._untold = self._untold, Hints()
        try:
            await connection.execute(_TELL, list(pieces(told, _MOST_BYTES)), timeout=_ANSWER_S)
        except BaseException:
            self._untold.add(told)
            raise

    def _has_heard(self, connection: Any, pid: int, _channel: str, payload: object) -> None:
        if pid != connection.get_server_pid():
            text = str(payload)
            self._heard(Hints(everything=True) if text == ANYTHING else read_piece(text))

    def _has_come(self) -> None:
        """The connection is there; what was told before, it has not heard."""
        self._heard(Hints(everything=True))
        if not self._is_there:
            self._is_there = True
            _log.info("the bus is back")

    def _is_away(self, error: Exception) -> None:
        known = translate(error)
        if not isinstance(error, asyncpg.PostgresError | OSError | TimeoutError) and known is error:
            _log.exception("the bus failed and goes on")
        elif self._is_there:
            self._is_there = False
            _log.warning("the bus is away; other nodes' changes are seen later", reason=str(known))
