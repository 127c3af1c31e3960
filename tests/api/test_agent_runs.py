"""Runs over the agent API: taking up, the scratchpad, the deliverable, completion."""

import httpx
import pytest

from nod.actions.agents import Credentials
from nod.domain.limits import KIB, MIB
from support.inprocess import InProcess


@pytest.fixture
async def run(nod: InProcess, ada: Credentials) -> str:
    """The path of a run that waits."""
    (made,) = await nod.fire(await nod.add_task(ada))
    return f"/tasks/runs/{made}"


def id_of(run: str) -> str:
    return run.rpartition("/")[2]


async def complete(http: httpx.AsyncClient, run: str, **body: object) -> httpx.Response:
    return await http.post(f"{run}/complete", json={"status": "completed", **body})


# taking up


async def test_a_run_has_every_field_of_the_contract(http: httpx.AsyncClient, run: str) -> None:
    found = (await http.get(run)).json()
    assert list(found)[:7] == [
        "id",
        "task_id",
        "agent_id",
        "status",
        "summary",
        "started_at",
        "finished_at",
    ]
    assert (
        found.items()
        >= {
            "id": id_of(run),
            "status": "pending",
            "summary": None,
            "started_at": None,
            "finished_at": None,
            "delivered_at": None,
            "trigger": "manual",
            "delivery": "pending",
            "attempt": 1,
            "retry_of": None,
            "late": False,
            "error": None,
            "reason": None,
            "timeout_s": 3600,
        }.items()
    )
    assert found["scheduled_for"].endswith("Z")
    assert found["created_at"].endswith("Z")
    assert found["usage"] == {"input_tokens": None, "output_tokens": None, "cost_usd": None}


async def test_starting_takes_up_the_oldest_run_that_waits_and_else_makes_one(
    nod: InProcess, http: httpx.AsyncClient, ada: Credentials
) -> None:
    task = await nod.add_task(ada)
    waiting = [(await nod.fire(task))[0] for _ in range(2)]
    start = f"/tasks/{task.id}/run/start"
    taken = [(await http.post(start)).json()["run_id"] for _ in range(3)]
    assert taken[:2] == waiting
    assert taken[2] not in waiting
    for run in taken:
        found = (await http.get(f"/tasks/runs/{run}")).json()
        assert (found["status"], found["delivery"]) == ("running", "polled")
        assert found["started_at"].endswith("Z")
        assert found["deadline_at"] is not None


async def test_looking_at_a_run_does_not_take_it_up(http: httpx.AsyncClient, run: str) -> None:
    for _ in range(2):
        assert (await http.get(run)).json()["status"] == "pending"


async def test_naming_a_run_takes_it_up(
    nod: InProcess, http: httpx.AsyncClient, ada: Credentials
) -> None:
    task = await nod.add_task(ada)
    for method, path, body in (
        ("POST", "/tasks/runs/{0}/context", {"run_id": "{0}", "text": "t"}),
        ("GET", "/tasks/runs/{0}/context", None),
        ("PUT", "/tasks/runs/{0}/output", {"text": "t"}),
        ("POST", "/events", {"type": "message", "text": "t", "task_run_id": "{0}"}),
        ("POST", "/events", {"type": "alert", "title": "t", "task_run_id": "{0}"}),
        ("POST", "/events", {"type": "processing_start", "task_run_id": "{0}"}),
    ):
        (made,) = await nod.fire(task)
        filled = body and {name: value.format(made) for name, value in body.items()}
        answer = await http.request(method, path.format(made), json=filled)
        assert answer.status_code == 200, answer.text
        assert (await http.get(f"/tasks/runs/{made}")).json()["status"] == "running", path


async def test_a_question_makes_its_run_wait(http: httpx.AsyncClient, run: str) -> None:
    asked = {"type": "decision", "title": "May I?", "task_run_id": id_of(run)}
    assert (await http.post("/events", json=asked)).status_code == 200
    assert (await http.get(run)).json()["status"] == "waiting"


# completion


