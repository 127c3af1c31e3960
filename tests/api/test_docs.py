"""The API's documentation: complete, valid, and whole without the internet."""

import re
from collections.abc import AsyncIterator, Iterator
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from openapi_spec_validator import validate

from nod.actions.chat import AlertFields, MessageFields, StatusFields
from nod.actions.decisions import DecisionFields, ProposalFields
from nod.actions.heartbeats import Beat
from nod.api import asyncapi, hooks
from nod.api.agent_frames import REST, SOCKET
from nod.api.frames_table import FRAMES, FROM_AGENT, TO_AGENT, WEBHOOK_HEADERS
from nod.delivery.signing import sign_headers
from support.inprocess import InProcess

Json = dict[str, Any]

# The type by which the server reads each frame.
READ_AS: dict[str, type[msgspec.Struct]] = {
    "message": MessageFields,
    "decision": DecisionFields,
    "task_proposal": ProposalFields,
    "alert": AlertFields,
    "status": StatusFields,
    "agent_heartbeat": Beat,
}
# Every frame of the contract.
CONTRACT = {
    *("auth", "ping", "ack", "message", "decision", "task_proposal", "alert"),
    *("agent_heartbeat", "agent_idle", "status"),
    *("auth_ok", "pong", "error", "user_message", "decision_resolved", "task_due", "task_trigger"),
}


@pytest.fixture
async def docs(nod: InProcess) -> AsyncIterator[httpx.AsyncClient]:
    """A reader."""
    async with httpx.AsyncClient(base_url=f"{nod.url}/api/docs") as client:
        yield client


async def test_the_openapi_document_is_valid_and_describes_every_address(
    docs: httpx.AsyncClient,
) -> None:
    document = (await docs.get("/openapi.json")).json()
    validate(document)
    assert document["openapi"].startswith("3.1")
    for path in (
        "/api/agent/tasks",
        "/api/agent/tasks/runs/{run_id}/complete",
        "/api/webhooks/{trigger_id}",
        "/api/auth/login",
        "/api/decisions/{decision_id}/resolve",
        "/healthz",
        "/metrics",
    ):
        assert path in document["paths"]


async def test_every_operation_says_what_it_does_how_it_fails_and_who_may_call_it(
    docs: httpx.AsyncClient,
) -> None:
    document = (await docs.get("/openapi.json")).json()
    for path, operation in operations(document):
        about = f"{operation['operationId']} {path}"
        assert " " in operation["summary"], about
        assert not operation["summary"].endswith("."), about
        failures = {status for status in operation["responses"] if status[0] in "45"}
        assert failures == {"4XX", "5XX"}, about
        if path.startswith("/api/agent/"):
            assert operation["security"] == [{"agentId": [], "agentSecret": []}], about
        elif path.startswith(("/api/webhooks/", "/api/auth/")) or not path.startswith("/api/"):
            assert operation["security"] == [], about
        elif path.startswith("/api/images/"):
            either: list[Json] = [{"agentId": [], "agentSecret": []}, {"bearer": []}]
            assert operation["security"] == either, about
        else:
            assert operation["security"] == [{"bearer": []}], about


async def test_operations_have_ids_of_their_own(docs: httpx.AsyncClient) -> None:
    document = (await docs.get("/openapi.json")).json()
    ids = [operation["operationId"] for _, operation in operations(document)]
    assert len(set(ids)) == len(ids)


def operations(document: Json) -> Iterator[tuple[str, Json]]:
    """Every operation with its path."""
    for path, item in document["paths"].items():
        for operation in item.values():
            yield path, operation


@pytest.mark.parametrize("path", ["", "/", "/events"])
async def test_a_page_loads_nothing_from_elsewhere_and_runs_no_inline_script(
    docs: httpx.AsyncClient, path: str
) -> None:
    page = await docs.get(path)
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    links = re.findall(r'(?:src|href|spec-url)="([^"]*)"', page.text)
    assert links
    assert [link for link in links if not link.startswith(("/", "#"))] == []
    assert "<script>" not in page.text
    assert " on" not in "".join(re.findall(r"<[^>]*=[^>]*>", page.text))
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'; script-src 'self';" in policy
    assert ("'unsafe-inline'" in policy) == (path != "/events")
    for link in links:
        if link.startswith("/api/docs/static/"):
            found = await docs.get(link.removeprefix("/api/docs"))
            assert found.status_code == 200, link
            assert found.headers["content-type"].startswith(("text/javascript", "text/css"))


@pytest.mark.parametrize("name", ["nothing.js", "VENDORED.md", "..%2Fdocs.py"])
async def test_only_the_pages_own_files_are_served(docs: httpx.AsyncClient, name: str) -> None:
    assert (await docs.get(f"/static/{name}")).status_code == 404


