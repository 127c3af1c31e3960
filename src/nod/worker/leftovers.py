"""Everything a command has started, wherever it has gone.

A process that makes a session of its own leaves the command's process group. What it cannot leave
by that is its environment: all that a command starts carries its work id. On Linux `/proc` shows
it. Elsewhere only the process group is known.
"""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

from nod.worker.environment import WORK_ID

_PROC = Path("/proc")
CAN_BE_FOUND = (_PROC / "self" / "environ").exists()
# New ones may be started while others are ended.
_ROUNDS = 20


def signal_all(work_id: str, number: signal.Signals) -> bool:
    """Sends a signal to all processes with the work id. Whether there was one."""
    found = list(_carrying(work_id))
    for pid in found:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue  # it has ended by itself
    return bool(found)


def end_all(work_id: str) -> None:
    """Ends all processes with the work id at once."""
    for _ in range(_ROUNDS):
        if not signal_all(work_id, signal.SIGKILL):
            return


def _carrying(work_id: str) -> Iterator[int]:
    wanted = f"{WORK_ID}={work_id}".encode()
    for folder in _PROC.glob("[0-9]*") if CAN_BE_FOUND else ():
        try:
            # Empty for a zombie, so one that has been ended is not found again.
            variables = (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            continue  # gone, or another user's
        if wanted in variables and int(folder.name) != os.getpid():
            yield int(folder.name)
