"""The page of the agenda: a day, a week and a month, where each thing leads, and the calendar."""

import re
from dataclasses import replace

import httpx
import pytest

from nod.actions.agents import Credentials
from nod.actions.tasks import pause
from nod.domain.instant import DAY, HOUR, Instant
from nod.domain.model import Run, Task
from nod.domain.runs import make_run, skipped_run
from nod.engine.settle import complete
from nod.store.store import Tx
from support.agendas import done
from support.browser import signed_in
from support.clock import MONDAY_9, FakeClock
from support.inprocess import InProcess

MONDAY: Instant = MONDAY_9 - 9 * HOUR  # 2026-03-02 in UTC, where the owner is


async def get(client: httpx.AsyncClient, path: str = "/agenda") -> str:
    answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.text


async def insert(nod: InProcess, *runs: Run) -> None:
    await nod.nod.store.write(lambda tx: tx.runs.insert(runs))


async def digest(nod: InProcess, ada: Credentials, schedule: str = "0 12 * * *") -> Task:
    return await nod.add_task(ada, schedule, name="Digest")


def sections(page: str) -> dict[str, str]:
    """The parts of the day's list by their titles."""
    found = re.findall(r'<section class="section" aria-label="(.*?)">(.*?)</section>', page, re.S)
    return dict(found)


@pytest.mark.usefixtures("ada")
async def test_without_tasks_it_says_what_will_stand_here_with_one_thing_to_do(
    ann: httpx.AsyncClient,
) -> None:
    page = await get(ann)
    assert "Nothing is planned yet" in page
    assert 'class="btn go" href="/tasks/new"' in page
    assert "agenda-lanes" not in page


async def test_without_agents_it_leads_to_the_first_one(nod: InProcess) -> None:
    async with await signed_in(nod, "eve@example.org") as eve:
        assert 'class="btn go" href="/agents/new"' in await get(eve)


async def test_a_run_leads_to_its_sheet_and_a_fire_to_its_task(
    ann: httpx.AsyncClient, nod: InProcess, ada: Credentials
) -> None:
    task = await digest(nod, ada)
    run = done(task, MONDAY + 8 * HOUR, 90_000)
    await insert(nod, run)
    page = await get(ann)
    picture = page[page.index("agenda-lanes") : page.index("agenda-lists")]
    assert f'<a href="/runs/{run.id}" data-sheet tabindex="-1"' in picture
    assert "Mon 2 Mar 08:00 Digest: done in 1 min 30 s" in picture
    assert re.search(rf'<a href="/tasks/{task.id}"\s+tabindex', picture)
    found = sections(page)
    assert list(found) == ["Still to come", "Earlier today"]
    assert f'href="/tasks/{task.id}"' in found["Still to come"]
    assert f'href="/runs/{run.id}" data-sheet' in found["Earlier today"]


async def test_each_mark_stands_at_its_time_and_now_between_them(
    ann: httpx.AsyncClient, nod: InProcess, ada: Credentials
) -> None:
    task = await digest(nod, ada)
    await insert(nod, done(task, MONDAY + 6 * HOUR))
    page = await get(ann)
    assert re.findall(r'<svg x="([\d.]+)%" y="6" ', page) == ["25.0", "50.0"]
    assert 'class="agenda-now" aria-hidden="true" x="37.5%"' in page
    assert "agenda-now" not in await get(ann, "/agenda?date=2026-03-03")


async def test_a_gap_is_explained(ann: httpx.AsyncClient, nod: InProcess, ada: Credentials) -> None:
    task = await digest(nod, ada)
    at = MONDAY + 8 * HOUR
    await insert(nod, skipped_run(task, at, at, "schedule", "the 07:00 run was still going"))
    page = await get(ann)
    assert "Skipped: the 07:00 run was still going" in sections(page)["Earlier today"]
    assert 'href="#mark-skipped"' in page


async def test_what_is_under_way_is_first(
    ann: httpx.AsyncClient, nod: InProcess, ada: Credentials
) -> None:
    task = await digest(nod, ada)
    run = replace(
        make_run(task, MONDAY, MONDAY - HOUR, "manual"), status="waiting", started_at=MONDAY - HOUR
    )
    await insert(nod, run)
    found = sections(await get(ann))
    assert next(iter(found)) == "Under way"
    assert "Waiting for you" in found["Under way"]