async def test_completing_answers_as_the_document_says_and_keeps_the_summary(
    http: httpx.AsyncClient, run: str
) -> None:
    answer = await complete(http, run, summary="## Done\n\n- all of it")
    assert (answer.status_code, answer.json()) == (
        200,
        {"status": "completed", "run_id": id_of(run)},
    )
    found = (await http.get(run)).json()
    assert (found["status"], found["summary"]) == ("completed", "## Done\n\n- all of it")
    assert found["started_at"] <= found["finished_at"]
    assert found["error"] is None


async def test_a_failure_says_what_the_agent_said(http: httpx.AsyncClient, run: str) -> None:
    answer = await complete(http, run, status="failed", summary="# No disk\nand more")
    assert answer.json() == {"status": "failed", "run_id": id_of(run)}
    found = (await http.get(run)).json()
    assert (found["status"], found["error"]) == ("failed", "agent: No disk")


@pytest.mark.parametrize("body", [{}, {"summary": None}, {"summary": ""}, {"usage": None}])
async def test_a_completion_needs_no_summary(
    http: httpx.AsyncClient, run: str, body: dict[str, object]
) -> None:
    assert (await complete(http, run, **body)).status_code == 200


async def test_the_same_completion_again_answers_the_first_result(
    http: httpx.AsyncClient, run: str
) -> None:
    first = await complete(http, run, summary="first")
    before = (await http.get(run)).json()
    again = await complete(http, run, summary="second")
    assert (again.status_code, again.json()) == (200, first.json())
    assert (await http.get(run)).json() == before


@pytest.mark.parametrize(("first", "second"), [("completed", "failed"), ("failed", "completed")])
async def test_another_result_afterwards_is_a_conflict(
    http: httpx.AsyncClient, run: str, first: str, second: str
) -> None:
    await complete(http, run, status=first, summary="first")
    answer = await complete(http, run, status=second)
    assert answer.status_code == 409
    assert f"is {first}" in answer.json()["detail"]
    assert (await http.get(run)).json()["status"] == first


@pytest.mark.parametrize("letter", ["a", "é", "🎉"])
async def test_a_summary_has_1000_characters_and_not_one_more(
    http: httpx.AsyncClient, run: str, letter: str
) -> None:
    before = (await http.get(run)).json()
    refused = await complete(http, run, summary=letter * 1001)
    assert refused.status_code == 400
    assert "1001 characters" in refused.json()["detail"]
    assert f"PUT /api/agent{run}/output" in refused.json()["detail"]
    assert (await http.get(run)).json() == before
    assert (await complete(http, run, summary=letter * 1000)).status_code == 200
    assert (await http.get(run)).json()["summary"] == letter * 1000


async def test_usage_is_kept_to_the_highest_exact_number(http: httpx.AsyncClient, run: str) -> None:
    for wrong in (
        {"input_tokens": -1},
        {"output_tokens": 2**53},
        {"input_tokens": 1.5},
        {"cost_usd": -0.01},
        {"cost_usd": "much"},
        {"cost_usd": "nan"},
        {"cost_usd": "inf"},
    ):
        assert (await complete(http, run, usage=wrong)).status_code == 400, wrong
    assert (await http.get(run)).json()["status"] == "pending"
    usage = {"input_tokens": 2**53 - 1, "output_tokens": 0, "cost_usd": 0.25}
    assert (await complete(http, run, usage=usage)).status_code == 200
    assert (await http.get(run)).json()["usage"] == usage


async def test_usage_of_heartbeats_is_kept_too(http: httpx.AsyncClient, run: str) -> None:
    beat = {"type": "processing_start", "task_run_id": id_of(run), "usage": {"input_tokens": 5}}
    assert (await http.post("/events", json=beat)).status_code == 200
    await complete(http, run, usage={"output_tokens": 7})
    usage = (await http.get(run)).json()["usage"]
    assert usage == {"input_tokens": 5, "output_tokens": 7, "cost_usd": None}


# the deliverable


