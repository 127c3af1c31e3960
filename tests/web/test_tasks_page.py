"""The list of tasks with its switches, and the page of one: what a person sees and does there."""

import gzip
import re
from dataclasses import replace

import httpx
import pytest

from nod.actions.agents import Credentials
from nod.domain.instant import DAY, HOUR, MINUTE
from nod.domain.model import Run, Task, new_id
from nod.domain.runs import make_run
from support.browser import signed_in
from support.clock import MONDAY_9
from support.inprocess import InProcess

pytestmark = pytest.mark.usefixtures("ada")

SWITCH = {"HX-Request": "true", "HX-Target": "task"}
MOST_BYTES = 60_000  # of a page, zipped; scripts and styles come to the rest of 100 KB


async def page(ann: httpx.AsyncClient, path: str = "/tasks") -> str:
    found = await ann.get(path)
    assert found.status_code == 200
    return found.text


def words(html: str) -> str:
    """The text of it, in a line."""
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


def line(html: str, task: Task) -> str:
    """The line of the task in the list."""
    found = re.search(rf'<li class="task-line" id="task-{task.id}">.*?</li>', html, re.DOTALL)
    assert found is not None
    return found[0]


def names(html: str) -> list[str]:
    """The tasks of the list in its order."""
    return re.findall(r'class="cut" href="/tasks/tsk_\w+">([^<]*)<', html)


async def stored(nod: InProcess, task: Task) -> Task:
    found = await nod.nod.store.read(lambda tx: tx.tasks.get(task.id))
    assert found is not None
    return found


async def past(nod: InProcess, task: Task, count: int, summary: str = "All is well.") -> list[Run]:
    """So many runs of the task, a day apart, the newest yesterday."""
    found = []
    for days in range(count, 0, -1):
        due = MONDAY_9 - days * DAY
        run = replace(make_run(task, due, due, "schedule"), id=new_id("run", due))
        ended = replace(run, status="completed", started_at=due, finished_at=due + MINUTE)
        found.append(replace(ended, summary=summary))
    await nod.nod.store.write(lambda tx: tx.runs.insert(found))
    return found


# the list


async def test_the_next_task_comes_first_and_called_and_finished_ones_have_their_place(
    nod: InProcess, ada: Credentials, ann: httpx.AsyncClient
) -> None:
    await nod.add_task(ada, "0 12 * * *", name="At noon")
    await nod.add_task(ada, "event", name="Called")
    once = await nod.add_task(ada, "once", run_at="2026-03-02T09:30:00Z", name="Only once")
    await nod.add_task(ada, "0 10 * * *", name="At ten", enabled=False)
    assert names(await page(ann)) == ["Only once", "At ten", "At noon", "Called"]
    finished = replace(once, enabled=False, next_fire_at=None)
    await nod.nod.store.write(lambda tx: tx.tasks.update(finished))
    shown = await page(ann)
    assert names(shown) == ["At ten", "At noon", "Called", "Only once"]
    assert "finished" in words(line(shown, finished))
    assert 'role="switch"' not in line(shown, finished)


async def test_a_line_says_whose_when_and_what_it_brought_last(
    nod: InProcess, ada: Credentials, ann: httpx.AsyncClient
) -> None:
    daily = await nod.add_task(ada, "30 11 * * *", name="Daily <report>")
    runs = await past(nod, daily, 2, summary="# 12 commits\n\nAnd more.")
    away = await nod.add_task(ada, "0 23 * * *", timezone="Asia/Tokyo", name="Far away")
    push = await nod.add_task(ada, "event", verify="github", verify_secret="x", name="Push")
    shown = await page(ann)
    said = words(line(shown, daily))
    assert said.startswith("Daily &lt;report&gt; Ada · every day at 11:30 · in 2 h 30 min")
    assert "done Yesterday · 12 commits" in said
    assert f'href="/runs/{runs[-1].id}"' in line(shown, daily)
    # By the clock of its zone, and the next fire by the clock of the person.
    assert "every day at 23:00, Tokyo time · in 5 h" in words(line(shown, away))
    assert "when GitHub calls signed" in words(line(shown, push))
    assert "It has not run yet." in line(shown, push)


