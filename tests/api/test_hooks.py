"""A call of a trigger's address, as GitHub, Stripe, Slack or curl make it."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from nod.actions import agents, tasks
from nod.actions.agents import Credentials
from nod.domain.model import Payload, Task
from nod.domain.task_fields import TaskFields
from nod.store.store import Tx
from support.inprocess import InProcess

KEY = "a secret of both"


@pytest.fixture
async def caller(nod: InProcess) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody out there."""
    async with httpx.AsyncClient(base_url=f"{nod.url}/api/webhooks") as client:
        yield client


@pytest.fixture
async def task(nod: InProcess, ada: Credentials) -> Task:
    return await nod.add_task(ada, "event", name="Process push")


def address(task: Task) -> str:
    assert task.trigger_id is not None
    return f"/{task.trigger_id}"


async def brought(nod: InProcess, answer: httpx.Response) -> tuple[Any, dict[str, Any]]:
    """What the agent gets to see of the call: its payload and its circumstances."""
    assert answer.status_code == 202, answer.text
    found = await nod.nod.store.read(lambda tx: tx.runs.payload(answer.json()["run_id"]))
    assert isinstance(found, Payload)
    return json.loads(found.payload), json.loads(found.inbound)


async def test_a_call_is_answered_once_its_run_is_stored(
    nod: InProcess, caller: httpx.AsyncClient, task: Task
) -> None:
    answer = await caller.post(address(task), json={"ref": "refs/heads/main"})
    assert answer.status_code == 202
    assert list(answer.json()) == ["status", "event_id", "run_id"]
    assert answer.json()["status"] == "accepted"
    run = await nod.run(answer.json()["run_id"])
    assert (run.task_id, run.trigger, run.status) == (task.id, "event", "pending")
    assert (await nod.event(run.id)).id == answer.json()["event_id"]


async def test_the_agent_gets_the_payload_beside_the_prompt_and_no_secret_header(
    nod: InProcess, ada: Credentials, caller: httpx.AsyncClient, task: Task
) -> None:
    async with nod.peer(ada) as peer:
        await caller.post(
            address(task) + "?a=1&b=2&b=3",
            json={"ref": "main"},
            headers={"X-GitHub-Event": "push", "Authorization": "Bearer x", "Cookie": "y=z"},
        )
        event = await peer.event()
    assert (event["type"], event["task_prompt"]) == ("task_trigger", task.prompt)
    assert event["payload"] == {"ref": "main"}
    assert event["trigger"]["source"] == "github"
    assert event["trigger"]["query"] == {"a": "1", "b": ["2", "3"]}
    assert event["trigger"]["headers"]["x-github-event"] == "push"
    assert not {"authorization", "cookie"} & event["trigger"]["headers"].keys()


@pytest.mark.parametrize(
    ("content_type", "body", "payload"),
    [
        ("application/json", b'{"n": 1e2}', {"n": 100.0}),
        ("application/x-www-form-urlencoded", b"a=1&a=2&b=", {"a": ["1", "2"], "b": ""}),
        ("text/plain", "grüß".encode(), {"body": "grüß"}),
        ("", b"", {}),
    ],
)
async def test_any_body_is_taken(
    nod: InProcess,
    caller: httpx.AsyncClient,
    task: Task,
    content_type: str,
    body: bytes,
    payload: Any,
) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    answer = await caller.post(address(task), content=body, headers=headers)
    assert (await brought(nod, answer))[0] == payload


async def test_a_repeated_call_is_answered_with_the_first_run(
    caller: httpx.AsyncClient, task: Task
) -> None:
    headers = {"X-GitHub-Delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958"}
    first, again = [await caller.post(address(task), headers=headers) for _ in range(2)]
    assert first.status_code == again.status_code == 202
    assert first.json() == again.json()


async def test_the_same_call_twenty_times_at_once_makes_one_run(
    nod: InProcess, caller: httpx.AsyncClient, task: Task
) -> None:
    headers = {"Idempotency-Key": "k"}
    answers = await asyncio.gather(
        *(caller.post(address(task), headers=headers) for _ in range(20))
    )
    assert len({answer.json()["run_id"] for answer in answers}) == 1
    assert len(await nod.nod.store.read(lambda tx: tx.runs.of_task(task.id, 100))) == 1


