"""Which of the worker's environment variables a command gets."""

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from nod.client.asking import ASKED_FILE
from nod.client.settings import Settings

# `nod-task-output` touches the file this names, so that the worker leaves the output alone.
OUTPUT_MARKER = "NOD_OUTPUT_MARKER"
# Carried by everything a command starts, so that all of it can be found and ended.
WORK_ID = "NOD_WORK_ID"

_OURS = (
    "NOD_PAYLOAD_FILE",
    "NOD_TRIGGER_FILE",
    "NOD_CONTEXT_FILE",
    "TRACEPARENT",
    "TRACESTATE",
    OUTPUT_MARKER,
    ASKED_FILE,
)
# What a program needs to run at all and to find its own settings; none of it is a secret.
_BASICS = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "TZ", "TMPDIR", "LANG", "LANGUAGE")
_BASIC_BEGINNINGS = ("LC_", "XDG_", "SSL_CERT_")


def inherited(allowed: Sequence[str] | None) -> dict[str, str]:
    """The variables passed on, with `nod` on the path. `allowed` None: all but another run's."""
    found = {key: value for key, value in os.environ.items() if _passes(key, allowed)}
    if shutil.which("nod") is None:
        scripts = str(Path(sys.executable).parent)
        found["PATH"] = os.pathsep.join([found.get("PATH", os.defpath), scripts])
    return found


def _passes(name: str, allowed: Sequence[str] | None) -> bool:
    if name in _OURS:
        return False
    return allowed is None or (
        name in _BASICS or name.startswith(_BASIC_BEGINNINGS) or name in allowed
    )


def credentials(settings: Settings) -> dict[str, str]:
    """With which the agent's own commands work inside."""
    return {
        "NOD_API_URL": settings.url,
        "NOD_AGENT_ID": settings.agent_id,
        "NOD_SECRET": settings.secret,
    }