async def test_the_strip_has_a_cell_for_each_of_the_last_runs_that_says_how_it_went(
    nod: InProcess, ada: Credentials, ann: httpx.AsyncClient
) -> None:
    task = await nod.add_task(ada, "0 9 * * *")
    runs = await past(nod, task, 33)
    failed = replace(
        runs[-1],
        id=new_id("run", MONDAY_9),
        status="failed",
        error="The disk is full.",
        scheduled_for=MONDAY_9 - HOUR,
    )
    await nod.nod.store.write(lambda tx: tx.runs.insert([failed]))
    shown = line(await page(ann), task)
    labels = re.findall(r"<title>([^<]*)</title>", shown)
    assert len(labels) == 30
    assert labels[-2:] == [
        "Sun 1 Mar 09:00: done in 1 min",
        "Mon 2 Mar 08:00: failed: The disk is full.",
    ]
    assert "The last 30 runs" in shown
    assert f'href="/runs/{runs[-1].id}" data-sheet' in shown


async def test_of_one_agent_its_tasks_alone_are_shown_and_a_new_one_is_for_it(
    nod: InProcess, ada: Credentials, ann: httpx.AsyncClient
) -> None:
    await nod.add_task(ada, name="Of Ada")
    bob = await nod.add_agent("Bob")
    await nod.add_task(bob, name="Of Bob")
    shown = await page(ann, f"/tasks?agent={bob.agent.id}")
    assert ("Of Bob" in shown, "Of Ada" in shown) == (True, False)
    assert f'href="/tasks/new?agent={bob.agent.id}"' in shown


async def test_an_agent_that_cannot_be_reached_is_named_with_what_waits_for_it(
    nod: InProcess, ada: Credentials, ann: httpx.AsyncClient
) -> None:
    task = await nod.add_task(ada, "0 9 * * *")
    bob = await nod.add_agent("Bob", webhook_url="http://127.0.0.1:9/x")
    await nod.add_task(bob, "0 9 * * *")
    assert "Ada has not connected yet. What comes due waits for it." in words(await page(ann))
    await nod.fire(task, 2)
    shown = words(await page(ann))
    assert "Ada has not connected yet. 2 runs wait for it." in shown
    assert "Bob has not" not in shown
    assert "Ada is not connected" in await page(ann, f"/tasks/{task.id}")
    async with nod.peer(ada):
        assert "not connected" not in await page(ann)
        assert "not connected" not in await page(ann, f"/tasks/{task.id}")


async def test_of_very_many_tasks_the_first_are_shown_and_the_rest_are_a_tap_away(
    nod: InProcess, ada: Credentials, ann: httpx.AsyncClient
) -> None:
    for count in range(45):
        task = await nod.add_task(ada, f"{count} 10 * * *", name=f"Task {count:02}")
        await past(nod, task, 30)
    response = await ann.get("/tasks")
    assert response.text.count('class="task-line"') == 40
    assert len(gzip.compress(response.content)) < MOST_BYTES
    (more,) = re.findall(r'id="more-tasks" href="([^"]*)">5 more<', response.text)
    assert (await page(ann, more)).count('class="task-line"') == 45


async def test_without_tasks_or_agents_the_next_step_is_shown(
    nod: InProcess, ann: httpx.AsyncClient
) -> None:
    assert 'href="/tasks/new"' in await page(ann)
    async with await signed_in(nod, "eve@example.org") as eve:
        assert 'href="/agents/new"' in await page(eve)


# the switch


async def test_the_switch_rests_a_task_in_its_place_and_wakes_it(
    nod: InProcess, ada: Credentials, ann: httpx.AsyncClient
) -> None:
    task = await nod.add_task(ada, "0 10 * * *", name="First")
    await nod.add_task(ada, "0 11 * * *", name="Second")
    off = await ann.post(f"/tasks/{task.id}/switch", data={"on": "0"}, headers=SWITCH)
    assert 'aria-checked="false"' in off.text
    assert "paused" in words(off.text)
    shown = await page(ann)
    assert shown.index("First") < shown.index("Second")
    assert not (await stored(nod, task)).enabled
    on = await ann.post(f"/tasks/{task.id}/switch", data={"on": "1"}, headers=SWITCH)
    assert 'aria-checked="true"' in on.text
    assert (await stored(nod, task)).enabled


