"""Which server, and who is asking."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from nod.client.errors import ConfigError

DEFAULT_URL = "http://localhost:8000"


@dataclass(frozen=True, slots=True)
class Settings:
    """The server's address and the agent's credentials. The secret stays out of `repr`."""

    url: str
    agent_id: str
    secret: str = field(repr=False)

    @property
    def headers(self) -> dict[str, str]:
        """What every request of the agent carries."""
        return {"X-Nod-Agent-Id": self.agent_id, "X-Nod-Secret": self.secret}

    @property
    def socket_url(self) -> str:
        """Where the agent's WebSocket is: `wss://` for `https://`."""
        return f"ws{self.url.removeprefix('http')}/ws/agent/{self.agent_id}"


def resolve(
    url: str | None = None,
    agent_id: str | None = None,
    secret: str | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Settings:
    """What was given, else NOD_API_URL, NOD_AGENT_ID and NOD_SECRET.

    Raises ConfigError that says which of them is missing or cannot be used.
    """
    return Settings(
        url=_server(url or environ.get("NOD_API_URL") or DEFAULT_URL),
        agent_id=_credential("NOD_AGENT_ID", agent_id or environ.get("NOD_AGENT_ID")),
        secret=_credential("NOD_SECRET", secret or environ.get("NOD_SECRET")),
    )


def _server(url: str) -> str:
    try:
        parts = urlsplit(url.strip())
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ConfigError(f"NOD_API_URL must be like https://nod.example.org; got {url[:200]!r}")
    return url.strip().rstrip("/")


def _credential(name: str, value: str | None) -> str:
    text = (value or "").strip()
    if not text:
        raise ConfigError(
            f"{name} is not set. `nod agents add NAME` on the server prints the agent's id and"
            " secret; put them into NOD_AGENT_ID and NOD_SECRET"
        )
    if not text.isascii() or not text.isprintable() or " " in text or "/" in text:
        raise ConfigError(f"{name} holds characters that no id or secret of Nod has")
    return text
