"""What the demo's agent runs: a report on this machine, or on the call that started the run.

No model, no network, nothing but the standard library: `nod work -- python -m nod.cli.demo_report`.
"""

import json
import os
import platform
import shutil
import sys
from pathlib import Path
from typing import Any

_GIB = 1024**3
_MOST_FIELDS = 20
_MOST_CHARS = 80


def main() -> None:
    """Writes Markdown to standard output, which becomes the run's result."""
    payload = os.environ.get("NOD_PAYLOAD_FILE")
    print(machine() if payload is None else call(Path(payload)))


def machine() -> str:
    """Disk, load, memory and uptime of this machine, where it tells them."""
    rows = {
        "Disk": _disk(),
        "Load": _load(),
        "Memory": _memory(),
        "Up for": _uptime(),
        "System": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
    }
    known = {name: value for name, value in rows.items() if value}
    return f"## {_plain(platform.node() or 'This machine')}\n\n{_list(known)}"


def call(payload_file: Path) -> str:
    """What somebody sent to the trigger's address."""
    payload = json.loads(payload_file.read_text(encoding="utf-8"))
    about = json.loads(Path(os.environ["NOD_TRIGGER_FILE"]).read_text(encoding="utf-8"))
    rows = {
        "From": _plain(str(about.get("source", "unknown"))),
        "Size": f"{payload_file.stat().st_size} bytes",
        "Kind": _kind(payload),
    }
    if isinstance(payload, dict):
        rows |= {f"`{_plain(key)}`": _shown(payload[key]) for key in list(payload)[:_MOST_FIELDS]}
    return f"## A call came in\n\n{_list(rows)}"


def _list(rows: dict[str, str]) -> str:
    return "\n".join(f"- **{name}**: {value}" for name, value in rows.items())


def _disk() -> str:
    usage = shutil.disk_usage(Path.home().anchor)
    full = usage.used / usage.total
    return f"{usage.free / _GIB:.1f} GiB free of {usage.total / _GIB:.1f} ({full:.0%} used)"


def _load() -> str:
    if sys.platform == "win32":
        return ""
    one, five, fifteen = os.getloadavg()
    return f"{one:.2f}, {five:.2f}, {fifteen:.2f} on {os.cpu_count()} processors"


def _memory() -> str:
    """From Linux's /proc/meminfo; elsewhere only how much there is."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        kib = {name: int(value.split()[0]) for name, _, value in (x.partition(":") for x in lines)}
        free, total = kib["MemAvailable"] * 1024, kib["MemTotal"] * 1024
    except (OSError, KeyError, ValueError):
        return _memory_total()
    return f"{free / _GIB:.1f} GiB available of {total / _GIB:.1f}"


def _memory_total() -> str:
    try:
        return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / _GIB:.1f} GiB"
    except (AttributeError, OSError, ValueError):
        return ""


def _uptime() -> str:
    try:
        seconds = float(Path("/proc/uptime").read_text(encoding="ascii").split()[0])
    except (OSError, ValueError):
        return ""
    days, rest = divmod(int(seconds), 86_400)
    hours, minutes = rest // 3_600, rest % 3_600 // 60
    return f"{days} d {hours} h {minutes} min"


def _kind(value: Any) -> str:
    match value:
        case dict():
            return f"object with {len(value)} fields"
        case list():
            return f"list of {len(value)}"
        case _:
            return type(value).__name__


def _shown(value: Any) -> str:
    if isinstance(value, dict | list):
        return _kind(value)
    text = json.dumps(value, ensure_ascii=False)
    return f"`{_plain(text)}`"


def _plain(text: str) -> str:
    """Text on one line that cannot end the code it stands in."""
    line = " ".join(text.replace("`", "'").split())
    return line if len(line) <= _MOST_CHARS else f"{line[:_MOST_CHARS]}…"


if __name__ == "__main__":
    main()
