"""Every route of the agent API, read from the app itself, so that no test forgets a new one."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from litestar import Litestar
from litestar.di import Provide
from litestar.routes import HTTPRoute

from nod.api import agent
from nod.api.auth import provide_nod
from nod.domain.limits import Limits

# Bodies that are fine, so that only the ids or the caller can be what is wrong.
_BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", "/api/agent/tasks"): {"name": "n", "prompt": "p", "schedule": "event"},
    ("PATCH", "/api/agent/tasks/{task_id}"): {"name": "taken over"},
    ("POST", "/api/agent/tasks/runs/{run_id}/complete"): {"status": "completed"},
    ("PUT", "/api/agent/tasks/runs/{run_id}/output"): {"text": "t"},
    ("POST", "/api/agent/tasks/runs/{run_id}/context"): {"run_id": "{run_id}", "text": "t"},
    ("POST", "/api/agent/events"): {"type": "message", "text": "t"},
}
_QUERIES = {
    "/api/agent/tasks/{task_id}/why": {"at": "09:00"},
    "/api/agent/schedule/preview": {"schedule": "0 9 * * *"},
}


@dataclass(frozen=True)
class Route:
    """A method and a path with its placeholders."""

    method: str
    path: str

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def has_id(self) -> bool:
        return "{" in self.path

    def request(self, ids: Mapping[str, str]) -> dict[str, Any]:
        """What httpx takes to call it, with the placeholders filled in."""
        body = _BODIES.get((self.method, self.path))
        filled: dict[str, Any] = {
            "method": self.method,
            "url": self.path.format(**ids),
            "params": _QUERIES.get(self.path),
        }
        if body is not None:
            filled["json"] = {name: _filled(value, ids) for name, value in body.items()}
        return filled


def _filled(value: Any, ids: Mapping[str, str]) -> Any:
    return value.format(**ids) if isinstance(value, str) else value


def agent_routes() -> list[Route]:
    """All of them, without the OPTIONS that the framework adds."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        app = Litestar(
            agent.routes(Limits()),
            dependencies={"nod": Provide(provide_nod, sync_to_thread=False)},
            openapi_config=None,
        )
    found = {
        Route(str(method), route.path_format)
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for method in route.route_handler_map
        if method != "OPTIONS"
    }
    return sorted(found, key=str)
