"""A caller's trace comes out with the run's events, on every channel."""

import json
from pathlib import Path
from typing import Any

import httpx

from nod.delivery.frames import trace_headers
from support.household import Household, open_household
from support.inprocess import running
from support.receiver import receiving

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
TRACE = {"traceparent": PARENT, "tracestate": "congo=1"}


async def test_it_is_a_header_of_the_webhook_and_stands_in_the_event(tmp_path: Path) -> None:
    async with receiving() as hook, running(tmp_path) as nod:
        ada = await nod.add_agent(webhook_url=hook.url, webhook_format="cloudevents")
        task = await nod.add_task(ada, "event")
        async with httpx.AsyncClient() as caller:
            url = f"{nod.url}/api/webhooks/{task.trigger_id}"
            run_ids = [
                (await caller.post(url, json={}, headers=headers)).json()["run_id"]
                for headers in (TRACE, {}, {"traceparent": "nonsense"})
            ]
        for run_id in run_ids:
            await nod.until_settled(run_id)
        found = {json.loads(call.body)["subject"]: call for call in hook.calls}
        first, *others = (found[run_id] for run_id in run_ids)
        assert {name: first.headers[name] for name in TRACE} == TRACE
        envelope = json.loads(first.body)
        assert TRACE.items() <= envelope.items()
        assert TRACE.items() <= envelope["data"].items()
        for call in others:
            assert "traceparent" not in call.headers
            assert "traceparent" not in json.loads(call.body)["data"]


async def polled(house: Household) -> list[dict[str, Any]]:
    answer = await house.without_token.get("/api/agent/events", headers=house.as_agent(house.ann))
    found: list[dict[str, Any]] = answer.json()
    return found


async def test_it_is_polled_and_goes_on_with_what_a_person_runs(tmp_path: Path) -> None:
    async with open_household(tmp_path) as house:
        wanted = {"name": "Push", "prompt": "Go.", "schedule": "event", "overlap": "allow"}
        tasks = f"/api/tasks/{house.ann.agent.id}"
        task = (await house.ann.http.post(tasks, json=wanted)).json()
        called = await house.without_token.post(
            f"/api/webhooks/{task['trigger_id']}", json={}, headers=TRACE
        )
        run = await house.ann.http.post(f"{tasks}/{task['id']}/run", headers=TRACE)
        assert run.json()["traceparent"] == PARENT
        await house.ann.http.post(f"{tasks}/{task['id']}/run")
        events = await polled(house)
        assert [each.get("traceparent") for each in events] == [PARENT, PARENT, None]
        (pending,) = (
            await house.without_token.get(
                "/api/agent/tasks/triggers/pending", headers=house.as_agent(house.ann)
            )
        ).json()
        assert pending["run_id"] == called.json()["run_id"]
        assert TRACE.items() <= pending.items()


def test_no_text_of_an_event_is_taken_for_its_trace() -> None:
    event = json.dumps({"task_prompt": '"traceparent":"00-1"'}, separators=(",", ":"))
    assert trace_headers(event) == {}
