"""A real `nod serve` in a process of its own, on a free port and an empty data directory."""

import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nod.actions import accounts, agents
from nod.actions.agents import Credentials
from nod.clock import SystemClock
from nod.config import load
from nod.delivery.address_guard import AddressGuard
from nod.opening import open_database
from nod.secrets import Vault, load_secret_key
from nod.store.store import Store, Tx
from support.seen import seen


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_listening(port: int) -> bool:
    """Whether somebody on this machine takes connections on the port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@dataclass
class RunningServer:
    """`nod serve`, to be started, stopped, killed and started again on the same data."""

    data_dir: Path
    environ: Mapping[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        """What the server has logged so far."""
        return (self.data_dir / "serve.log").read_text(encoding="utf-8", errors="replace")

    def _environ(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("NOD_")}
        ours = {
            "NOD_DATA_DIR": str(self.data_dir),
            "NOD_PORT": str(self.port),
            "NOD_ALLOW_WEBHOOK_NETS": "127.0.0.0/8",
        }
        return {**kept, **ours, **self.environ}

    def start(self) -> "RunningServer":
        """Start it and return when it is ready."""
        self.data_dir.mkdir(parents=True, exist_ok=True)
        with (self.data_dir / "serve.log").open("ab") as log:
            self.process = subprocess.Popen(
                [str(Path(sys.executable).with_name("nod")), "serve"],
                env=self._environ(),
                stdout=log,
                stderr=log,
            )
        seen(self._is_ready, f"nod serve, which logs to {self.data_dir}")
        return self

    def _is_ready(self) -> bool | None:
        assert self.process is not None
        assert self.process.poll() is None, f"nod serve did not start:\n{self.log}"
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=1) as answer:  # noqa: S310
                return bool(answer.status == 200) or None
        except (urllib.error.URLError, OSError):
            return None

    def stop(self) -> int:
        """SIGTERM, and the exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=15)

    def kill(self) -> None:
        """kill -9."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    async def add_agent(self, name: str = "Ada", **given: Any) -> Credentials:
        """An agent of the first account, made beside the server as `nod agents add` does."""
        settings = load(self._environ(), {})
        vault = Vault(load_secret_key(settings.secret_key, settings.data_dir))
        guard = AddressGuard(settings.allow_webhook_nets)
        store = Store(open_database(settings, exclusive=False), SystemClock(), settings.limits)
        await store.start()

        async def add(tx: Tx) -> Credentials:
            owner = await tx.people.first_user()
            if owner is None:
                owner = await accounts.create_user(tx, "ann@example.org", "no password", "Ann")
            return await agents.create_agent(tx, vault, guard, owner, name, **given)

        try:
            return await store.write(add)
        finally:
            await store.close()
