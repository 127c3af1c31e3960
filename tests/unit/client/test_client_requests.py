"""What each call sends, without sending it."""

import inspect
import json

import pytest

from nod import AsyncClient, Client, ConfigError
from nod.client import requests
from nod.client.answers import Answer
from nod.client.requests import Request


def described_calls() -> dict[str, object]:
    return {
        name: value
        for name, value in vars(requests).items()
        if inspect.isfunction(value)
        and value.__module__ == requests.__name__
        and not name.startswith("_")
        and name != "decision_wait"
    }


def test_both_clients_have_every_call_with_its_words_and_arguments() -> None:
    for name, request in described_calls().items():
        for client in (Client, AsyncClient):
            method = getattr(client, name)
            assert method.__doc__ == request.__doc__
            described = list(inspect.signature(request).parameters)  # type: ignore[arg-type]
            assert list(inspect.signature(method).parameters) == ["self", *described]


def test_a_new_task_carries_its_fields() -> None:
    request = requests.create_task("Standup", "Do it", "0 9 * * *", timezone="Asia/Tokyo")
    assert (request.method, request.path) == ("POST", "/api/agent/tasks")
    assert request.json == {
        "name": "Standup",
        "prompt": "Do it",
        "schedule": "0 9 * * *",
        "timezone": "Asia/Tokyo",
    }
    assert not request.repeatable


@pytest.mark.parametrize(
    ("request_", "method", "path"),
    [
        (requests.tasks(), "GET", "/api/agent/tasks"),
        (requests.task("tsk_1"), "GET", "/api/agent/tasks/tsk_1"),
        (requests.update_task("tsk_1", name="New"), "PATCH", "/api/agent/tasks/tsk_1"),
        (requests.delete_task("tsk_1"), "DELETE", "/api/agent/tasks/tsk_1"),
        (requests.pause_task("tsk_1", "why"), "POST", "/api/agent/tasks/tsk_1/pause"),
        (requests.resume_task("tsk_1"), "POST", "/api/agent/tasks/tsk_1/resume"),
        (requests.rotate_trigger("tsk_1"), "POST", "/api/agent/tasks/tsk_1/rotate-trigger"),
        (requests.due_tasks(), "GET", "/api/agent/tasks/due"),
        (requests.pending_triggers(), "GET", "/api/agent/tasks/triggers/pending"),
        (requests.why("tsk_1", "09:00"), "GET", "/api/agent/tasks/tsk_1/why"),
        (requests.usage(), "GET", "/api/agent/usage"),
        (requests.usage("tsk_1", days=7), "GET", "/api/agent/tasks/tsk_1/usage"),
        (requests.preview_schedule("@daily"), "GET", "/api/agent/schedule/preview"),
        (requests.start_run("tsk_1"), "POST", "/api/agent/tasks/tsk_1/run/start"),
        (requests.run("run_1"), "GET", "/api/agent/tasks/runs/run_1"),
        (requests.runs_page("tsk_1"), "GET", "/api/agent/tasks/tsk_1/runs"),
        (requests.complete_run("run_1"), "POST", "/api/agent/tasks/runs/run_1/complete"),
        (requests.put_output("run_1", "x"), "PUT", "/api/agent/tasks/runs/run_1/output"),
        (requests.context("run_1"), "GET", "/api/agent/tasks/runs/run_1/context"),
        (requests.add_context("run_1", "x"), "POST", "/api/agent/tasks/runs/run_1/context"),
        (requests.events(), "GET", "/api/agent/events"),
        (requests.ack_event("evt_1"), "POST", "/api/agent/events/evt_1/ack"),
        (requests.decision("dec_1"), "GET", "/api/agent/decisions/dec_1"),
        (requests.message("hello"), "POST", "/api/agent/events"),
    ],
)
def test_calls_go_where_the_contract_says(
    request_: Request[object], method: str, path: str
) -> None:
    assert (request_.method, request_.path) == (method, path)


def test_only_calls_that_may_be_sent_twice_are_repeatable() -> None:
    assert requests.complete_run("run_1").repeatable
    assert requests.put_output("run_1", "x").repeatable
    assert requests.ack_event("evt_1").repeatable
    for once in (
        requests.start_run("tsk_1"),
        requests.add_context("run_1", "x"),
        requests.message("hello"),
        requests.rotate_trigger("tsk_1"),
    ):
        assert not once.repeatable


def test_a_preview_asks_with_the_names_of_the_wire() -> None:
    request = requests.preview_schedule("0 9 * * *", timezone="UTC", start="2025-09-01T00:00:00Z")
    assert request.params == {
        "schedule": "0 9 * * *",
        "timezone": "UTC",
        "from": "2025-09-01T00:00:00Z",
        "count": "5",
    }


def test_a_long_poll_allows_the_server_its_time() -> None:
    request = requests.events(after="evt_1", wait_s=50)
    assert request.params == {"after": "evt_1", "wait_s": "50"}
    assert request.timeout_s > 50


def test_waiting_for_a_decision_asks_for_no_more_than_is_left() -> None:
    assert requests.decision_wait("dec_1", None).params["wait_s"] == "50"
    assert requests.decision_wait("dec_1", 7.2).params["wait_s"] == "8"
    assert "wait_s" not in requests.decision_wait("dec_1", -1.0).params


def test_an_id_cannot_leave_its_place_in_the_path() -> None:
    assert requests.run("../tasks?x=1").path == "/api/agent/tasks/runs/..%2Ftasks%3Fx%3D1"
    for empty in ("", ".", ".."):
        with pytest.raises(ConfigError, match="id"):
            requests.run(empty)


def test_events_to_a_person_have_the_frames_fields() -> None:
    assert requests.ask("Deploy?", kind="choice", options=["a", "b"], task_run_id="run_1").json == {
        "type": "decision",
        "title": "Deploy?",
        "description": "",
        "kind": "choice",
        "options": ["a", "b"],
        "task_run_id": "run_1",
    }
    assert requests.propose_task("New task", "Name", "Prompt", "@daily", timezone="UTC").json == {
        "type": "task_proposal",
        "title": "New task",
        "task_name": "Name",
        "task_prompt": "Prompt",
        "task_schedule": "@daily",
        "timezone": "UTC",
    }
    assert requests.alert("Disk full").json == {"type": "alert", "title": "Disk full"}
    assert requests.processing_start(status_text="Reading").json == {
        "type": "processing_start",
        "status_text": "Reading",
    }
    assert requests.processing_stop().json == {"type": "processing_stop"}


def test_a_page_knows_where_the_next_one_is() -> None:
    link = '</api/agent/tasks/tsk_1/runs?limit=2&cursor=abc%3D>; rel="next"'
    answer = Answer(200, {"link": link}, json.dumps([{"id": "run_1"}]).encode())
    page = requests.runs_page("tsk_1").decode(answer)
    assert (page.items, page.next_cursor) == ([{"id": "run_1"}], "abc=")
    last = requests.runs_page("tsk_1").decode(Answer(200, {}, b"[]"))
    assert (last.items, last.next_cursor) == ([], None)
