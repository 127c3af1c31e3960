"""Bad input: every answer is a sentence, none is a 500, and nothing of a refused call is kept."""

import asyncio
import json
import types
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import httpx
import msgspec
import pytest

from nod.actions.agents import Credentials
from nod.actions.chat import AlertFields, MessageFields
from nod.actions.decisions import DecisionFields, ProposalFields
from nod.actions.heartbeats import Beat
from nod.api.agent.runs import Complete, ContextText, OutputText
from nod.api.tasks import PauseFields
from nod.domain.limits import MIB
from nod.domain.task_fields import TaskFields
from support.agent_routes import agent_routes
from support.server import RunningServer

TASK = {"name": "Report", "prompt": "Say how it is.", "schedule": "event"}
TASKS = "/api/agent/tasks"
EVENTS = "/api/agent/events"
DEEP = 100_000


@dataclass
class Door:
    """A server with an agent, a task and a run of it."""

    server: RunningServer
    who: Credentials
    http: httpx.Client
    task: str
    run: str

    @property
    def run_path(self) -> str:
        return f"{TASKS}/runs/{self.run}"

    def refused(self, method: str, url: str, status: int = 400, **given: Any) -> str:
        """The sentence of a call that has to fail with this status."""
        before = self.stored()
        answer = self.http.request(method, url, **given)
        assert answer.status_code == status, (answer.status_code, answer.text[:300])
        told = sentence(answer)
        assert self.stored() == before
        return told

    def stored(self) -> list[Any]:
        """What a call could have changed."""
        run = self.http.get(self.run_path).json()
        return [self.http.get(TASKS).json(), self.http.get(EVENTS).json(), run]


def sentence(answer: httpx.Response) -> str:
    assert answer.headers["content-type"].startswith("application/json")
    body = answer.json()
    assert list(body) == ["detail"], body
    told = body["detail"]
    assert isinstance(told, str)
    assert 10 < len(told) < 600, told
    assert "Nod made a mistake" not in told
    assert not told.startswith("data"), told
    return told


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    folder: Path = tmp_path_factory.mktemp("bad_input")
    started = RunningServer(folder, {"NOD_LIMIT_TASKS_PER_AGENT_HOUR": "1000"}).start()
    yield started
    assert started.stop() == 0
    assert "a request failed" not in started.log


@pytest.fixture(scope="module")
def door(server: RunningServer) -> Iterator[Door]:
    who = asyncio.run(server.add_agent())
    headers = {"X-Nod-Agent-Id": who.agent.id, "X-Nod-Secret": who.secret}
    with httpx.Client(base_url=server.url, headers=headers, timeout=20) as http:
        task = http.post(TASKS, json=TASK).json()["id"]
        run = http.post(f"{TASKS}/{task}/run/start").json()["run_id"]
        yield Door(server, who, http, task, run)


# schedules and times


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"schedule": "61 * * * *"}, "minute"),
        ({"schedule": "* * * *"}, "five"),
        ({"schedule": ""}, "schedule"),
        ({"schedule": "every day"}, "schedule"),
        ({"schedule": "0 0 30 2 *"}, "never fires"),
        ({"schedule": "@reboot"}, "@reboot"),
        ({"schedule": "\0 * * * *"}, "minute"),
        ({"schedule": "* " * 100_000}, "schedule"),
        ({"timezone": "Mars/Base"}, "Mars/Base"),
        ({"timezone": "../../etc/passwd"}, "time zone"),
        ({"timezone": "\0"}, "time zone"),
        ({"timezone": "x" * 100_000}, "time zone"),
        ({"schedule": "once"}, "run_at"),
        ({"schedule": "once", "run_at": "2020-01-01T00:00:00Z"}, "in the past"),
        ({"schedule": "once", "run_at": "2199-01-01T00:00:00"}, "with its offset"),
        ({"schedule": "once", "run_at": "9999-12-31T23:59:59-23:59"}, "run_at"),
        ({"schedule": "once", "run_at": "0000-01-01T00:00:00Z"}, "run_at"),
        ({"schedule": "once", "run_at": "2199-02-30T00:00:00Z"}, "run_at"),
        ({"schedule": "once", "run_at": "x" * 100_000}, "run_at"),
        ({"run_at": "2199-01-01T00:00:00Z"}, "once"),
        ({"starts_at": "now"}, "starts_at"),
        (
            {"starts_at": "2030-01-02T00:00:00Z", "ends_at": "2030-01-01T00:00:00Z"},
            "ends_at must be after the start",
        ),
        ({"useful_until": "999999999999h"}, "useful_until"),
        ({"useful_until": "25:00"}, "useful_until"),
        ({"useful_until": "\0"}, "useful_until"),
        ({"overlap": "sometimes"}, "overlap"),
        ({"catch_up": 1}, "catch_up"),
        ({"verify": "magic"}, "verify"),
        ({"verify": "github"}, "verify_secret"),
        ({"timeout_s": 0}, "timeout_s"),
        ({"timeout_s": -1}, "timeout_s"),
        ({"timeout_s": 10**40}, "timeout_s"),
        ({"timeout_s": 1.5}, "timeout_s"),
        ({"name": ""}, "name"),
        ({"name": " \t\n"}, "name"),
        ({"prompt": ""}, "prompt"),
    ],
)
def test_a_task_that_cannot_be_is_refused_with_the_field_at_fault(
    door: Door, fields: dict[str, Any], told: str
) -> None:
    assert told in door.refused("POST", TASKS, json={**TASK, **fields})
    assert told in door.refused("PATCH", f"{TASKS}/{door.task}", json=fields) or told == "run_at"


