"""The agenda by API, and the calendar that other programs subscribe to."""

from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import icalendar
import pytest

from nod.domain.instant import DAY, Instant, parse_rfc3339, rfc3339
from nod.domain.runs import skipped_run
from nod.store.store import Tx
from support.agendas import done
from support.household import Household, Person, open_household

AGENDA = "/api/agenda"


async def get(person: Person, query: dict[str, str] | None = None) -> dict[str, Any]:
    answer = await person.http.get(AGENDA, params=query)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def refused(person: Person, query: dict[str, str], status: int = 400) -> str:
    answer = await person.http.get(AGENDA, params=query)
    assert answer.status_code == status, answer.text
    return str(answer.json()["detail"])


async def add_task(person: Person, schedule: str = "0 9 * * *", **given: Any) -> str:
    wanted = {"name": "Digest", "prompt": "Go.", "timezone": "UTC", "schedule": schedule, **given}
    answer = await person.http.post(f"/api/tasks/{person.agent.id}", json=wanted)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def ran(house: Household, task_id: str, at: Instant, reason: str = "") -> str:
    """The id of an entry in the past: a run, or a fire that was skipped with the reason."""
    task = await house.nod.store.read(lambda tx: tx.tasks.get(task_id))
    assert task is not None
    run = skipped_run(task, at, at, "schedule", reason) if reason else done(task, at, 90_000)
    await house.nod.store.write(lambda tx: tx.runs.insert([run]))
    return run.id


async def test_without_a_span_it_is_today_in_the_persons_zone(house: Household) -> None:
    await house.ann.http.patch("/api/me", json={"timezone": "Pacific/Kiritimati"})
    found = await get(house.ann)
    (day,) = found["days"]
    assert found["timezone"] == "Pacific/Kiritimati"
    assert day["start"].endswith("T10:00:00Z")
    assert parse_rfc3339(day["end"], "end") - parse_rfc3339(day["start"], "start") == DAY
    assert day["total"] == 0
    assert [each["agent_id"] for each in found["lanes"]] == [house.ann.agent.id]


async def test_it_has_what_was_with_its_outcome_and_what_will_be(house: Household) -> None:
    task_id = await add_task(house.ann)
    now = house.nod.clock.now()
    run_id = await ran(house, task_id, now - 2 * DAY)
    gap = await ran(house, task_id, now - 1 * DAY, "the 08:00 run was still going")
    span = {"from": rfc3339(now - 3 * DAY), "until": rfc3339(now + 2 * DAY)}
    found = await get(house.ann, span)
    first, second, *ahead = found["entries"]
    assert (first["run_id"], first["state"], first["words"]) == (
        run_id,
        "done",
        "done in 1 min 30 s",
    )
    assert second["run_id"] == gap
    assert second["words"] == "skipped: the 08:00 run was still going"
    assert [each["state"] for each in ahead] == ["due", "due"]
    assert all(each["run_id"] is None for each in ahead)
    counts: dict[str, int] = {}
    for day in found["days"]:
        for state, number in day["counts"].items():
            counts[state] = counts.get(state, 0) + number
    assert counts == {"done": 1, "skipped": 1, "due": 2}


async def test_what_falls_together_is_said_with_the_keys_of_its_entries(house: Household) -> None:
    await add_task(house.ann, name="Backup")
    await add_task(house.ann, name="Report")
    now = house.nod.clock.now()
    found = await get(house.ann, {"from": rfc3339(now), "until": rfc3339(now + DAY)})
    (clash,) = found["collisions"]
    assert clash["sentence"].startswith('"Backup" and "Report" fall together')
    assert clash["keys"] == [each["key"] for each in found["entries"]]


