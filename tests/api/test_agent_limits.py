"""The limits of what an agent may send: the last that fits, and the first that does not."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from nod.domain.limits import Limits
from support.inprocess import running

LIMITS = Limits()
TASK = {"name": "Report", "prompt": "Say how it is.", "schedule": "0 9 * * *"}
DECISION = {"type": "decision", "title": "May I?"}


def task(**fields: Any) -> tuple[str, dict[str, Any]]:
    return "/tasks", {**TASK, **fields}


def event(what: str, **fields: Any) -> tuple[str, dict[str, Any]]:
    return "/events", {"type": what, **fields}


def letters(count: int) -> str:
    """So many characters, each more than a byte: it is characters that count."""
    return "é" * count


def options(count: int) -> list[str]:
    return [str(number) for number in range(count)]


def patterns(count: int) -> list[dict[str, str]]:
    return [{"pattern": each} for each in options(count)]


EDGES = {
    "name_chars": lambda n: task(name=letters(n)),
    "prompt_chars": lambda n: task(prompt=letters(n)),
    "description_chars": lambda n: task(description=letters(n)),
    "description_chars of a decision": lambda n: event(
        "decision", title="t", description=letters(n)
    ),
    "description_chars of an alert": lambda n: event("alert", title="t", text=letters(n)),
    "description_chars of a report": lambda n: event(
        "message", text="t", report_description=letters(n)
    ),
    "title_chars": lambda n: event("decision", title=letters(n)),
    "title_chars of an option": lambda n: event(
        "decision", title="t", kind="choice", options=["a", letters(n)]
    ),
    "title_chars of a pattern": lambda n: event(
        "decision", title="t", always_allow_options=[{"pattern": letters(n)}]
    ),
    "title_chars of a label": lambda n: event("decision", title="t", always_allow_label=letters(n)),
    "title_chars of an alert": lambda n: event("alert", title=letters(n)),
    "title_chars of a report": lambda n: event("message", text="t", report_title=letters(n)),
    "message_chars": lambda n: event("message", text=letters(n)),
    "status_text_chars": lambda n: event("processing_start", status_text=letters(n)),
    "decision_options": lambda n: event("decision", title="t", kind="choice", options=options(n)),
    "always_patterns": lambda n: event("decision", title="t", always_allow_options=patterns(n)),
    "timeout_max_s": lambda n: task(timeout_s=n),
    "max_attempts": lambda n: task(max_attempts=n),
    "spread_max_s": lambda n: task(spread_s=n),
    "catch_up_window_max_s": lambda n: task(catch_up_window_s=n),
    "decision_expires_max_s": lambda n: event("decision", title="t", expires_in_s=n),
}


@pytest.mark.parametrize("name", EDGES)
async def test_what_fits_is_taken_and_one_more_is_refused(
    http: httpx.AsyncClient, name: str
) -> None:
    most: int = getattr(LIMITS, name.partition(" ")[0])
    path, body = EDGES[name](most)
    fits = await http.post(path, json=body)
    assert fits.status_code == 200, fits.text[:300]
    path, body = EDGES[name](most + 1)
    refused = await http.post(path, json=body)
    assert refused.status_code == 400
    detail = refused.json()["detail"]
    assert str(most) in detail
    assert len(detail) < 300


@pytest.mark.parametrize(
    ("field", "least"),
    [("timeout_s", 1), ("max_attempts", 1), ("spread_s", 0), ("catch_up_window_s", 0)],
)
async def test_the_lower_ends_hold_too(http: httpx.AsyncClient, field: str, least: int) -> None:
    assert (await http.post("/tasks", json={**TASK, field: least})).status_code == 200
    refused = await http.post("/tasks", json={**TASK, field: least - 1})
    assert refused.status_code == 400
    assert refused.json()["detail"].startswith(f"{field} must be between {least} and ")


async def test_so_many_questions_wait_and_one_more_is_asked_to_wait_itself(
    tmp_path: Path,
) -> None:
    async with (
        running(tmp_path, open_decisions=2) as nod,
        nod.http(await nod.add_agent()) as http,
    ):
        for _ in range(2):
            assert (await http.post("/events", json=DECISION)).status_code == 200
        refused = await http.post("/events", json=DECISION)
        assert refused.status_code == 429
        assert 0 < int(refused.headers["retry-after"]) <= LIMITS.decision_expires_s


async def test_an_event_may_be_as_large_as_a_picture_needs_and_no_larger(
    http: httpx.AsyncClient,
) -> None:
    def of_size(size: int) -> bytes:
        frame = b'{"type":"processing_start","padding":""}'
        return frame[:-2] + b"x" * (size - len(frame)) + frame[-2:]

    most = LIMITS.event_body_bytes
    assert (await http.post("/events", content=of_size(most))).status_code == 200
    refused = await http.post("/events", content=of_size(most + 1))
    assert refused.status_code == 413
    assert list(refused.json()) == ["detail"]


async def test_limits_that_are_set_lower_hold(tmp_path: Path) -> None:
    async with (
        running(tmp_path, summary_chars=10, page_items=3, long_poll_s=2) as nod,
        nod.http(await nod.add_agent()) as http,
    ):
        made = (await http.post("/tasks", json=TASK)).json()
        run = (await http.post(f"/tasks/{made['id']}/run/start")).json()["run_id"]
        done = {"status": "completed", "summary": "x" * 11}
        assert (await http.post(f"/tasks/runs/{run}/complete", json=done)).status_code == 400
        over = await http.get(f"/tasks/{made['id']}/runs", params={"limit": 4})
        assert over.json()["detail"] == "limit must be between 1 and 3; got 4"
        assert (await http.get("/events", params={"wait_s": 3})).status_code == 400