async def test_what_reaches_over_midnight_is_on_both_days_and_says_when_it_began(
    ann: httpx.AsyncClient, nod: InProcess, ada: Credentials
) -> None:
    task = await digest(nod, ada)
    run = done(task, MONDAY - HOUR, 2 * HOUR)
    await insert(nod, run)
    today = sections(await get(ann))["Earlier today"]
    assert f'href="/runs/{run.id}"' in today
    assert '<span class="soft">Sun 1</span>' in today
    yesterday = sections(await get(ann, "/agenda?date=2026-03-01"))["What happened"]
    assert f'href="/runs/{run.id}"' in yesterday
    assert "Sun 1" not in yesterday
    week = await get(ann, "/agenda?view=week&date=2026-03-01")
    assert week.count(f'href="/runs/{run.id}" data-sheet><title>') == 1
    week = await get(ann, "/agenda?view=week")
    top = re.search(rf'href="/runs/{run.id}".*?<svg class="pill.*?y="0".*?height="44"', week, re.S)
    assert top is not None
    ids = re.findall(r'id="(line-[^"]*)"', week)
    assert len(ids) == len(set(ids))


async def test_what_falls_together_is_said_at_both(
    ann: httpx.AsyncClient, nod: InProcess, ada: Credentials
) -> None:
    await nod.add_task(ada, "0 12 * * *", name="Backup")
    await nod.add_task(ada, "0 12 * * *", name="Report")
    page = await get(ann)
    said = "&#34;Backup&#34; and &#34;Report&#34; fall together, at 12:00."
    assert sections(page)["Still to come"].count(said) == 2
    assert "<b>1</b> collision<" in page
    assert page.count('class="clash"') == 4  # in each of the two lines, at least as wide as a mark


async def test_a_paused_task_shows_what_will_not_run(
    ann: httpx.AsyncClient, nod: InProcess, ada: Credentials
) -> None:
    task = await digest(nod, ada)
    await nod.nod.store.write(lambda tx: pause(tx, ada.agent, task.id, "on holiday"))
    assert "Paused: on holiday; it will not run" in await get(ann)


async def test_a_task_that_fires_each_minute_is_a_stripe_with_a_count(
    ann: httpx.AsyncClient, nod: InProcess, ada: Credentials
) -> None:
    await digest(nod, ada, "* * * * *")
    for view in ("day", "week", "month"):
        answer = await ann.get(f"/agenda?view={view}&date=2026-03-04")
        assert len(answer.content) < 60_000, view
        assert "1,440" in answer.text
    page = await get(ann, "/agenda?date=2026-03-04")
    assert page.count('class="many mark-due"') == 1
    assert "1,440 to come" in sections(page)["Many times a day"]


async def test_many_ordinary_entries_of_a_task_are_one_line_and_a_failure_is_its_own(
    ann: httpx.AsyncClient, nod: InProcess, ada: Credentials
) -> None:
    task = await digest(nod, ada, "0 * * * *")
    runs = [done(task, MONDAY + hour * HOUR) for hour in range(9)]
    runs[3] = replace(runs[3], status="failed", error="agent: no ink")
    await insert(nod, *runs)
    found = sections(await get(ann))
    assert found["Earlier today"].count("<li") == 2
    assert "8 done" in found["Earlier today"]
    assert "Failed: no ink" in found["Earlier today"]
    assert "14 to come" in found["Still to come"]


async def test_a_day_past_and_a_day_to_come_say_so(
    ann: httpx.AsyncClient, nod: InProcess, ada: Credentials
) -> None:
    task = await digest(nod, ada)
    await insert(nod, done(task, MONDAY - DAY + HOUR))
    assert list(sections(await get(ann, "/agenda?date=2026-03-01"))) == ["What happened"]
    assert list(sections(await get(ann, "/agenda?date=2026-03-04"))) == ["To come"]
    assert "Nothing happened on this day" in await get(ann, "/agenda?date=2026-02-01")