async def test_a_task_that_fires_each_minute_is_one_band_a_day(house: Household) -> None:
    await add_task(house.ann, "* * * * *")
    now = house.nod.clock.now()
    tomorrow = (now // DAY + 1) * DAY
    found = await get(house.ann, {"from": rfc3339(tomorrow), "until": rfc3339(tomorrow + DAY)})
    (band,) = found["bands"]
    assert (band["total"], band["counts"]) == (1440, {"due": 1440})
    assert band["words"] == "1,440 to come"
    assert found["entries"] == []


async def test_a_day_on_which_the_clock_is_changed_is_told(house: Household) -> None:
    await house.ann.http.patch("/api/me", json={"timezone": "Europe/Berlin"})
    span = {"from": "2030-10-27T00:00:00+02:00", "until": "2030-10-28T00:00:00+01:00"}
    (day,) = (await get(house.ann, span))["days"]
    assert "25 hours" in day["note"]


async def test_a_span_of_42_days_is_shown_and_not_one_more(house: Household) -> None:
    start = parse_rfc3339("2026-03-02T00:00:00Z", "test")
    span = {"from": rfc3339(start), "until": rfc3339(start + 42 * DAY)}
    assert len((await get(house.ann, span))["days"]) == 42
    longer = {**span, "until": rfc3339(start + 42 * DAY + 1000)}
    assert "42 days" in await refused(house.ann, longer)
    far = {"from": "1970-01-01T00:00:00Z", "until": "2199-01-01T00:00:00Z"}
    assert "42 days" in await refused(house.ann, far)


async def test_the_limit_of_days_can_be_set(tmp_path: Path) -> None:
    async with open_household(tmp_path, NOD_LIMIT_AGENDA_DAYS="1") as house:
        start = house.nod.clock.now() // DAY * DAY
        span = {"from": rfc3339(start), "until": rfc3339(start + DAY)}
        assert len((await get(house.ann, span))["days"]) == 1
        await refused(house.ann, {**span, "until": rfc3339(start + DAY + 1000)})


@pytest.mark.parametrize(
    ("query", "about"),
    [
        ({"from": "yesterday"}, "from must be a time"),
        ({"until": "2026-13-01"}, "until must be a time"),
        ({"from": "2026-03-02T00:00:00Z", "until": "2026-03-02T00:00:00Z"}, "after"),
        ({"until": "2001-01-01T00:00:00Z"}, "after"),
    ],
)
async def test_a_span_that_is_none_is_refused(
    house: Household, query: dict[str, str], about: str
) -> None:
    assert about in await refused(house.ann, query)


async def test_one_agent_is_shown_where_it_is_named_and_nobody_elses(house: Household) -> None:
    await add_task(house.ann, "* * * * *")
    now = house.nod.clock.now()  # at the end of a day its rest would be no band
    soon = {"from": rfc3339(now), "until": rfc3339(now + DAY)}
    named = {**soon, "agent_id": house.ann.agent.id}
    assert (await get(house.ann, named))["bands"] != []
    await refused(house.eve, named, 404)
    assert (await get(house.eve, soon))["bands"] == []


# the calendar


async def feed_path(person: Person) -> str:
    answer = await person.http.get(f"{AGENDA}/feed")
    assert answer.headers["Cache-Control"] == "no-store"
    return str(urlsplit(answer.json()["url"]).path)


async def read(house: Household, path: str, **headers: str) -> httpx.Response:
    return await house.without_token.get(path, headers=headers)


def text(event: icalendar.cal.Component, name: str) -> str:
    found: object = event[name]
    return str(found)


def events(answer: httpx.Response) -> dict[str, icalendar.cal.Component]:
    """The events by their UIDs, each there once."""
    found = icalendar.Calendar.from_ical(answer.content).walk("VEVENT")
    by_uid = {text(each, "UID"): each for each in found}
    assert len(by_uid) == len(found)
    return by_uid


async def test_the_address_is_for_programs_and_for_a_browser(house: Household) -> None:
    found = (await house.ann.http.get(f"{AGENDA}/feed")).json()
    assert found["url"].startswith("https://nod.example.org/calendar/")
    assert found["url"].endswith(".ics")
    assert found["webcal_url"] == found["url"].replace("https://", "webcal://")
    other = (await house.eve.http.get(f"{AGENDA}/feed")).json()
    assert other["url"] != found["url"]


async def test_the_calendar_has_fires_and_results_and_needs_no_sign_in(house: Household) -> None:
    task_id = await add_task(house.ann)
    now = house.nod.clock.now()
    run_id = await ran(house, task_id, now - DAY)
    answer = await read(house, await feed_path(house.ann))
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/calendar; charset=utf-8"
    found = list(events(answer).values())
    assert text(found[0], "URL") == f"https://nod.example.org/runs/{run_id}"
    assert "done" in text(found[0], "SUMMARY")
    assert found[0].decoded("DTEND") - found[0].decoded("DTSTART")
    assert 28 <= len([each for each in found if "tasks" in text(each, "URL")]) <= 29


async def test_a_fire_becomes_its_result_under_the_same_uid(house: Household) -> None:
    task_id = await add_task(house.ann, "once", run_at=rfc3339(house.nod.clock.now() + 3_600_000))
    path = await feed_path(house.ann)
    (before,) = events(await read(house, path)).items()

    async def fire(tx: Tx) -> None:
        task = await tx.tasks.get(task_id)
        assert task is not None
        assert task.next_fire_at is not None
        await tx.runs.insert([done(task, task.next_fire_at, trigger="once")])
        await tx.tasks.update(replace(task, next_fire_at=None, enabled=False))

    await house.nod.store.write(fire)
    (after,) = events(await read(house, path)).items()
    assert after[0] == before[0]
    assert "done" not in text(before[1], "SUMMARY")
    assert "done" in text(after[1], "SUMMARY")


async def test_what_has_not_changed_is_not_sent_again(house: Household) -> None:
    task_id = await add_task(house.ann)
    path = await feed_path(house.ann)
    first = await read(house, path)
    tag = first.headers["ETag"]
    for known in (tag, f'"other", W/{tag}', "*"):
        again = await read(house, path, **{"If-None-Match": known})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["ETag"] == tag
    assert (await read(house, path, **{"If-None-Match": '"other"'})).status_code == 200
    await ran(house, task_id, house.nod.clock.now() - DAY)
    changed = await read(house, path, **{"If-None-Match": tag})
    assert changed.status_code == 200
    assert changed.headers["ETag"] != tag


async def test_a_new_address_ends_the_former_one_at_once(house: Household) -> None:
    await add_task(house.ann)
    old = await feed_path(house.ann)
    answer = await house.ann.http.post(f"{AGENDA}/feed/rotate")
    assert answer.status_code == 200
    new = urlsplit(answer.json()["url"]).path
    assert new == await feed_path(house.ann) != old
    assert (await read(house, old)).status_code == 404
    assert (await read(house, new)).status_code == 200
    third = urlsplit((await house.ann.http.post(f"{AGENDA}/feed/rotate")).json()["url"]).path
    assert len({old, new, third}) == 3


async def test_a_wrong_address_is_as_if_it_did_not_exist(house: Household) -> None:
    path = await feed_path(house.ann)
    others = await feed_path(house.eve)
    mixed = f"{path.rpartition('-')[0]}-{others.rpartition('-')[2]}"
    wrong = (
        path.removesuffix(".ics"),
        path.replace(".ics", ".txt"),
        f"{path}.ics",
        f"{path[:-5]}.ics",
        mixed,
        "/calendar/x.ics",
        "/calendar/.ics",
        f"/calendar/{house.ann.user.id}-.ics",
        "/calendar/\u00e9-\u00e9.ics",
    )
    for each in wrong:
        assert (await read(house, each)).status_code == 404, each


async def test_a_feed_has_as_many_events_as_the_limit(tmp_path: Path) -> None:
    limits = {"NOD_LIMIT_FEED_EVENTS": "3", "NOD_LIMIT_FEED_FUTURE_S": str(10 * 86_400)}
    async with open_household(tmp_path, **limits) as house:
        await add_task(house.ann)
        found = events(await read(house, await feed_path(house.ann)))
        assert len(found) == 3
        starts = [each.decoded("DTSTART") for each in found.values()]
        assert starts == sorted(starts)
        assert (starts[-1] - starts[0]).days == 2


async def test_how_far_a_feed_goes_back_can_be_set(tmp_path: Path) -> None:
    async with open_household(tmp_path, NOD_LIMIT_FEED_PAST_S="1") as house:
        task_id = await add_task(house.ann, "event")
        now = house.nod.clock.now()
        await ran(house, task_id, now - 2 * DAY)
        today = await ran(house, task_id, now)
        (only,) = events(await read(house, await feed_path(house.ann))).values()
        assert text(only, "URL").endswith(today)