async def test_a_signed_call_is_taken_and_a_forged_one_makes_no_run(
    nod: InProcess, ada: Credentials, caller: httpx.AsyncClient
) -> None:
    task = await nod.add_task(ada, "event", verify="github", verify_secret=KEY)
    body = b'{"zen":"Keep it logically awesome."}'
    signature = "sha256=" + hmac.new(KEY.encode(), body, hashlib.sha256).hexdigest()
    signed = {"X-Hub-Signature-256": signature}
    forged = {"X-Hub-Signature-256": "sha256=" + "0" * 64}
    refused = [
        await caller.post(address(task), content=body),
        await caller.post(address(task), content=body, headers=forged),
        await caller.post(address(task), content=body + b" ", headers=signed),
    ]
    assert [answer.status_code for answer in refused] == [401, 401, 401]
    assert signature not in "".join(answer.text for answer in refused)
    assert await nod.nod.store.read(lambda tx: tx.runs.of_task(task.id, 100)) == []
    assert (await caller.post(address(task), content=body, headers=signed)).status_code == 202


async def test_a_service_that_checks_the_address_gets_its_answer_and_makes_no_run(
    nod: InProcess, caller: httpx.AsyncClient, task: Task
) -> None:
    asked = {"type": "url_verification", "challenge": "3eZbrw1a"}
    slack = await caller.post(address(task), json=asked)
    graph = await caller.post(address(task) + "?validationToken=Validation%3A+1")
    twice = await caller.post(address(task) + "?validationToken=a&validationToken=b")
    assert (slack.status_code, slack.json()) == (200, {"challenge": "3eZbrw1a"})
    assert (graph.status_code, graph.text) == (200, "Validation: 1")
    assert graph.headers["content-type"].startswith("text/plain")
    assert graph.headers["x-content-type-options"] == "nosniff"
    assert twice.status_code == 202
    assert len(await nod.nod.store.read(lambda tx: tx.runs.of_task(task.id, 100))) == 1


async def test_a_paused_task_refuses_until_it_is_resumed(
    nod: InProcess, ada: Credentials, caller: httpx.AsyncClient, task: Task
) -> None:
    await nod.nod.store.write(lambda tx: tasks.pause(tx, ada.agent, task.id, "holidays"))
    refused = await caller.post(address(task))
    assert refused.status_code == 409
    assert "holidays" in refused.json()["detail"]
    await nod.nod.store.write(lambda tx: tasks.resume(tx, ada.agent, task.id))
    assert (await caller.post(address(task))).status_code == 202


async def test_more_calls_than_the_limit_are_told_when_to_come_again(
    nod: InProcess, caller: httpx.AsyncClient, task: Task
) -> None:
    most = nod.nod.limits.triggers_per_minute
    codes = [(await caller.post(address(task))).status_code for _ in range(most)]
    assert codes == [202] * most
    refused = await caller.post(address(task))
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["Retry-After"]) <= 60


@pytest.mark.parametrize("trigger_id", ["0" * 64, "0" * 63, "A" * 64, "%00" * 8, "x"])
async def test_an_unknown_trigger_is_not_found(caller: httpx.AsyncClient, trigger_id: str) -> None:
    answer = await caller.post(f"/{trigger_id}", json={})
    assert answer.status_code == 404
    assert list(answer.json()) == ["detail"]


async def test_a_removed_task_and_a_removed_agent_are_not_found(
    nod: InProcess, ada: Credentials, caller: httpx.AsyncClient, task: Task
) -> None:
    other = await nod.add_task(ada, "event", name="Other")
    await nod.nod.store.write(lambda tx: tasks.remove(tx, ada.agent, other.id))
    assert (await caller.post(address(other))).status_code == 404
    await nod.nod.store.write(lambda tx: agents.remove_agent(tx, ada.agent))
    assert (await caller.post(address(task))).status_code == 404


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"])
async def test_other_methods_are_refused_and_told_which_is_taken(
    caller: httpx.AsyncClient, task: Task, method: str
) -> None:
    answer = await caller.request(method, address(task))
    assert answer.status_code == 405
    assert answer.headers["Allow"] == "POST"


