"""Nod: alarms for AI agents, and a way for them to reach their people."""

import importlib
from typing import TYPE_CHECKING, Any

from nod.version import __version__

if TYPE_CHECKING:
    from nod.client.agent import Agent
    from nod.client.async_client import AsyncClient
    from nod.client.client import Client
    from nod.client.errors import (
        ApiError,
        AuthError,
        BadRequest,
        ConfigError,
        Conflict,
        ConnectError,
        Forbidden,
        NodError,
        NotFound,
        RateLimited,
        ServerError,
        TooLarge,
        WebhookVerificationError,
    )
    from nod.client.handlers import Message
    from nod.client.run import Answer, BlockingRun, Run
    from nod.client.webhooks import verify_webhook

# Where each name lives. It is imported when it is first asked for, so that `import nod` and
# `nod --help` cost next to nothing.
_HOME = {
    "Agent": "nod.client.agent",
    "Answer": "nod.client.run",
    "AsyncClient": "nod.client.async_client",
    "BlockingRun": "nod.client.run",
    "Client": "nod.client.client",
    "Message": "nod.client.handlers",
    "Run": "nod.client.run",
    "verify_webhook": "nod.client.webhooks",
    "ApiError": "nod.client.errors",
    "AuthError": "nod.client.errors",
    "BadRequest": "nod.client.errors",
    "ConfigError": "nod.client.errors",
    "Conflict": "nod.client.errors",
    "ConnectError": "nod.client.errors",
    "Forbidden": "nod.client.errors",
    "NodError": "nod.client.errors",
    "NotFound": "nod.client.errors",
    "RateLimited": "nod.client.errors",
    "ServerError": "nod.client.errors",
    "TooLarge": "nod.client.errors",
    "WebhookVerificationError": "nod.client.errors",
}

__all__ = [
    "Agent",
    "Answer",
    "ApiError",
    "AsyncClient",
    "AuthError",
    "BadRequest",
    "BlockingRun",
    "Client",
    "ConfigError",
    "Conflict",
    "ConnectError",
    "Forbidden",
    "Message",
    "NodError",
    "NotFound",
    "RateLimited",
    "Run",
    "ServerError",
    "TooLarge",
    "WebhookVerificationError",
    "__version__",
    "verify_webhook",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'nod' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
