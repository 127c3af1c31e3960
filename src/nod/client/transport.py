"""Requests over HTTP with httpx. The only module of the client that knows httpx."""

from typing import Any

import httpx

from nod.client.answers import Answer
from nod.client.errors import ConnectError
from nod.client.requests import Request
from nod.client.settings import Settings
from nod.version import __version__

_CONNECT_S = 10.0


class Blocking:
    """Sends requests and waits for their answers."""

    def __init__(self, settings: Settings, http: httpx.Client | None) -> None:
        self._settings = settings
        self._http = http or httpx.Client()
        self._owned = http is None

    def send(self, request: Request[Any]) -> Answer | ConnectError:
        """The answer, or why there is none."""
        try:
            return _answer(self._http.request(**_arguments(self._settings, request)))
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return _unreachable(self._settings, error)

    def close(self) -> None:
        """Closes the connections, unless they are the caller's."""
        if self._owned:
            self._http.close()


class Async:
    """The same on asyncio."""

    def __init__(self, settings: Settings, http: httpx.AsyncClient | None) -> None:
        self._settings = settings
        self._http = http or httpx.AsyncClient()
        self._owned = http is None

    async def send(self, request: Request[Any]) -> Answer | ConnectError:
        """The answer, or why there is none."""
        try:
            return _answer(await self._http.request(**_arguments(self._settings, request)))
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return _unreachable(self._settings, error)

    async def close(self) -> None:
        """Closes the connections, unless they are the caller's."""
        if self._owned:
            await self._http.aclose()


def _arguments(settings: Settings, request: Request[Any]) -> dict[str, Any]:
    return {
        "method": request.method,
        "url": settings.url + request.path,
        "params": dict(request.params) or None,
        "json": request.json,
        "headers": {**settings.headers, "User-Agent": f"nod-tasks/{__version__}"},
        "timeout": httpx.Timeout(request.timeout_s, connect=_CONNECT_S),
        "follow_redirects": False,
    }


def _answer(response: httpx.Response) -> Answer:
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status_code, headers, response.content)


def _unreachable(settings: Settings, error: Exception) -> ConnectError:
    reason = str(error) or type(error).__name__
    return ConnectError(f"cannot reach Nod at {settings.url}: {reason}")