async def test_a_day_of_25_hours_says_so_and_shows_them_all(nod: InProcess) -> None:
    berlin = await nod.add_agent("Bea", timezone="Europe/Berlin")
    await nod.add_task(berlin, "0 * * * *", name="Hourly")
    async with await signed_in(nod) as client:
        await set_zone(nod, "Europe/Berlin")
        page = await get(client, "/agenda?date=2026-10-25")
    assert "this day has 25 hours" in page
    assert len(re.findall(r'<svg x="[\d.]+%" y="6" ', page)) == 25
    assert page.count(">02</text>") == 2


async def set_zone(nod: InProcess, zone: str) -> None:
    async def change(tx: Tx) -> None:
        owner = await tx.people.first_user()
        assert owner is not None
        await tx.people.update_user(replace(owner, timezone=zone))

    await nod.nod.store.write(change)


async def test_the_views_keep_the_day_and_the_agent_and_lead_to_the_next(
    ann: httpx.AsyncClient, nod: InProcess, ada: Credentials
) -> None:
    await nod.add_agent("Bob")
    await digest(nod, ada)
    page = await get(ann, f"/agenda?date=2026-03-04&agent={ada.agent.id}")
    for view in ("week", "month"):
        expected = f"/agenda?view={view}&amp;date=2026-03-04&amp;agent={ada.agent.id}"
        assert f'href="{expected}"' in page
    assert f'href="/agenda?date=2026-03-05&amp;agent={ada.agent.id}"' in page
    assert f'href="/agenda?date=2026-03-03&amp;agent={ada.agent.id}"' in page
    assert f'href="/agenda?agent={ada.agent.id}">Today' in page
    week = await get(ann, "/agenda?view=week&date=2026-03-04")
    assert 'href="/agenda?view=week&amp;date=2026-03-11"' in week
    month = await get(ann, "/agenda?view=month&date=2026-03-31")
    assert 'href="/agenda?view=month&amp;date=2026-04-01"' in month
    assert 'href="/agenda?view=month&amp;date=2026-02-01"' in month


async def test_one_agent_alone_can_be_looked_at(
    ann: httpx.AsyncClient, nod: InProcess, ada: Credentials
) -> None:
    bob = await nod.add_agent("Bob")
    await digest(nod, ada)
    await nod.add_task(bob, "0 13 * * *", name="Walk")
    both, alone = await get(ann), await get(ann, f"/agenda?agent={bob.agent.id}")
    assert ("Digest" in both, "Walk" in both) == (True, True)
    assert ("Digest" in alone, "Walk" in alone) == (False, True)


async def test_a_week_has_seven_days_from_the_day_on_which_weeks_begin_there(
    ann: httpx.AsyncClient, nod: InProcess, ada: Credentials
) -> None:
    task = await digest(nod, ada)
    run = done(task, MONDAY + 8 * HOUR)
    await insert(nod, run)
    page = await get(ann, "/agenda?view=week")
    days = re.findall(r'<section class="agenda-column .*?aria-label="(.*?)"', page)
    assert days[0] == "Monday 2 March"
    assert len(days) == 7
    assert f'href="/runs/{run.id}" data-sheet><title>Mon 2 Mar 08:00 Digest: done' in page
    assert 'href="/agenda?date=2026-03-03"' in page

    async def american(tx: Tx) -> None:
        owner = await tx.people.first_user()
        assert owner is not None
        await tx.people.update_user(replace(owner, locale="en_US"))

    await nod.nod.store.write(american)
    page = await get(ann, "/agenda?view=week")
    days = re.findall(r'<section class="agenda-column .*?aria-label="(.*?)"', page)
    assert "Sun" in days[0]


async def test_a_month_tells_each_day_in_words_and_leads_to_it(
    ann: httpx.AsyncClient, nod: InProcess, ada: Credentials
) -> None:
    task = await digest(nod, ada)
    failed = replace(done(task, MONDAY - DAY), status="failed")
    await insert(nod, failed, done(task, MONDAY + 8 * HOUR))
    page = await get(ann, "/agenda?view=month")
    assert ">Monday 2 March: 1 done, 1 to come<" in page
    assert ">Sunday 1 March: 1 failed<" in page
    assert ">Saturday 28 February: nothing<" in page
    cell = page[: page.index(">Sunday 1 March")].rpartition("<a ")[2]
    assert "heat-failed heat-2" in cell
    assert 'href="/agenda?date=2026-03-01"' in cell
    assert page.count("<tr>") == 7  # the head and six weeks
    assert len(re.findall(r'aria-current="date"', page)) == 1


