"""Running a library's code in a thread from which it reaches the open internet and nothing else.

Apprise's plugins are chosen and steered by URLs that people enter. Some options of theirs name
local files, and each may be pointed, or redirected, at an address inside. Instead of trusting a
list of them, what they do is looked at where it happens: Python tells an audit hook (PEP 578) of
every connection, file and process before it is made, and the hook refuses. It cannot be taken
off again, so it is installed when a confined thread is first needed, and asks only those threads.
"""

import mimetypes
import site
import sys
import sysconfig
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from nod.delivery.address_guard import AddressGuard, Refused, as_address

_NO_PROCESSES = (
    "_thread.start_new_thread",
    "ctypes.dlopen",
    "os.exec",
    "os.fork",
    "os.posix_spawn",
    "os.spawn",
    "os.startfile",
    "os.system",
    "subprocess.Popen",
)
_CONNECTIONS = ("socket.connect", "socket.sendto", "socket.sendmsg", "socket.bind")


class _Confinement(threading.local):
    """What the present thread may do; `guard` is None where it is free."""

    guard: AddressGuard | None = None
    refused: str | None = None


_here = _Confinement()
_install = threading.Lock()
_installed: list[bool] = []


@contextmanager
def confined(guard: AddressGuard) -> Iterator[None]:
    """Confine the thread: connections as the guard allows, no files but Python's, no processes."""
    with _install:
        if not _installed:
            sys.addaudithook(_audit)
            _installed.append(True)
    _here.guard, _here.refused = guard, None
    try:
        yield
    finally:
        _here.guard = None


def refusal() -> str | None:
    """What was first refused to the present thread; None when nothing was."""
    return _here.refused


def _audit(event: str, args: tuple[Any, ...]) -> None:
    guard = _here.guard
    if guard is None:
        return
    if event in _CONNECTIONS:
        _check_address(guard, args[1])
    elif event == "open":
        _check_file(args[0])
    elif event in _NO_PROCESSES:
        _refuse("this Apprise service would start a program or a thread of its own")


def _check_address(guard: AddressGuard, address: object) -> None:
    host = address[0] if isinstance(address, tuple) and address else None
    ip = as_address(host) if isinstance(host, str) else None
    if ip is None:
        _refuse("this Apprise service does not use an internet address")
    try:
        guard.check(ip)
    except Refused as error:
        _refuse(error.detail)


def _check_file(path: object) -> None:
    if isinstance(path, str) and not _is_of_python(path):
        _refuse("this Apprise URL names a local file, and those are not read")


def _is_of_python(path: str) -> bool:
    if path in mimetypes.knownfiles:
        return True
    real = Path(path).resolve()
    return any(real.is_relative_to(root) for root in _ROOTS)


def _refuse(why: str) -> NoReturn:
    _here.refused = _here.refused or why
    raise PermissionError(why)


def _python_roots() -> tuple[Path, ...]:
    paths = sysconfig.get_paths()
    named = {paths["stdlib"], paths["platstdlib"], paths["purelib"], paths["platlib"]}
    return tuple(Path(each).resolve() for each in named | set(site.getsitepackages()))


_ROOTS = _python_roots()