@pytest.mark.parametrize("field", ["name", "prompt", "schedule"])
def test_a_task_without_what_it_needs_says_what_is_missing(door: Door, field: str) -> None:
    body = {name: value for name, value in TASK.items() if name != field}
    assert f"{field} is missing" in door.refused("POST", TASKS, json=body)


# types


def wrong_values(kind: Any) -> list[Any]:
    """JSON values that are nothing of this kind."""
    if get_origin(kind) in (Union, types.UnionType):
        kinds = [each for each in get_args(kind) if each is not msgspec.UnsetType]
        tried = [value for each in kinds for value in wrong_values(each)]
        return [value for value in tried if not any(fits(value, each) for each in kinds)]
    return [
        value
        for value in (None, True, 1, 1.5, "no such word", [7], {"x": 7})
        if not fits(value, kind)
    ]


def fits(value: Any, kind: Any) -> bool:
    """Whether the decoder takes the value, as the framework asks it to: "5" is a number there."""
    try:
        msgspec.convert(value, kind, strict=False)
    except msgspec.ValidationError:
        return False
    return True


def fields_of(struct: type[Any]) -> list[tuple[str, Any]]:
    hints = get_type_hints(struct, include_extras=True)
    return [(name, kind) for name, kind in hints.items() if kind is not Any]


@pytest.mark.parametrize(
    ("method", "path", "struct", "body"),
    [
        ("POST", TASKS, TaskFields, TASK),
        ("PATCH", TASKS + "/{task}", TaskFields, {}),
        ("POST", TASKS + "/{task}/pause", PauseFields, {}),
        ("POST", TASKS + "/runs/{run}/complete", Complete, {"status": "completed"}),
        ("PUT", TASKS + "/runs/{run}/output", OutputText, {}),
        ("POST", TASKS + "/runs/{run}/context", ContextText, {"run_id": "{run}", "text": "t"}),
        ("POST", EVENTS, MessageFields, {"type": "message", "text": "t"}),
        ("POST", EVENTS, DecisionFields, {"type": "decision", "title": "t"}),
        (
            "POST",
            EVENTS,
            ProposalFields,
            {"type": "task_proposal", "title": "t", "task_name": "n", "task_prompt": "p"}
            | {"task_schedule": "event"},
        ),
        ("POST", EVENTS, AlertFields, {"type": "alert", "title": "t"}),
        ("POST", EVENTS, Beat, {"type": "processing_start"}),
    ],
    ids=lambda each: each.__name__ if isinstance(each, type) else None,
)
def test_a_field_of_a_wrong_type_is_named(
    door: Door, method: str, path: str, struct: type[Any], body: dict[str, Any]
) -> None:
    url = path.format(task=door.task, run=door.run)
    filled = json.loads(json.dumps(body).replace("{run}", door.run))
    before = door.stored()
    for name, kind in fields_of(struct):
        for value in wrong_values(kind):
            answer = door.http.request(method, url, json={**filled, name: value})
            assert answer.status_code == 400, (name, value, answer.text)
            assert sentence(answer).startswith(name), (name, value, answer.text)
    assert door.stored() == before


@pytest.mark.parametrize("value", [None, True, 1, [], {}])
def test_an_event_without_a_type_that_is_known_is_refused(door: Door, value: object) -> None:
    assert door.refused("POST", EVENTS, json={"type": value}).startswith("type must be text")
    assert "type is missing" in door.refused("POST", EVENTS, json={})
    assert "unknown type" in door.refused("POST", EVENTS, json={"type": "\0" * 1000})


# bodies