@pytest.mark.parametrize(
    "query",
    ["view=year", "date=tomorrow", "date=2026-02-30", "date=1900-01-01", "date=9999-12-31"],
)
async def test_what_cannot_be_asked_is_said_calmly(ann: httpx.AsyncClient, query: str) -> None:
    answer = await ann.get(f"/agenda?{query}")
    assert answer.status_code == 400
    assert "must be" in answer.text


@pytest.mark.parametrize("day", ["1970-02-01", "2199-10-31"])
@pytest.mark.parametrize("view", ["day", "week", "month"])
async def test_the_calendar_ends_where_schedules_end(
    ann: httpx.AsyncClient, nod: InProcess, ada: Credentials, day: str, view: str
) -> None:
    await digest(nod, ada)
    page = await get(ann, f"/agenda?view={view}&date={day}")
    assert 'aria-disabled="true"' in page


async def test_somebody_elses_agent_is_as_if_it_did_not_exist(
    nod: InProcess, ada: Credentials
) -> None:
    await digest(nod, ada)
    async with await signed_in(nod, "eve@example.org") as eve:
        for view in ("day", "week", "month"):
            answer = await eve.get(f"/agenda?view={view}&agent={ada.agent.id}")
            assert answer.status_code == 404
        assert "Digest" not in await get(eve)


async def test_what_a_live_update_shows_is_what_a_reload_shows(
    ann: httpx.AsyncClient, nod: InProcess, ada: Credentials, clock: FakeClock
) -> None:
    task = await digest(nod, ada)
    page = await get(ann)
    address = re.search(r'id="agenda" data-live="agents tasks runs" hx-get="([^"]*)"', page)
    assert address is not None
    [run_id] = await nod.fire(task)
    clock.advance(60)
    await nod.nod.store.write(lambda tx: complete(tx, ada.agent, run_id, "completed", "Well."))
    path = address[1].replace("&amp;", "&")
    again = await ann.get(path, headers={"HX-Request": "true", "HX-Target": "agenda"})
    assert f'href="/runs/{run_id}" data-sheet' in again.text
    assert "Done" in sections(again.text)["Earlier today"]


# the calendar


def feed_path(page: str) -> str:
    found = re.search(r'<code id="feed-url">https?://[^/]+(.*?)</code>', page)
    assert found is not None
    return found[1]


async def test_the_card_has_the_address_for_programs_and_for_the_phone(
    ann: httpx.AsyncClient, nod: InProcess, ada: Credentials
) -> None:
    await digest(nod, ada)
    page = await get(ann)
    path = feed_path(page)
    assert re.search(rf'href="webcal://[^/]+{re.escape(path)}"', page)
    assert 'data-copy="#feed-url"' in page
    async with httpx.AsyncClient(base_url=nod.url) as nobody:
        answer = await nobody.get(path)
    assert "SUMMARY:Digest" in answer.text


@pytest.mark.usefixtures("ada")
async def test_a_new_address_is_shown_and_the_former_one_ends(
    ann: httpx.AsyncClient, nod: InProcess
) -> None:
    old = feed_path(await get(ann))
    headers = {"HX-Request": "true", "HX-Target": "subscribe"}
    answer = await ann.post("/agenda/feed/rotate", headers=headers)
    assert "<html" not in answer.text
    assert "The former one does not work any more" in answer.text
    new = feed_path(answer.text)
    async with httpx.AsyncClient(base_url=nod.url) as nobody:
        assert (await nobody.get(old)).status_code == 404
        assert (await nobody.get(new)).status_code == 200
    plain = await ann.post("/agenda/feed/rotate")
    assert (plain.status_code, plain.headers["Location"]) == (303, "/agenda#subscribe")
    assert feed_path(await get(ann)) not in (old, new)


async def test_another_site_cannot_give_it_a_new_address(ann: httpx.AsyncClient) -> None:
    old = feed_path(await get(ann))
    answer = await ann.post("/agenda/feed/rotate", headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403
    assert feed_path(await get(ann)) == old
