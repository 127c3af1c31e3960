"""The files of a service of the user: a systemd unit on Linux, a launchd agent on macOS."""

import os
import plistlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from nod.cli.failure import Failure

Environment = Mapping[str, str]
Steps = list[list[str]]

_MARK = "Written by `nod work install`"


class Service(Protocol):
    """A service by its name. `secrets` is the file that only its user can read."""

    file: Path
    secrets: Path
    hint: str

    def write(self, command: Sequence[str], environment: Environment) -> None:
        """Writes its files. Fails if another's are there."""

    def is_ours(self) -> bool:
        """Whether it is there, and Nod has written it."""

    def remove(self) -> None:
        """Removes its files."""

    def start(self) -> Steps:
        """What to call so that it runs, now and from now on."""

    def stop(self) -> Steps:
        """What to call so that it runs no more."""

    def after_removal(self) -> Steps:
        """What to call when its files are gone."""

    def status(self) -> list[str]:
        """What to call to see how it is."""

    def logs(self, *, follow: bool) -> list[str]:
        """What to call to see what it has logged."""


class _Files:
    file: Path
    secrets: Path
    hint = ""

    def is_ours(self) -> bool:
        return self.file.exists() and not _is_anothers(self.file)

    def remove(self) -> None:
        self.file.unlink(missing_ok=True)
        self.secrets.unlink(missing_ok=True)

    def _put(self, text: str, secrets: str) -> None:
        for path in (self.file, self.secrets):
            if _is_anothers(path):
                raise Failure(f"{path} is there and not Nod's: give another --name")
        _write(self.secrets, f"# {_MARK}.\n{secrets}", 0o600)
        _write(self.file, text, 0o644)


class Systemd(_Files):
    """A unit of the user's systemd: systemd.service(5), systemd.exec(5)."""

    hint = "It runs while you are logged in; always: loginctl enable-linger"

    def __init__(self, name: str) -> None:
        base = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
        self._unit = f"{name}.service"
        self.file = base / "systemd" / "user" / self._unit
        self.secrets = base / "nod" / f"{name}.env"

    def write(self, command: Sequence[str], environment: Environment) -> None:
        """Writes the unit and its environment file."""
        lines = [f"{name}={_quoted(value)}\n" for name, value in environment.items()]
        unit = _UNIT.format(
            command=_exec(command), folder=_plain(Path.cwd()), secrets=_plain(self.secrets)
        )
        self._put(unit, "".join(lines))

    def start(self) -> Steps:
        """Now and at each login."""
        return [_RELOAD, ["systemctl", "--user", "enable", "--now", self._unit]]

    def stop(self) -> Steps:
        """Now and at the next login."""
        return [["systemctl", "--user", "disable", "--now", self._unit]]

    def after_removal(self) -> Steps:
        """So that systemd forgets it."""
        return [_RELOAD]

    def status(self) -> list[str]:
        """With the last lines of its log."""
        return ["systemctl", "--user", "status", "--no-pager", self._unit]

    def logs(self, *, follow: bool) -> list[str]:
        """The journal's lines about it."""
        more = ["--follow"] if follow else ["--no-pager"]
        return ["journalctl", "--user", "--unit", self._unit, *more]


_RELOAD = ["systemctl", "--user", "daemon-reload"]
_UNIT = f"""\
# {_MARK}; `nod work uninstall` removes it.
[Unit]
Description=Nod worker
Documentation=man:systemd.service(5)
After=network-online.target

[Service]
ExecStart={{command}}
WorkingDirectory={{folder}}
EnvironmentFile={{secrets}}
Restart=on-failure
RestartSec=5
# A command line that is wrong does not get better.
RestartPreventExitStatus=2
# The worker gives commands their grace and reports; they are in its control group.
KillMode=mixed
TimeoutStopSec=60

[Install]
WantedBy=default.target
"""


class Launchd(_Files):
    """An agent of launchd: launchd.plist(5). A shell reads the environment, since it cannot."""

    def __init__(self, name: str) -> None:
        home = Path.home()
        self._label = f"nod.{name}"
        self.file = home / "Library" / "LaunchAgents" / f"{self._label}.plist"
        self.secrets = home / ".config" / "nod" / f"{name}.env"
        self._log = home / "Library" / "Logs" / f"{self._label}.log"

    def write(self, command: Sequence[str], environment: Environment) -> None:
        """Writes the agent and its environment file."""
        script = 'set -a; . "$0"; set +a; exec "$@"'
        agent: dict[str, Any] = {
            "Label": self._label,
            "ProgramArguments": ["/bin/sh", "-c", script, str(self.secrets), *command],
            "WorkingDirectory": str(Path.cwd()),
            "RunAtLoad": True,
            "KeepAlive": {"SuccessfulExit": False},
            "ExitTimeOut": 60,
            "ProcessType": "Background",
            "StandardOutPath": str(self._log),
            "StandardErrorPath": str(self._log),
        }
        text = plistlib.dumps(agent, sort_keys=False).decode()
        head, _, rest = text.partition("<plist")
        lines = [f"{name}={_shell(value)}\n" for name, value in environment.items()]
        self._put(f"{head}<!-- {_MARK} -->\n<plist{rest}", "".join(lines))

    def start(self) -> Steps:
        """Now and at each login."""
        return [["launchctl", "load", "-w", str(self.file)]]

    def stop(self) -> Steps:
        """Now and at the next login."""
        return [["launchctl", "unload", "-w", str(self.file)]]

    def after_removal(self) -> Steps:
        """Nothing: launchd has forgotten it already."""
        return []

    def status(self) -> list[str]:
        """Its process and its last exit status."""
        return ["launchctl", "list", self._label]

    def logs(self, *, follow: bool) -> list[str]:
        """The end of its log file."""
        return ["tail", "-n", "200", *(["-f"] if follow else []), str(self._log)]


def _exec(command: Sequence[str]) -> str:
    """A command line of systemd, in which nothing is replaced: systemd.service(5)."""
    return " ".join(_quoted(word).replace("%", "%%").replace("$", "$$") for word in command)


def _plain(path: Path) -> str:
    """A path that is the whole of a setting."""
    return str(path).replace("%", "%%")


def _quoted(value: str) -> str:
    """A value as systemd reads it back, in a unit and in an environment file."""
    if "\n" in value or "\0" in value:
        raise Failure("a value with a line break cannot be given to a service")
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _shell(value: str) -> str:
    """A value as a shell reads it back."""
    return "'" + value.replace("'", "'\\''") + "'"


def _is_anothers(path: Path) -> bool:
    return path.exists() and _MARK not in path.read_text(errors="replace")


def _write(path: Path, text: str, mode: int) -> None:
    """Puts a file in place, whole, and never for a moment open to others if it may not be."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    new.replace(path)
