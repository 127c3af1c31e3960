"""Webhooks as CloudEvents, held to what the specification asks of every event."""

import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from standardwebhooks.webhooks import Webhook

from nod.actions import agents
from nod.actions.agents import AgentChanges
from nod.actions.endpoint import make_trial_call
from nod.client.webhooks import verify_webhook
from nod.delivery.cloud_events import cloud_event
from nod.domain.errors import InvalidInput
from nod.domain.inbound import dedupe_key, safe_headers
from support.clock import MONDAY_9
from support.inprocess import LOOPBACK, running
from support.receiver import receiving

PUBLIC = "https://nod.example.org/"
DUE = {"type": "task_due", "task_id": "tsk_1", "run_id": "run_1", "event_id": "evt_1"}
# CloudEvents 1.0.2, "Required Attributes" and "Optional Attributes".
REQUIRED = {"id", "source", "specversion", "type"}
OPTIONAL = {"datacontenttype", "dataschema", "subject", "time", "data"}


def wrapped(event: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(cloud_event(json.dumps(event), "agt_1", MONDAY_9, PUBLIC))
    return found


def hold_to_the_specification(event: dict[str, Any]) -> None:
    assert set(event) >= REQUIRED
    assert set(event) <= REQUIRED | OPTIONAL
    # "Attribute Naming": lower-case letters and digits; no attribute is null or empty.
    assert all(re.fullmatch(r"[a-z0-9]{1,20}", name) for name in event)
    assert event["specversion"] == "1.0"
    assert all(isinstance(event[name], str) and event[name] for name in REQUIRED)
    assert urlsplit(event["source"]).scheme
    assert datetime.fromisoformat(event["time"]).tzinfo is not None  # RFC 3339
    assert event["datacontenttype"] == "application/json"
    assert isinstance(event["data"], dict)


@pytest.mark.parametrize(
    ("event", "source", "subject"),
    [
        (DUE, "https://nod.example.org/tasks/tsk_1", "run_1"),
        (
            {"type": "decision_resolved", "task_run_id": "run_2", "event_id": "evt_2"},
            "https://nod.example.org/agents/agt_1/settings",
            "run_2",
        ),
        (
            {"type": "user_message", "text": "Hi", "event_id": "evt_3"},
            "https://nod.example.org/agents/agt_1/settings",
            None,
        ),
    ],
)
def test_an_event_has_what_the_specification_asks_for(
    event: dict[str, Any], source: str, subject: str | None
) -> None:
    found = wrapped(event)
    hold_to_the_specification(found)
    assert (found["id"], found["type"]) == (event["event_id"], f"nod.{event['type']}")
    assert (found["source"], found.get("subject")) == (source, subject)
    assert found["time"] == "2026-03-02T09:00:00Z"
    assert found["data"] == event


def test_a_call_is_known_again_by_source_and_id_in_either_mode() -> None:
    structured = {"content-type": "application/cloudevents+json; charset=utf-8"}
    body = json.dumps({"specversion": "1.0", "id": "1", "source": "/s", "type": "t"}).encode()
    binary = {"content-type": "application/json", "ce-id": "1", "ce-source": "/s", "ce-type": "t"}
    key = dedupe_key(binary, b"{}")
    assert key is not None
    assert dedupe_key(structured, body) == key
    assert dedupe_key({**binary, "ce-source": "/other"}, b"{}") not in (key, None)
    assert dedupe_key({**binary, "idempotency-key": "k"}, b"{}") == "idempotency-key:k"
    assert dedupe_key({"ce-id": "1"}, b"{}") is None
    assert dedupe_key({"content-type": "application/json"}, body) is None
    assert dedupe_key(structured, b"[]") is None
    assert safe_headers(binary)["ce-type"] == "t"


async def test_an_agent_gets_them_signed_over_the_body_and_one_test(tmp_path: Path) -> None:
    async with receiving() as hook, running(tmp_path) as nod:
        ada = await nod.add_agent(webhook_url=hook.url, webhook_format="cloudevents")
        task = await nod.add_task(ada)
        (run_id,) = await nod.fire(task)
        event = await nod.until_settled(run_id)
        (call,) = hook.calls
        assert call.headers["content-type"] == "application/cloudevents+json"
        envelope = json.loads(call.body)
        hold_to_the_specification(envelope)
        assert (envelope["id"], envelope["subject"]) == (event.id, run_id)
        assert Webhook(ada.webhook_secret).verify(call.body, call.headers) == envelope
        assert verify_webhook(call.body, call.headers, ada.secret) == envelope["data"]
        assert envelope["data"]["event_id"] == event.id
        owner = await nod.nod.store.read(lambda tx: tx.people.first_user())
        assert owner is not None
        trial = await nod.nod.store.read(
            lambda tx: make_trial_call(tx, nod.nod.vault, owner, ada.agent.id, PUBLIC)
        )
        assert trial.headers["Content-Type"] == "application/cloudevents+json"
        hold_to_the_specification(json.loads(trial.body))


async def test_the_format_is_one_of_two(tmp_path: Path) -> None:
    async with running(tmp_path) as nod:
        ada = await nod.add_agent()

        async def choose(wanted: str) -> str:
            changes = AgentChanges(frozenset({"webhook_format"}), webhook_format=wanted)
            changed = await nod.nod.store.write(
                lambda tx: agents.update_agent(tx, LOOPBACK, ada.agent, changes)
            )
            return changed.webhook_format

        assert await choose("cloudevents") == "cloudevents"
        with pytest.raises(InvalidInput, match="must be nod or cloudevents"):
            await choose("avro")
        assert await choose("nod") == "nod"
