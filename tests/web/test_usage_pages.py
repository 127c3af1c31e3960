"""What was used by day and what budgets allow, on the pages of a task and of an agent."""

import re

import httpx
import pytest

from nod.actions.agents import Credentials
from nod.domain.agenda_days import day_of
from nod.domain.budget import Used
from nod.domain.instant import DAY, MINUTE
from nod.domain.model import Task
from nod.engine import settle
from nod.engine.settle import Usage
from nod.store.store import Tx
from support.clock import FakeClock
from support.forms import form_of
from support.inprocess import InProcess

pytestmark = pytest.mark.usefixtures("ada")


async def use(nod: InProcess, task: Task, cost_usd: float) -> None:
    """A run of the task that costs so much."""
    [run_id] = await nod.fire(task)

    async def complete(tx: Tx) -> None:
        agent = await tx.people.agent(task.agent_id)
        assert agent is not None
        await settle.complete(tx, agent, run_id, "completed", "", Usage(1000, 200, cost_usd))

    await nod.nod.store.write(complete)


async def stored(nod: InProcess, task: Task) -> Task:
    found = await nod.nod.store.read(lambda tx: tx.tasks.get(task.id))
    assert found is not None
    return found


def section(page: str) -> str:
    """The part about use."""
    found = re.search(r'id="usage".*?</(?:section|details)>', page, re.S)
    assert found is not None
    return found[0]


async def test_a_task_that_used_nothing_says_so(
    nod: InProcess, ada: Credentials, ann: httpx.AsyncClient
) -> None:
    task = await nod.add_task(ada)
    shown = section((await ann.get(f"/tasks/{task.id}")).text)
    assert "Nothing was used in the last 30 days." in shown
    assert "<figure" not in shown
    assert f'href="/tasks/{task.id}/edit?more=1#budget_cost_usd">Set a budget' in shown


async def test_a_task_shows_its_budget_of_today_and_its_days(
    nod: InProcess, ada: Credentials, ann: httpx.AsyncClient, clock: FakeClock
) -> None:
    task = await nod.add_task(ada, "event", budget={"cost_usd": 0.5, "runs": 9})
    earlier = day_of(clock.now() - 3 * DAY, "UTC")
    used = Used(2, 1500, 500, 250_000, 4 * MINUTE)
    await nod.nod.store.write(lambda tx: tx.usage.add(task.id, task.agent_id, earlier, used))
    await use(nod, task, 0.41)
    shown = section((await ann.get(f"/tasks/{task.id}")).text)
    assert "$0.41 of $0.50" in shown
    assert "82 % today" in shown
    assert "nearly used up" in shown
    assert "budget $0.50 a day" in shown
    assert "$0.66 in 30 days. Most: $0.41, Today." in shown
    assert "<title>Fri 27 Feb: $0.25</title>" in shown
    assert shown.count('class="hit"') == 30
    assert '<th scope="row">Fri 27 Feb</th><td>2</td><td>2,000</td><td>$0.25</td>' in shown
    asked = re.search(r'href="(/requests/[^"]+)">The request about it', shown)
    assert asked is not None
    assert "Go on today" in (await ann.get(asked[1])).text
    of_runs = section((await ann.get(f"/tasks/{task.id}?use=runs")).text)
    assert "3 runs in 30 days. Most: 2 runs, Fri 27 Feb." in of_runs
    assert "budget 9 runs a day" in of_runs
    assert section((await ann.get(f"/tasks/{task.id}?use=nonsense")).text) == shown


async def test_the_answer_on_the_card_is_what_the_task_then_says(
    nod: InProcess, ada: Credentials, ann: httpx.AsyncClient, clock: FakeClock
) -> None:
    task = await nod.add_task(ada, "event", budget={"runs": 1})
    await use(nod, task, 0)
    shown = section((await ann.get(f"/tasks/{task.id}")).text)
    assert "What comes due is skipped until midnight." in shown
    [path] = re.findall(r'href="(/requests/[^"]+)"', shown)
    held = await ann.post(f"{path}/answer", data={"status": "rejected"})
    assert held.status_code == 303
    assert "Nothing has been done yet." in (await ann.get(path)).text
    clock.advance(10)
    for _ in range(500):
        card = (await ann.get(path)).text
        if "Nothing has been done yet." not in card:
            break
    assert "Stopped for today" in card
    assert "because you said so" in section((await ann.get(f"/tasks/{task.id}")).text)