async def test_the_switch_works_without_script(
    nod: InProcess, ada: Credentials, ann: httpx.AsyncClient
) -> None:
    task = await nod.add_task(ada)
    off = await ann.post(f"/tasks/{task.id}/switch", data={"on": "0"})
    assert (off.status_code, off.headers["location"]) == (303, "/tasks")


# the page of one


async def test_the_page_says_when_with_the_next_fires_and_the_choices(
    nod: InProcess, ada: Credentials, ann: httpx.AsyncClient
) -> None:
    task = await nod.add_task(
        ada,
        "0 9 * * 1-5",
        timezone="Europe/Berlin",
        prompt="Say *how* it is.",
        description="Asked for by Ben",
        overlap="skip",
    )
    html = await page(ann, f"/tasks/{task.id}")
    shown = words(html)
    assert "Every weekday at 09:00, Berlin time." in shown
    assert "0 9 * * 1-5 · Europe/Berlin" in shown
    assert "Tue 3 Mar, 09:00 tomorrow · 08:00 for you" in shown
    assert html.count("<li>") == 5
    assert "Skip if still running · stop after 1 h · tell me always" in shown
    assert "<em>how</em>" in html
    assert "Asked for by Ben" in shown
    assert "It has not run yet." in shown


async def test_a_pause_has_its_reason_wherever_one_looks(
    nod: InProcess, ada: Credentials, ann: httpx.AsyncClient
) -> None:
    task = await nod.add_task(ada, "0 10 * * *")
    done = await ann.post(f"/tasks/{task.id}/pause", data={"reason": " on holiday "})
    assert (done.status_code, done.headers["location"]) == (303, f"/tasks/{task.id}")
    shown = await page(ann, f"/tasks/{task.id}")
    assert "Paused: on holiday." in words(shown)
    assert 'id="pause"' not in shown
    assert "paused: on holiday" in words(line(await page(ann), task))
    await ann.post(f"/tasks/{task.id}/resume")
    after = await stored(nod, task)
    assert (after.enabled, after.pause_reason, after.next_fire_at) == (True, None, MONDAY_9 + HOUR)


async def test_run_now_leads_to_the_run(
    nod: InProcess, ada: Credentials, ann: httpx.AsyncClient
) -> None:
    task = await nod.add_task(ada)
    done = await ann.post(f"/tasks/{task.id}/run")
    (run,) = await nod.nod.store.read(lambda tx: tx.runs.of_task(task.id, 10))
    assert (done.status_code, done.headers["location"]) == (303, f"/runs/{run.id}")
    assert run.trigger == "manual"
    assert task.name in await page(ann, f"/runs/{run.id}")


async def test_a_copy_is_paused_and_is_where_one_is_led(
    nod: InProcess, ada: Credentials, ann: httpx.AsyncClient
) -> None:
    task = await nod.add_task(ada, "event", name="Push")
    done = await ann.post(f"/tasks/{task.id}/duplicate")
    assert done.headers["location"] != f"/tasks/{task.id}"
    shown = words(await page(ann, done.headers["location"]))
    assert "Push (copy)" in shown
    assert "Paused: a copy; resume it when it is right." in shown
    assert task.trigger_id is not None
    assert task.trigger_id not in shown


async def test_a_task_is_removed_and_what_it_brought_stays(
    nod: InProcess, ada: Credentials, ann: httpx.AsyncClient
) -> None:
    task = await nod.add_task(ada)
    (run,) = await past(nod, task, 1)
    done = await ann.post(f"/tasks/{task.id}/remove")
    assert done.headers["location"] == "/tasks"
    assert (await ann.get(f"/tasks/{task.id}")).status_code == 404
    assert task.id not in await page(ann)
    sheet = await page(ann, f"/runs/{run.id}")
    assert "All is well." in sheet
    assert f'href="/tasks/{task.id}"' not in sheet


