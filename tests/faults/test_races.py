"""Two at the same moment: exactly one wins, and the other is told so."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from nod.actions import answers
from nod.actions.agents import Credentials
from nod.domain.decisions import Answer
from nod.domain.errors import Conflict
from nod.domain.model import Decision
from support.databases import KINDS, prepared
from support.inprocess import InProcess, running, until

TRIES = 20


@pytest.fixture(params=KINDS)
async def tmp_path(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Path]:
    """A folder that stands for a database of one kind and then of the other."""
    async with prepared(tmp_path, request.param):
        yield tmp_path


@pytest.fixture
async def nod(tmp_path: Path) -> AsyncIterator[InProcess]:
    async with running(tmp_path) as started:
        yield started


@pytest.fixture
async def ada(nod: InProcess) -> Credentials:
    return await nod.add_agent()


async def test_of_two_completions_with_different_results_one_stands(
    nod: InProcess, ada: Credentials
) -> None:
    task = await nod.add_task(ada)
    async with nod.http(ada) as http:

        async def complete(run_id: str, status: str) -> httpx.Response:
            result = {"status": status, "summary": f"It {status}."}
            return await http.post(f"/tasks/runs/{run_id}/complete", json=result)

        for run_id in await nod.fire(task, TRIES):
            answers = await asyncio.gather(
                complete(run_id, "completed"), complete(run_id, "failed")
            )
            assert sorted(each.status_code for each in answers) == [200, 409]
            winner = next(each.json()["status"] for each in answers if each.status_code == 200)
            run = await nod.run(run_id)
            assert (run.status, run.summary) == (winner, f"It {winner}.")


async def test_two_completions_with_the_same_result_are_both_answered_by_the_first(
    nod: InProcess, ada: Credentials
) -> None:
    task = await nod.add_task(ada)
    async with nod.http(ada) as http:
        for run_id in await nod.fire(task, TRIES):
            url = f"/tasks/runs/{run_id}/complete"
            answers = await asyncio.gather(
                *(http.post(url, json={"status": "completed", "summary": n}) for n in "ab")
            )
            assert [each.status_code for each in answers] == [200, 200]
            assert (await nod.run(run_id)).summary in ("a", "b")


async def test_two_starts_take_up_one_run_each(nod: InProcess, ada: Credentials) -> None:
    task = await nod.add_task(ada)
    waiting = await nod.fire(task, 2)
    async with nod.http(ada) as http:
        url = f"/tasks/{task.id}/run/start"
        answers = await asyncio.gather(http.post(url), http.post(url))
    assert sorted(each.json()["run_id"] for each in answers) == sorted(waiting)


async def test_two_calls_with_the_same_key_make_one_run(nod: InProcess, ada: Credentials) -> None:
    task = await nod.add_task(ada, "event")
    async with httpx.AsyncClient(base_url=nod.url) as http:
        for number in range(TRIES):
            answers = await asyncio.gather(
                *(
                    http.post(
                        f"/api/webhooks/{task.trigger_id}",
                        json={"n": number},
                        headers={"Idempotency-Key": f"key-{number}"},
                    )
                    for _ in range(3)
                )
            )
            assert [each.status_code for each in answers] == [202] * 3
            assert len({each.json()["run_id"] for each in answers}) == 1
            assert len({each.json()["event_id"] for each in answers}) == 1
    found = await nod.nod.store.read(lambda tx: tx.runs.of_task(task.id, 1000))
    assert len(found) == TRIES


async def test_of_two_answers_to_a_question_one_stands_and_the_agent_hears_of_one(
    nod: InProcess, ada: Credentials
) -> None:
    store = nod.nod.store
    owner = await store.read(lambda tx: tx.people.user(ada.agent.owner_id))
    assert owner is not None
    asked = {"type": "decision", "title": "Go?", "description": "", "kind": "approval"}

    async def resolve(decision_id: str, answer: Answer) -> Decision:
        return await store.write(
            lambda tx: answers.resolve(tx, nod.nod.vault, owner, decision_id, answer)
        )

    async with nod.peer(ada, acks=True) as peer, nod.http(ada) as http:
        for _ in range(TRIES):
            decision_id = (await http.post("/events", json=asked)).json()["decision_id"]
            results = await asyncio.gather(
                resolve(decision_id, Answer("approved")),
                resolve(decision_id, Answer("rejected")),
                return_exceptions=True,
            )
            (lost,) = [each for each in results if isinstance(each, Conflict)]
            assert "the first answer stands" in lost.detail
            (won,) = [each for each in results if isinstance(each, Decision)]
            event = await peer.event()
            assert (event["decision_id"], event["status"]) == (decision_id, won.status)
            await peer.ack(event)
        assert await peer.is_quiet()


async def test_a_completion_and_its_timeout_leave_one_result(tmp_path: Path) -> None:
    async with running(tmp_path) as nod:
        ada = await nod.add_agent()
        task = await nod.add_task(ada, timeout_s=1)
        async with nod.http(ada) as http:
            for run_id in await nod.fire(task, 3):
                await http.post("/events", json={"type": "processing_start", "task_run_id": run_id})
                deadline = (await nod.run(run_id)).deadline_at or 0
                await until(lambda deadline=deadline: nod.nod.clock.now() >= deadline - 5)  # type: ignore[misc]
                result = {"status": "completed", "summary": "done"}
                answer = await http.post(f"/tasks/runs/{run_id}/complete", json=result)
                assert answer.status_code == 200
                run = await nod.run(run_id)
                assert (run.status, run.summary) == ("completed", "done")
                assert run.late == (run.error is not None)
