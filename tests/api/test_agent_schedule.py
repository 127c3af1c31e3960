"""What a schedule means, before a task is made of it."""

from typing import Any

import httpx
import pytest

PREVIEW = "/schedule/preview"


async def test_a_preview_says_it_in_words_and_in_both_times(http: httpx.AsyncClient) -> None:
    query: dict[str, Any] = {
        "schedule": "0 9 * * 1-5",
        "timezone": "Europe/Berlin",
        "from": "2026-03-27T00:00:00Z",
        "count": 3,
    }
    found = (await http.get(PREVIEW, params=query)).json()
    assert list(found) == ["schedule", "timezone", "description", "next", "local", "notes"]
    assert (found["schedule"], found["timezone"]) == ("0 9 * * 1-5", "Europe/Berlin")
    assert "09:00" in found["description"]
    # Clocks change between Friday and Monday.
    assert found["next"] == [
        "2026-03-27T08:00:00Z",
        "2026-03-30T07:00:00Z",
        "2026-03-31T07:00:00Z",
    ]
    assert found["local"] == [
        "2026-03-27T09:00:00+01:00",
        "2026-03-30T09:00:00+02:00",
        "2026-03-31T09:00:00+02:00",
    ]


async def test_a_preview_needs_no_more_than_the_schedule(http: httpx.AsyncClient) -> None:
    found = (await http.get(PREVIEW, params={"schedule": "*/15 * * * *"})).json()
    assert found["timezone"] == "UTC"
    assert len(found["next"]) == 5


async def test_a_preview_tells_of_the_either_day_rule(http: httpx.AsyncClient) -> None:
    found = (await http.get(PREVIEW, params={"schedule": "0 9 1 * 1"})).json()
    assert any("either" in note.lower() for note in found["notes"])


async def test_a_preview_knows_one_time_and_event_tasks(http: httpx.AsyncClient) -> None:
    once = {"schedule": "once", "run_at": "2199-01-01T09:00:00Z"}
    assert (await http.get(PREVIEW, params=once)).json()["next"] == ["2199-01-01T09:00:00Z"]
    assert (await http.get(PREVIEW, params={"schedule": "event"})).json()["next"] == []


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ({}, "schedule is missing"),
        ({"schedule": "61 * * * *"}, "minute"),
        ({"schedule": "0 0 30 2 *"}, "never fires"),
        ({"schedule": "0 9 * *"}, "five"),
        ({"schedule": "* * * * *", "timezone": "Mars/Base"}, "Mars/Base"),
        ({"schedule": "* * * * *", "count": 0}, "count must be between 1 and 100"),
        ({"schedule": "* * * * *", "count": 101}, "count must be between 1 and 100"),
        ({"schedule": "* * * * *", "count": "many"}, "count must be a whole number"),
        ({"schedule": "* * * * *", "from": "yesterday"}, "from must be a time"),
        ({"schedule": "once", "run_at": "soon"}, "run_at must be a time"),
    ],
)
async def test_a_preview_that_cannot_be_made_says_why(
    http: httpx.AsyncClient, query: dict[str, Any], told: str
) -> None:
    answer = await http.get(PREVIEW, params=query)
    assert answer.status_code == 400
    assert told in answer.json()["detail"]


async def test_a_page_of_100_fires_is_the_most(http: httpx.AsyncClient) -> None:
    found = await http.get(PREVIEW, params={"schedule": "* * * * *", "count": 100})
    assert len(found.json()["next"]) == 100


async def test_a_preview_reads_words_too(http: httpx.AsyncClient) -> None:
    query = {"schedule": "every weekday at 9", "from": "2026-03-27T00:00:00Z"}
    assert (await http.get(PREVIEW, params=query)).json()["schedule"] == "0 9 * * 1-5"
    query = {"schedule": "tomorrow at 9", "from": "2026-03-27T12:00:00Z"}
    found = (await http.get(PREVIEW, params=query)).json()
    assert (found["schedule"], found["next"]) == ("once", ["2026-03-28T09:00:00Z"])
