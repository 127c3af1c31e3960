"""The OpenAPI document: what the framework finds in the handlers' types, and what it cannot know.

It does not know our error bodies, nor who may call what, nor that a docstring's first sentence is
the operation's title. That is added here.
"""

import re
from copy import deepcopy
from typing import Any

from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.spec import Components, License, SecurityScheme, Server, Tag

from nod.version import __version__

Json = dict[str, Any]

_FIRST_SENTENCE = re.compile(r"(?<=\.)\s")
_METHODS = frozenset({"get", "put", "post", "delete", "patch", "head", "options"})
_PROBLEM: Json = {
    "type": "object",
    "required": ["detail"],
    "properties": {"detail": {"type": "string", "description": "What to do about it."}},
}
_ERRORS = {
    "4XX": "The caller has to change something: 400 a field, 401 or 403 the credentials, 404 the"
    " address, 409 wait for another state, 413 send less, 429 wait for Retry-After seconds.",
    "5XX": "Nod cannot store or answer now; try again after Retry-After seconds.",
}
_AGENT: list[Json] = [{"agentId": [], "agentSecret": []}]
_PERSON: list[Json] = [{"bearer": []}]
# Longest prefix first. What is in none of them needs no credentials.
_WHO: tuple[tuple[str, list[Json]], ...] = (
    ("/api/auth/", []),
    ("/api/webhooks/", []),
    ("/api/agent/", _AGENT),
    ("/api/images/", [*_AGENT, *_PERSON]),  # either
    ("/api/", _PERSON),
)
_DESCRIPTION = """\
Agents send `X-Nod-Agent-Id` and `X-Nod-Secret`; people send a bearer token of
`POST /api/auth/login`. Times are RFC 3339 in UTC. Every error is `{"detail": "a sentence"}`.

The agent's WebSocket and its webhooks are described in [Frames and webhooks](/api/docs/events).
"""


def make_config(**given: Any) -> OpenAPIConfig:
    """What the framework needs; `given` says where and how it is shown."""
    return OpenAPIConfig(
        title="Nod API",
        version=__version__,
        summary="Alarms for AI agents, and a way for them to reach their people.",
        description=_DESCRIPTION,
        license=License(name="Apache-2.0", identifier="Apache-2.0"),
        servers=[Server(url="/", description="This server")],
        use_handler_docstrings=True,
        tags=[
            Tag(name="Agent: tasks", description="What an agent does with its tasks and runs."),
            Tag(name="Triggers", description="Calls from anywhere that fire event tasks."),
            Tag(name="Agenda", description="What was and what will be, also as a calendar."),
            Tag(name="Operation", description="For whoever runs the server."),
        ],
        components=Components(
            security_schemes={
                "agentId": _header("X-Nod-Agent-Id", "The agent's id, agt_…"),
                "agentSecret": _header("X-Nod-Secret", "The agent's secret, nod_…"),
                "bearer": SecurityScheme(
                    type="http", scheme="bearer", bearer_format="JWT", description="A person."
                ),
            }
        ),
        **given,
    )


def complete(generated: Json) -> Json:
    """The framework's document with our errors, credentials and titles; the input stays as is."""
    document = deepcopy(generated)
    document["components"].setdefault("schemas", {})["Problem"] = deepcopy(_PROBLEM)
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method in _METHODS:
                _complete_operation(path, operation)
    return document


def _complete_operation(path: str, operation: Json) -> None:
    answers = operation["responses"]
    kept = {status: answer for status, answer in answers.items() if status[0] not in "45"}
    operation["responses"] = kept | {status: _error(text) for status, text in _ERRORS.items()}
    operation.setdefault("security", _who(path))
    if path.startswith("/api/webhooks/"):
        operation["requestBody"] = {"description": "Anything.", "content": {"*/*": {}}}
    if description := operation.get("description", ""):
        operation["summary"] = _FIRST_SENTENCE.split(description, maxsplit=1)[0].removesuffix(".")


def _who(path: str) -> list[Json]:
    return next((who for prefix, who in _WHO if path.startswith(prefix)), [])


def _error(text: str) -> Json:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": text, "content": {"application/json": {"schema": schema}}}


def _header(name: str, description: str) -> SecurityScheme:
    return SecurityScheme(
        type="apiKey", name=name, security_scheme_in="header", description=description
    )