WITH_BODY = [
    ("POST", TASKS),
    ("PATCH", TASKS + "/{task}"),
    ("POST", TASKS + "/runs/{run}/complete"),
    ("PUT", TASKS + "/runs/{run}/output"),
    ("POST", TASKS + "/runs/{run}/context"),
    ("POST", EVENTS),
]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"null",
        b"[]",
        b"7",
        b'"text"',
        b"{",
        b'{"name":}',
        b"{'name':'n'}",
        b'{"name":"n"}}',
        b"name=n&prompt=p",
        b'{"name":NaN}',
        b'{"name":Infinity}',
        b'{"timeout_s":-Infinity}',
        b'{"timeout_s":1e999}',
        b"\xff\xfe{\x00}\x00",
        b'{"name":"\xff"}',
        b'{"name":"\xed\xa0\x80"}',
        b'{"\xff":1}',
        b'{"name":"\\ud800"}',
        b'{"name":"\\udc00 \\ud800"}',
        b'{"name":"\\ud800\\u0041"}',
        b"\xef\xbb\xbf{}",
        b"[" * DEEP,
        b'{"a":' * DEEP,
        b'{"name":' + b"[" * DEEP + b"]" * DEEP + b"}",
        b'{"unknown":' + b"[" * DEEP + b"]" * DEEP + b"}",
    ],
    ids=lambda body: repr(body[:24]),
)
def test_a_body_that_is_no_json_object_is_refused(door: Door, body: bytes) -> None:
    for method, path in WITH_BODY:
        url = path.format(task=door.task, run=door.run)
        if body == b'{"timeout_s":1e999}' and (method, path) != WITH_BODY[0]:
            continue  # a field that is not known there
        door.refused(method, url, content=body)


def test_a_body_of_a_mebibyte_is_read_and_one_byte_more_is_not(door: Door) -> None:
    def of_size(size: int) -> bytes:
        frame = json.dumps({"name": "As large as may be", "padding": ""}).encode()
        return frame[:-2] + b"x" * (size - len(frame)) + frame[-2:]

    path = f"{TASKS}/{door.task}"
    assert "larger" in door.refused("PATCH", path, 413, content=of_size(MIB + 1))

    def in_pieces() -> Iterator[bytes]:
        yield from (b"x" * (MIB // 2) for _ in range(4))

    assert "larger" in door.refused("PATCH", path, 413, content=in_pieces())
    whole = of_size(MIB)
    assert len(whole) == MIB
    answer = door.http.patch(path, content=whole)
    assert (answer.status_code, answer.json()["name"]) == (200, "As large as may be")


@pytest.mark.parametrize(
    "content_type",
    ["application/json; charset=utf-8", "text/plain", "application/x-www-form-urlencoded", "odd"],
)
def test_json_is_json_whatever_it_is_called(door: Door, content_type: str) -> None:
    # `curl -d` calls everything a form.
    headers = {"Content-Type": content_type}
    body = b'{"name":"Called otherwise"}'
    answer = door.http.patch(f"{TASKS}/{door.task}", content=body, headers=headers)
    assert (answer.status_code, answer.json()["name"]) == (200, "Called otherwise")


def test_of_a_key_given_twice_the_last_counts_and_a_key_not_known_is_passed_over(
    door: Door,
) -> None:
    body = b'{"name":"first","name":"second","no such field":{"a":[1,2]}}'
    answer = door.http.patch(f"{TASKS}/{door.task}", content=body)
    assert answer.json()["name"] == "second"


# texts


def texts(door: Door, text: str) -> list[tuple[str, str, dict[str, Any]]]:
    """Each place where a text is stored."""
    proposal = {"title": "t", "task_name": "n", "task_prompt": "p", "task_schedule": "event"}
    found: list[tuple[str, str, dict[str, Any]]] = [
        *(("POST", TASKS, {**TASK, name: text}) for name in ("name", "prompt", "description")),
        *(("PATCH", f"{TASKS}/{door.task}", {name: text}) for name in ("name", "description")),
        ("POST", f"{TASKS}/{door.task}/pause", {"reason": text}),
        ("POST", f"{door.run_path}/complete", {"status": "failed", "summary": text}),
        ("PUT", f"{door.run_path}/output", {"text": text}),
        ("POST", f"{door.run_path}/context", {"run_id": door.run, "text": text}),
        ("POST", EVENTS, {"type": "message", "text": text}),
        ("POST", EVENTS, {"type": "message", "text": "t", "report_title": text}),
        ("POST", EVENTS, {"type": "message", "text": "t", "report_description": text}),
        ("POST", EVENTS, {"type": "decision", "title": text}),
        ("POST", EVENTS, {"type": "decision", "title": "t", "description": text}),
        ("POST", EVENTS, {"type": "decision", "title": "t", "always_allow_label": text}),
        ("POST", EVENTS, {"type": "alert", "title": text}),
        ("POST", EVENTS, {"type": "alert", "title": "t", "text": text}),
        ("POST", EVENTS, {"type": "processing_start", "status_text": text}),
        ("POST", EVENTS, {"type": "task_proposal", **proposal, "title": text}),
        ("POST", EVENTS, {"type": "task_proposal", **proposal, "task_name": text}),
        ("POST", EVENTS, {"type": "task_proposal", **proposal, "task_prompt": text}),
    ]
    return found


def test_no_text_is_stored_with_a_nul_in_it(door: Door) -> None:
    for method, url, body in texts(door, "a\0b"):
        told = door.refused(method, url, json=body)
        assert "NUL" in told, (url, body)


# addresses

NOWHERE = ["nothing_here", "%00", "%FF", "%ED%A0%80", "..%2F..", "%F0%9F%8E%89", "a" * 10_000]
NOWHERE += ["%27%20OR%201=1--", "-1", "0", "null", "%20", "%0d%0aX-Evil:%201"]


@pytest.mark.parametrize("id_", NOWHERE, ids=lambda each: each[:16])
def test_an_id_that_names_nothing_is_not_found(door: Door, id_: str) -> None:
    for route in agent_routes():
        if not route.has_id:
            continue
        names = ("task_id", "run_id", "event_id", "decision_id")
        request = route.request(dict.fromkeys(names, "PLACE"))
        request["url"] = request["url"].replace("PLACE", id_)
        answer = door.http.request(**request)
        # The body of a context block names its run once more.
        expected = (400, 404) if route.path.endswith("/context") else (404,)
        assert answer.status_code in expected, (str(route), answer.text[:200])
        told = sentence(answer)
        assert "x-evil" not in answer.headers
        assert len(told) < 300


@pytest.mark.parametrize("id_", ["nothing_here", "\0", "a" * 100_000, "🎉"], ids=lambda i: i[:8])
def test_an_id_in_a_body_that_names_nothing_is_not_found(door: Door, id_: str) -> None:
    for kind in ("message", "decision", "alert", "processing_start"):
        body = {"type": kind, "text": "t", "title": "t"}
        door.refused("POST", EVENTS, 404, json={**body, "task_run_id": id_})
        if kind != "alert":
            door.refused("POST", EVENTS, 404, json={**body, "conversation_id": id_})


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=-1",
        "limit=101",
        "limit=many",
        "limit=",
        f"limit={10**30}",
        "cursor=",
        "cursor=x",
        "cursor=-1.run_1",
        f"cursor={10**30}.run_1",
        "cursor=%00",
    ],
)
def test_a_page_that_cannot_be_is_refused(door: Door, query: str) -> None:
    told = door.refused("GET", f"{TASKS}/{door.task}/runs?{query}")
    assert told.startswith(("limit must be", "cursor must be"))