@pytest.mark.parametrize("path", ["/nothing", "/nothing.json", "/events/more"])
async def test_an_unknown_address_is_answered_in_the_form_of_all_errors(
    docs: httpx.AsyncClient, path: str
) -> None:
    answer = await docs.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("application/json")
    assert list(answer.json()) == ["detail"]


def test_what_is_vendored_is_there_with_its_version_and_licence() -> None:
    static = Path(hooks.__file__).with_name("static")
    note = (static / "VENDORED.md").read_text(encoding="utf-8")
    version = re.search(r"RapiDoc ([\d.]+)", (static / "rapidoc-min.js").read_text("utf-8")[:200])
    assert version is not None
    assert version[1] in note
    assert "MIT License" in (static / "rapidoc.LICENSE.txt").read_text(encoding="utf-8")


# the socket and the webhooks


async def test_the_asyncapi_document_is_whole(docs: httpx.AsyncClient) -> None:
    document = (await docs.get("/asyncapi.json")).json()
    assert document["asyncapi"] == "3.0.0"
    assert {"info", "servers", "channels", "operations", "components"} <= document.keys()
    references = list(references_in(document))
    assert len(references) > 2 * len(CONTRACT)
    for reference in references:
        assert isinstance(resolved(document, reference), dict), reference


def references_in(value: Any) -> Iterator[str]:
    """Every `$ref` inside a value."""
    children = (
        value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    )
    if isinstance(value, dict) and "$ref" in value:
        yield value["$ref"]
    for child in children:
        yield from references_in(child)


def resolved(document: Json, reference: str) -> Any:
    """What a reference inside the document points at."""
    here: Any = document
    for part in reference.removeprefix("#/").split("/"):
        here = here[part]
    return here


def test_every_frame_of_the_contract_is_described_both_ways() -> None:
    document = asyncapi.document("https://nod.example.org/agents")
    channel = document["channels"]["agentSocket"]
    assert set(channel["messages"]) == CONTRACT
    assert set(document["channels"]["agentWebhook"]["messages"]) == {
        *("task_due", "task_trigger", "user_message", "decision_resolved", "cloud_event")
    }
    sent = document["operations"]["receiveFromAgent"]["messages"]
    assert len(sent) == len(FROM_AGENT)
    assert len(document["operations"]["sendToAgent"]["messages"]) == len(TO_AGENT)
    assert document["servers"]["nod"] == {
        "host": "nod.example.org",
        "pathname": "/agents",
        "protocol": "wss",
        "description": "This server.",
    }
    assert asyncapi.document("http://localhost:8000")["servers"]["nod"]["protocol"] == "ws"


def test_the_frames_described_are_those_the_server_reads_field_by_field() -> None:
    described = {frame.type: frame for frame in FROM_AGENT}
    assert set(described) - {"auth", "ping", "ack"} == set(SOCKET)
    assert {name for frame in FROM_AGENT for name in frame.also} == set(REST)
    for kind, struct in READ_AS.items():
        fields = {field.name: field for field in described[kind].fields}
        read = {each.name: each for each in msgspec.structs.fields(struct)}
        assert set(fields) == set(read), kind
        for name, each in read.items():
            assert fields[name].required == each.required, f"{kind}.{name}"


def test_every_example_is_a_frame_of_its_description() -> None:
    for frame in FRAMES:
        known = {"type", *(field.name for field in frame.fields)}
        required = {"type", *(field.name for field in frame.fields if field.required)}
        assert frame.example["type"] == frame.type
        assert required <= set(frame.example) <= known, frame.type


def test_the_headers_described_are_those_a_webhook_carries() -> None:
    sent = sign_headers(
        event_id="evt_1",
        delivery_id="dlv_1",
        body=b"{}",
        timestamp=1,
        retry_num=0,
        retry_reason="first_attempt",
        key=b"k" * 32,
        other_key=None,
    )
    described = {field.name for field in WEBHOOK_HEADERS if field.required}
    assert described == set(sent) - {"Content-Type", "User-Agent"}


async def test_the_readable_page_shows_every_frame_field_and_header(
    docs: httpx.AsyncClient,
) -> None:
    page = unescape((await docs.get("/events")).text)
    for frame in FRAMES:
        assert f'<article id="{frame.type}">' in page
        assert f'href="#{frame.type}"' in page
        for field in frame.fields:
            assert f"<code>{field.name}</code>" in page
    for header in WEBHOOK_HEADERS:
        assert header.name in page
    for code in ("4001", "4003", "4004"):
        assert code in page