async def test_a_budget_is_set_and_cleared_in_the_tasks_form(
    nod: InProcess, ada: Credentials, ann: httpx.AsyncClient
) -> None:
    task = await nod.add_task(ada)
    path = f"/tasks/{task.id}/edit"
    form = form_of((await ann.get(path)).text, path)
    typed = {"budget_cost_usd": "$2.50", "budget_tokens": "200,000"}
    assert (await ann.post(path, data={**form, **typed})).status_code == 303
    assert (await stored(nod, task)).budget == '{"tokens":200000,"cost_usd":2.5}'
    shown = (await ann.get(f"/tasks/{task.id}")).text
    assert "at most 200,000 tokens, $2.50 a day" in shown
    form = form_of((await ann.get(path)).text, path)
    assert (form["budget_cost_usd"], form["budget_tokens"]) == ("2.5", "200000")
    cleared = {"budget_cost_usd": "", "budget_tokens": " "}
    assert (await ann.post(path, data={**form, **cleared})).status_code == 303
    assert (await stored(nod, task)).budget is None


@pytest.mark.parametrize(
    ("field", "text", "words"),
    [
        ("budget_runs", "2.5", "“Runs a day” takes a whole number; got &#39;2.5&#39;."),
        ("budget_runs", "0", "“Runs a day” must be between 1 and"),
        ("budget_cost_usd", "much", "“Dollars a day” takes an amount such as 2.50"),
        ("budget_cost_usd", "0", "“Dollars a day” must be between 0.01 and"),
        ("budget_tokens", "9" * 17, "“Tokens a day” takes a whole number"),
    ],
)
async def test_what_is_no_budget_is_said_at_its_field(
    nod: InProcess, ada: Credentials, ann: httpx.AsyncClient, field: str, text: str, words: str
) -> None:
    task = await nod.add_task(ada)
    path = f"/tasks/{task.id}/edit"
    form = form_of((await ann.get(path)).text, path)
    refused = await ann.post(path, data={**form, field: text})
    assert refused.status_code == 400
    assert words in refused.text
    assert re.findall(r'id="([^"]*)"[^>]*aria-invalid="true"', refused.text) == [field]
    of_agent = await ann.post(f"/agents/{ada.agent.id}/settings/budget", data={field: text})
    assert of_agent.status_code == 400
    assert words in of_agent.text
    assert f'value="{text}"' in of_agent.text


async def test_an_agents_budget_is_set_and_its_tasks_are_told_apart(
    nod: InProcess, ada: Credentials, ann: httpx.AsyncClient
) -> None:
    first = await nod.add_task(ada, "event", name="Digest")
    second = await nod.add_task(ada, "event", name="Watch")
    await use(nod, first, 0.75)
    await use(nod, second, 0.25)
    path = f"/agents/{ada.agent.id}/settings"
    done = await ann.post(f"{path}/budget", data={"budget_cost_usd": "2"})
    assert done.status_code == 303
    shown = (await ann.get(done.headers["location"])).text
    assert "Kept. It holds for all tasks of the agent together." in shown
    assert "$1.00 of $2.00" in shown
    assert re.findall(
        r'<span class="cut">(\w+)</span><span class="num soft">(\S+)</span>', shown
    ) == [
        ("Digest", "$0.75"),
        ("Watch", "$0.25"),
    ]
    assert (await stored(nod, first)).budgeted
    cleared = await ann.post(f"{path}/budget", data={})
    assert (
        "There is no budget for the agent any more."
        in (await ann.get(cleared.headers["location"])).text
    )
    assert not (await stored(nod, first)).budgeted


async def test_a_far_budget_draws_no_line_and_is_said(
    nod: InProcess, ada: Credentials, ann: httpx.AsyncClient
) -> None:
    task = await nod.add_task(ada, "event", budget={"cost_usd": 500})
    await use(nod, task, 0.02)
    shown = section((await ann.get(f"/tasks/{task.id}")).text)
    assert "budget $500.00 a day" in shown
    assert 'class="line"' not in shown
