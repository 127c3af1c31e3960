"""A file held by one process at a time. The kernel lets go of it when the process ends, however."""

import os
import sys
from pathlib import Path

from nod.domain.errors import Unavailable

if sys.platform == "win32":
    import msvcrt

    def _take(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _take(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


class FileLock:
    """The lock of one file, taken by making the object. Raises BlockingIOError if it is held."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _take(self._descriptor)
        except OSError as error:
            os.close(self._descriptor)
            raise BlockingIOError(f"{path} is locked") from error

    def release(self) -> None:
        """Let go. The file stays: removing it would let two processes lock two files."""
        os.close(self._descriptor)


def lock_database(path: Path) -> FileLock:
    """The lock that a server holds on its database file. Raises Unavailable while another does."""
    try:
        return FileLock(path.with_name(path.name + ".lock"))
    except BlockingIOError:
        raise Unavailable(
            f"another Nod is using {path}; stop it first, or name another database"
        ) from None