@pytest.mark.parametrize("after", ["", "nothing_here", "%00", "%FF", "a" * 10_000])
def test_reading_on_after_no_event_is_refused(door: Door, after: str) -> None:
    assert "after" in door.refused("GET", f"{EVENTS}?after={after}")


@pytest.mark.parametrize("path", ["/api/agent", "/api/agent/nothing", "/api/nothing", "/ws/agent"])
def test_an_address_without_anything_says_where_to_look(door: Door, path: str) -> None:
    assert "/api/docs" in door.refused("GET", path, 404)


# headers


def test_headers_given_twice_or_in_odd_bytes_are_no_fault_of_the_servers(door: Door) -> None:
    agent_id, secret = door.who.agent.id.encode(), door.who.secret.encode()
    for given in (
        [(b"X-Nod-Agent-Id", agent_id), (b"X-Nod-Agent-Id", b"agt_1"), (b"X-Nod-Secret", secret)],
        [(b"X-Nod-Agent-Id", agent_id), (b"X-Nod-Secret", secret), (b"X-Nod-Secret", b"nod_1")],
        [(b"X-Nod-Agent-Id", b"\xff\xfe"), (b"X-Nod-Secret", b"\xff")],
        [(b"X-Nod-Agent-Id", b"a" * 20_000), (b"X-Nod-Secret", b"b" * 20_000)],
        [(b"X-Nod-Agent-Id", agent_id), (b"X-Nod-Secret", "nöd".encode())],
    ):
        answer = httpx.get(f"{door.server.url}{TASKS}", headers=given)
        assert answer.status_code in (200, 401)
        if answer.status_code == 401:
            sentence(answer)


def test_literals_are_those_of_the_contract() -> None:
    assert set(get_args(get_type_hints(Complete)["status"])) == {"completed", "failed"}
    assert get_origin(get_type_hints(Complete)["status"]) is Literal