async def test_the_history_goes_back_a_page_at_a_time_and_to_the_newest(
    nod: InProcess, ada: Credentials, ann: httpx.AsyncClient
) -> None:
    task = await nod.add_task(ada, "0 9 * * *")
    runs = await past(nod, task, 65)
    address, seen = f"/tasks/{task.id}", []
    for _ in range(3):
        history = (await page(ann, address)).split('id="history"')[1]
        seen += re.findall(r'class="row" href="/runs/(\w+)"', history)
        earlier = re.findall(r'href="([^"]*\?before=[^"]*)#history">Earlier', history)
        address = earlier[0] if earlier else ""
    assert seen == [each.id for each in reversed(runs)]
    assert not address
    assert f'href="/tasks/{task.id}">Newest' in history


async def test_the_history_says_what_came_or_why_not_in_the_words_they_have(
    nod: InProcess, ada: Credentials, ann: httpx.AsyncClient
) -> None:
    task = await nod.add_task(ada, "0 9 * * *")
    (done,) = await past(nod, task, 1, summary="**12** commits of Ann's on GitHub")
    due = done.scheduled_for
    failed = replace(done, id="run_f", status="failed", error="agent: Grafana said NO")
    skipped = replace(done, id="run_s", status="skipped", reason="the 08:00 run of Ada's")
    failed = replace(failed, scheduled_for=due + MINUTE)
    skipped = replace(skipped, scheduled_for=due + HOUR)
    await nod.nod.store.write(lambda tx: tx.runs.insert([failed, skipped]))
    shown = words((await page(ann, f"/tasks/{task.id}")).split('id="history"')[1])
    assert "Done in 1 min · 12 commits of Ann&#39;s on GitHub" in shown
    assert "Failed: Grafana said NO" in shown
    assert "Skipped: the 08:00 run of Ada&#39;s" in shown


# whose they are, and the ways between


@pytest.mark.parametrize(
    "rest", ["switch", "pause", "resume", "run", "duplicate", "remove", "trigger/rotate"]
)
async def test_somebody_elses_task_is_as_if_it_did_not_exist(
    nod: InProcess, ada: Credentials, rest: str
) -> None:
    task = await nod.add_task(ada, "event", name="Secret plan")
    async with await signed_in(nod, "eve@example.org") as eve:
        assert "Secret plan" not in await page(eve)
        assert "Secret plan" not in await page(eve, f"/tasks?agent={ada.agent.id}")
        assert (await eve.get(f"/tasks/{task.id}")).status_code == 404
        answer = await eve.post(f"/tasks/{task.id}/{rest}", data={"on": "0"})
        assert answer.status_code == 404
    assert await stored(nod, task) == task
    assert await nod.nod.store.read(lambda tx: tx.runs.of_task(task.id, 10)) == []


async def test_the_chat_leads_to_the_tasks_of_its_agent_and_to_that_of_a_result(
    nod: InProcess, ada: Credentials, ann: httpx.AsyncClient
) -> None:
    task = await nod.add_task(ada, name="Report")
    (run_id,) = await nod.fire(task)
    async with nod.http(ada) as agent:
        done = {"status": "completed", "summary": "All well."}
        (await agent.post(f"/tasks/runs/{run_id}/complete", json=done)).raise_for_status()
    where = await nod.nod.store.read(lambda tx: tx.chat.default_conversation(ada.agent.id))
    chat = await page(ann, f"/chats/{where.id}")
    assert f'href="/tasks?agent={ada.agent.id}"' in chat
    assert f'href="/tasks/{task.id}">Report</a>' in chat
    assert f'href="/tasks/{task.id}">Report</a>' in await page(ann, f"/runs/{run_id}")


async def test_an_agent_that_only_asks_has_no_way_to_tasks(
    nod: InProcess, ann: httpx.AsyncClient
) -> None:
    gate = await nod.add_agent("Gate", kind="approval_only")
    where = await nod.nod.store.read(lambda tx: tx.chat.default_conversation(gate.agent.id))
    assert f"/tasks?agent={gate.agent.id}" not in await page(ann, f"/chats/{where.id}")