async def test_the_output_is_the_summary_that_is_shown_before_and_after_completion(
    http: httpx.AsyncClient, run: str
) -> None:
    early = await http.put(f"{run}/output", json={"text": "# Early"})
    assert early.json() == {"status": "running", "run_id": id_of(run)}
    await complete(http, run, summary="short")
    assert (await http.get(run)).json()["summary"] == "# Early"
    late = await http.put(f"{run}/output", json={"text": "# Late"})
    assert late.json() == {"status": "completed", "run_id": id_of(run)}
    assert (await http.get(run)).json()["summary"] == "# Late"


async def test_without_output_and_summary_the_messages_are_the_deliverable(
    http: httpx.AsyncClient, run: str
) -> None:
    for text in ("One.", "Two."):
        say = {"type": "message", "text": text, "task_run_id": id_of(run)}
        assert (await http.post("/events", json=say)).status_code == 200
    await complete(http, run)
    assert (await http.get(run)).json()["summary"] == "One.\n\nTwo."


async def test_an_output_holds_a_mebibyte_and_not_a_byte_more(
    http: httpx.AsyncClient, run: str
) -> None:
    # Quotes double in JSON, so the body is twice as large as the text.
    whole = '"' * MIB
    assert (await http.put(f"{run}/output", json={"text": whole})).status_code == 200
    refused = await http.put(f"{run}/output", json={"text": "é" * (MIB // 2) + "x"})
    assert refused.status_code == 413
    assert (await http.get(run)).json()["summary"] == whole


async def test_a_cancelled_run_takes_no_output(
    nod: InProcess, http: httpx.AsyncClient, ada: Credentials
) -> None:
    task = await nod.add_task(ada)
    (made,) = await nod.fire(task)
    await http.delete(f"/tasks/{task.id}")
    path = f"/tasks/runs/{made}"
    assert (await http.put(f"{path}/output", json={"text": "t"})).status_code == 409
    assert (await complete(http, path)).status_code == 409


# the scratchpad


async def test_the_scratchpad_keeps_its_blocks_in_order_until_completion(
    http: httpx.AsyncClient, run: str
) -> None:
    context = f"{run}/context"
    for number, text in enumerate(("one", "two", "three"), start=1):
        answer = await http.post(context, json={"run_id": id_of(run), "text": text})
        assert answer.json() == {"status": "ok", "block_id": number}
    found = (await http.get(context)).json()
    assert found["run_id"] == id_of(run)
    assert [(block["id"], block["text"]) for block in found["blocks"]] == [
        (1, "one"),
        (2, "two"),
        (3, "three"),
    ]
    assert all(set(block) == {"id", "text", "created_at"} for block in found["blocks"])
    await complete(http, run)
    assert (await http.get(context)).json() == {"run_id": id_of(run), "blocks": []}
    refused = await http.post(context, json={"run_id": id_of(run), "text": "four"})
    assert refused.status_code == 409


async def test_a_block_for_another_run_than_the_paths_is_refused(
    nod: InProcess, http: httpx.AsyncClient, run: str, ada: Credentials
) -> None:
    (other,) = await nod.fire(await nod.add_task(ada))
    answer = await http.post(f"{run}/context", json={"run_id": other, "text": "t"})
    assert answer.status_code == 400
    assert id_of(run) in answer.json()["detail"]
    assert (await http.post(f"{run}/context", json={"text": "t"})).status_code == 400
    for each in (id_of(run), other):
        assert (await nod.run(each)).status == "pending"


async def test_a_block_holds_64_kib_and_a_scratchpad_one_mebibyte(
    http: httpx.AsyncClient, run: str
) -> None:
    async def add(text: str) -> int:
        body = {"run_id": id_of(run), "text": text}
        return (await http.post(f"{run}/context", json=body)).status_code

    assert await add("é" * (32 * KIB) + "x") == 413
    for _ in range(16):
        assert await add("é" * (32 * KIB)) == 200
    assert await add("x") == 413
    assert len((await http.get(f"{run}/context")).json()["blocks"]) == 16
