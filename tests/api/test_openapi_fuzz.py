"""Our own OpenAPI against the server: calls made from it never fail it, and it tells the truth."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from support.person import token_of_first_person
from support.server import RunningServer

AnyCase = Case[Any]
Operation = APIOperation[Any, Any, Any, Any]

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
# How often a call is made that takes a body or a query, and one that takes ids alone.
EXAMPLES, EXAMPLES_OF_IDS = 20, 8
# With real ids these would take away what the other calls are made on.
FATAL = {
    ("DELETE", "/api/agents/{agent_id}"),
    ("DELETE", "/api/tasks/{agent_id}/{task_id}"),
    ("DELETE", "/api/agent/tasks/{task_id}"),
    ("POST", "/api/agents/{agent_id}/rotate-secret"),
    ("DELETE", "/api/me/sessions"),
}


@dataclass
class Api:
    """A running server, its description, who calls, and ids that name something."""

    url: str
    document: dict[str, Any]
    session: requests.Session
    headers: dict[str, str]
    ids: dict[str, str]


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    folder: Path = tmp_path_factory.mktemp("openapi")
    environ = {"NOD_LIMIT_LONG_POLL_S": "1", "NOD_LIMIT_TASKS_PER_AGENT_HOUR": "1000"}
    server = RunningServer(folder, environ).start()
    who = asyncio.run(server.add_agent())
    token = asyncio.run(token_of_first_person(server))
    headers = {
        "X-Nod-Agent-Id": who.agent.id,
        "X-Nod-Secret": who.secret,
        "Authorization": f"Bearer {token}",
    }
    with httpx.Client(base_url=server.url, headers=headers) as http:
        document = http.get("/api/docs/openapi.json").json()
        ids = _furnish(http, who.agent.id)
    with requests.Session() as session:
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        yield Api(server.url, document, session, headers, ids)
    assert server.stop() == 0
    assert "a request failed" not in server.log


def _furnish(http: httpx.Client, agent_id: str) -> dict[str, str]:
    task = {"name": "Report", "prompt": "Go.", "schedule": "event"}
    made = http.post("/api/agent/tasks", json=task).json()
    fired = http.post(f"/api/webhooks/{made['trigger_id']}", json={"ref": "main"}).json()
    run = fired["run_id"]
    http.put(f"/api/agent/tasks/runs/{run}/output", json={"text": "# All of it"})
    asked = http.post("/api/agent/events", json={"type": "decision", "title": "May I?"}).json()
    (conversation,) = http.get("/api/conversations").json()
    return {
        "agent_id": agent_id,
        "task_id": made["id"],
        "trigger_id": made["trigger_id"],
        "run_id": run,
        "event_id": fired["event_id"],
        "decision_id": asked["decision_id"],
        "conversation_id": conversation["id"],
    }


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: str(mode.value))
@pytest.mark.parametrize("side", ["/api/agent/", "/api/"], ids=["agents", "people"])
def test_calls_made_from_the_description_are_answered_as_it_says(
    api: Api, side: str, mode: GenerationMode
) -> None:
    schema = schemathesis.openapi.from_dict(api.document)
    tried = 0
    for found in schema.get_all_operations():
        assert isinstance(found, Ok), found
        operation = found.ok()
        is_agents = operation.path.startswith("/api/agent/")
        if not operation.path.startswith("/api/") or is_agents != (side == "/api/agent/"):
            continue
        tried += 1
        try:
            _try(api, operation, mode)
        except Unsatisfiable:
            # Some calls take nothing that could be wrong.
            assert mode is GenerationMode.NEGATIVE, operation.path
            tried -= 1
    assert tried > 10


def _try(api: Api, operation: Operation, mode: GenerationMode) -> None:
    takes_ids_alone = not operation.body and not operation.query

    @settings(
        max_examples=EXAMPLES_OF_IDS if takes_ids_alone else EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode), known=st.booleans())
    def attempt(case: AnyCase, known: bool) -> None:
        if known and (case.method.upper(), case.operation.path) not in FATAL:
            names = {name: api.ids.get(name, value) for name, value in _path(case).items()}
            case.path_parameters = names
        case.call_and_validate(
            base_url=api.url, session=api.session, headers=api.headers, checks=CHECKS
        )

    attempt()


def _path(case: AnyCase) -> dict[str, Any]:
    return dict(case.path_parameters or {})
