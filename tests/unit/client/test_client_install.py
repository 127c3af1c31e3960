"""What an agent's machine gets by `pip install nod-tasks`, and what it loads of that."""

import subprocess
import sys
from importlib.metadata import distribution

from packaging.requirements import Requirement

MOST = 10


def _brings(name: str) -> set[str]:
    """Whatever the package requires, without extras, for this Python and system."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        for each in map(Requirement, distribution(waiting.pop()).requires or []):
            is_needed = each.marker is None or each.marker.evaluate({"extra": ""})
            if is_needed and each.name not in found:
                found.add(each.name)
                waiting.append(each.name)
    return found


def test_the_install_for_agents_brings_fewer_than_ten_packages() -> None:
    assert len(_brings("nod-tasks")) < MOST


def _loaded(code: str) -> set[str]:
    shown = f"{code}\nimport sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", shown], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in done.stdout.split()}


def test_importing_the_package_loads_nothing_that_is_slow_to_load() -> None:
    assert _loaded("import nod") & {"asyncio", "httpx", "websockets", "click", "litestar"} == set()
    of_agents = _loaded("from nod import Agent, AsyncClient, Client, Run")
    assert of_agents & {"httpx", "websockets", "click", "litestar", "msgspec", "structlog"} == set()
