"""The door of a server that is an engine only: probes and figures, and nothing else."""

from typing import Any

import msgspec

from nod.api import health

_PATHS = frozenset(path for each in health.routes for path in each.paths)
_DETAIL = "this server is an engine: ask one with NOD_ROLE=api or all"
_TRY_LATER = 1013
_BODY = msgspec.json.encode({"detail": _DETAIL})
_HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(_BODY))]


class OnlyProbes:
    """Lets through to `app` what asks how the server is."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await receive()  # websocket.connect
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.close", "code": _TRY_LATER, "reason": _DETAIL})
        elif scope["path"] in _PATHS:
            await self._app(scope, receive, send)
        else:
            await send({"type": "http.response.start", "status": 404, "headers": _HEADERS})
            await send({"type": "http.response.body", "body": _BODY})
