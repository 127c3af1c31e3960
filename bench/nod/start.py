"""How long an agent's program and the command line take before they do anything."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from bench.child import Work
from bench.sample import Sample

_TIMED = "import time; t = time.perf_counter(); {}; print(time.perf_counter() - t)"
IMPORTS = {
    "package": "import nod",
    "client": "from nod import Client",
    "agent": "from nod import Agent",
}


async def start(work: Work) -> Sample:
    """Medians of `work.jobs` starts, in milliseconds. What is read from the disk is warm."""
    return await asyncio.to_thread(measured, work.jobs)


def measured(times: int) -> Sample:
    """The same, blocking."""
    figures = {name: [imported(code) for _ in range(times)] for name, code in IMPORTS.items()}
    figures["help"] = [answered() for _ in range(times)]
    return {name: median(values) * 1000 for name, values in figures.items()}


def imported(code: str) -> float:
    """Seconds that an import takes in a Python that has just been started."""
    command = [sys.executable, "-c", _TIMED.format(code)]
    return float(subprocess.run(command, capture_output=True, check=True).stdout)


def answered() -> float:
    """Seconds until `nod --help` has answered, from its start to its end."""
    command = [str(Path(sys.executable).with_name("nod")), "--help"]
    began = time.perf_counter()
    subprocess.run(command, capture_output=True, check=True)
    return time.perf_counter() - began