async def test_a_body_of_the_limit_is_taken_and_one_byte_more_is_not(
    nod: InProcess, caller: httpx.AsyncClient, task: Task
) -> None:
    most = nod.nod.limits.body_bytes
    assert (await caller.post(address(task), content=b"x" * most)).status_code == 202
    refused = await caller.post(address(task), content=b"x" * (most + 1))
    assert refused.status_code == 413
    assert str(most) in refused.json()["detail"]


async def test_a_body_without_a_length_is_cut_off_where_it_grows_too_large(
    nod: InProcess, task: Task
) -> None:
    """A caller that streams for ever is answered, however long it goes on."""
    reader, writer = await asyncio.open_connection("127.0.0.1", nod.port)
    head = f"POST /api/webhooks{address(task)} HTTP/1.1\r\nHost: nod\r\n"
    writer.write(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
    chunk = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    for _ in range(nod.nod.limits.body_bytes // 65_536 + 1):
        writer.write(chunk)
    assert b" 413 " in await reader.readline()
    writer.close()


async def test_a_caller_that_hangs_up_half_way_makes_no_run(
    nod: InProcess, caller: httpx.AsyncClient, task: Task
) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", nod.port)
    head = f"POST /api/webhooks{address(task)} HTTP/1.1\r\nHost: nod\r\n"
    writer.write(f"{head}Content-Length: 100\r\n\r\nhalf".encode())
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    assert (await caller.post(address(task))).status_code == 202
    assert len(await nod.nod.store.read(lambda tx: tx.runs.of_task(task.id, 100))) == 1


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"n": NaN}', "declared as JSON"),
        (b'{"n": "\xff"}', "declared as JSON"),
        (b"[" * 100 + b"]" * 100, "nested deeper"),
        (b"[" * 100_000, "nested deeper"),
    ],
)
async def test_what_is_called_json_and_is_none_is_refused(
    caller: httpx.AsyncClient, task: Task, body: bytes, words: str
) -> None:
    headers = {"Content-Type": "application/json"}
    answer = await caller.post(address(task), content=body, headers=headers)
    assert answer.status_code == 400
    assert words in answer.json()["detail"]


async def test_too_many_query_fields_are_refused(
    nod: InProcess, caller: httpx.AsyncClient, task: Task
) -> None:
    query = "&".join("a" for _ in range(nod.nod.limits.form_fields + 1))
    assert (await caller.post(f"{address(task)}?{query}")).status_code == 413


async def test_a_trigger_replaced_while_its_call_comes_in_makes_no_run(
    nod: InProcess, ada: Credentials, task: Task
) -> None:
    """Between the look at the task and its transaction a body may take minutes to arrive."""
    reader, writer = await asyncio.open_connection("127.0.0.1", nod.port)
    head = f"POST /api/webhooks{address(task)} HTTP/1.1\r\nHost: nod\r\n"
    writer.write(f"{head}Content-Length: 2\r\nExpect: 100-continue\r\n\r\n".encode())
    assert b" 100 " in await reader.readline()  # the task has been found; its body is waited for
    await reader.readline()
    await nod.nod.store.write(lambda tx: _rotate(tx, ada, task))
    writer.write(b"{}")
    assert b" 404 " in await reader.readline()
    writer.close()


async def _rotate(tx: Tx, who: Credentials, task: Task) -> None:
    await tasks.rotate_trigger(tx, who.agent, task.id)


async def test_the_prompt_and_the_policy_are_those_of_the_moment_of_the_call(
    nod: InProcess, ada: Credentials, caller: httpx.AsyncClient, task: Task
) -> None:
    edit = TaskFields(prompt="Do it another way.")
    await nod.nod.store.write(lambda tx: tasks.update(tx, nod.nod.vault, ada.agent, task.id, edit))
    answer = await caller.post(address(task))
    event = await nod.event(answer.json()["run_id"])
    assert json.loads(event.body)["task_prompt"] == "Do it another way."
