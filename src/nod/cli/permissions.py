"""What a request for permission is called, and by which patterns it may be allowed for good.

A rule of the server is a pattern in exactly these words, and whoever asks says which patterns a
request falls under. So a pattern that allows more than the one request is only offered where the
request cannot hide another: one plain command, one file in the folder, one host.
"""

import re
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from nod.client.types import AlwaysAllow

_CHARS = 300
_TITLE_CHARS = 200
# `word sub …` without anything that a shell would take for more than one command.
_PLAIN = re.compile(r"([a-z][\w.-]*) ([a-z][a-z-]*)( [\w@%+=:,./ -]*)?", re.ASCII)
# These run what follows them, whatever it is.
_RUNNERS = frozenset(
    (
        *("ash", "bash", "dash", "fish", "ksh", "sh", "tcsh", "zsh"),
        *("awk", "bun", "deno", "lua", "node", "npx", "perl", "php", "python", "python3", "ruby"),
        *("builtin", "command", "doas", "env", "eval", "exec", "nice", "nohup", "su", "sudo"),
        *("docker", "find", "make", "podman", "ssh", "time", "timeout", "uv", "watch", "xargs"),
    )
)
EDITS = ("Edit", "MultiEdit", "Write", "NotebookEdit")


def title_of(asked: dict[str, Any]) -> str:
    """One line that says what is to be done."""
    tool, given = asked["tool_name"], _input(asked)
    about = next((each for each in _telling(given) if each), "")
    line = " ".join(f"{tool}: {about}".split() if about else [tool])
    return line if len(line) <= _TITLE_CHARS else line[: _TITLE_CHARS - 1] + "…"


def patterns_of(asked: dict[str, Any]) -> list[AlwaysAllow]:
    """The patterns offered, the narrowest first."""
    tool, given = asked["tool_name"], _input(asked)
    if tool == "Bash":
        found = _commands(_text(given, "command"))
    elif tool in EDITS:
        found = _files(_text(given, "file_path", "notebook_path"), _text(asked, "cwd"))
    elif tool == "WebFetch":
        found = _hosts(_text(given, "url"))
    elif tool == "WebSearch" or tool.startswith("mcp__"):
        found = [(tool, f"Every use of {tool}")]
    else:
        found = []
    return [
        {"pattern": pattern, "label": label} for pattern, label in found if len(pattern) <= _CHARS
    ]


def _commands(command: str) -> list[tuple[str, str]]:
    found = _PLAIN.fullmatch(command.strip())
    if found is None or found[1] in _RUNNERS:
        return []
    beginning = f"{found[1]} {found[2]}"
    return [(f"Bash({beginning}:*)", f"Every plain {beginning} …")]


def _files(path: str, folder: str) -> list[tuple[str, str]]:
    place, inside = PurePosixPath(path), PurePosixPath(folder)
    if not (place.is_absolute() and inside.is_absolute()) or ".." in place.parts:
        return []
    # Settings of a program in a hidden folder decide what it may do: never by a wide pattern.
    hidden = any(part.startswith(".") for part in place.parts)
    if not place.is_relative_to(inside) or hidden or len(inside.parts) < 2:
        return []
    return [(f"Edit({inside}/**)", f"Every change of files in {inside}")]


def _hosts(url: str) -> list[tuple[str, str]]:
    try:
        parts = urlsplit(url)
    except ValueError:
        return []
    if parts.scheme != "https" or not parts.hostname or "@" in parts.netloc:
        return []
    return [(f"WebFetch(domain:{parts.hostname})", f"Everything from {parts.hostname}")]


def _telling(given: dict[str, Any]) -> list[str]:
    names = ("command", "file_path", "notebook_path", "url", "query", "description", "prompt")
    return [_text(given, name) for name in names]


def _input(asked: dict[str, Any]) -> dict[str, Any]:
    given = asked.get("tool_input")
    return given if isinstance(given, dict) else {}


def _text(given: dict[str, Any], *names: str) -> str:
    """The first of the fields that is a text."""
    return next((given[name] for name in names if isinstance(given.get(name), str)), "")
