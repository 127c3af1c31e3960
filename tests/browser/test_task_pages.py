"""Tasks in a real browser: understood as one types, made, run, rested, called, and kept live."""

from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from nod.actions.agents import Credentials
from nod.domain.model import Task
from nod.engine.fire import run_now
from support.inprocess import InProcess, until
from support.page import DESK, SMALL_PHONE, Visit, overflow, sign_in, visiting

pytestmark = pytest.mark.usefixtures("ada")


@pytest_asyncio.fixture(loop_scope="session")
async def without_script(browser: Browser, nod: InProcess) -> AsyncIterator[Visit]:
    """The owner's browser, in which no script runs."""
    async with visiting(browser, nod.url, java_script_enabled=False) as visit:
        await sign_in(visit, nod)
        yield visit


async def top_of(page: Page, selector: str) -> float:
    found: float = await page.evaluate(
        f"document.querySelector('{selector}').getBoundingClientRect().top + scrollY"
    )
    return found


async def stored(nod: InProcess, task: Task) -> Task:
    found = await nod.nod.store.read(lambda tx: tx.tasks.get(task.id))
    assert found is not None
    return found


# the editor


async def test_the_plan_is_said_back_while_one_types_and_becomes_a_task(ann: Visit) -> None:
    page = await ann.page("/tasks/new")
    await page.get_by_label("Name").fill("Morning briefing")
    await page.get_by_label("What should Ada do?").fill("Say what is new.")
    when = page.get_by_label("When", exact=True)
    await when.press_sequentially("every weekday at 9")
    understood = page.locator("#understood")
    await expect(understood).to_contain_text("Every weekday at 09:00")
    await expect(understood.locator("li")).to_have_count(5)
    await when.fill("every blue moon")
    await expect(understood.locator("li")).to_have_count(0)
    await expect(when).to_have_attribute("aria-invalid", "true")
    await when.fill("every weekday at 9")
    await expect(understood.locator("li")).to_have_count(5)
    await expect(when).not_to_have_attribute("aria-invalid", "true")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("heading", name="Morning briefing")).to_be_visible()
    await page.goto(f"{ann.url}/tasks")
    await expect(page.get_by_role("link", name="Morning briefing", exact=True)).to_be_visible()


@pytest.mark.parametrize("width", [390, 1280])
async def test_nothing_jumps_and_nothing_is_lost_while_one_types(ann: Visit, width: int) -> None:
    page = await ann.page("/tasks/new")
    await page.set_viewport_size({"width": width, "height": 844})
    when, understood = page.get_by_label("When", exact=True), page.locator("#understood")
    before = [await top_of(page, each) for each in ("#when", "#more")]
    for text, said in (
        ("last friday of the month at 2:30 pm", "On the last Friday"),
        ("every blue moon", "not clear"),
        ("in 20 minutes", "Once, on"),
        ("when GitHub pushes", "its trigger address is called"),
        ("", "In words, or as cron"),
    ):
        await when.fill("")
        await when.press_sequentially(text)
        await when.press("Home")
        await expect(understood).to_contain_text(said)
        await expect(when).to_be_focused()
        assert await when.evaluate("each => each.selectionStart") == 0
        assert await when.input_value() == text
        assert [await top_of(page, each) for each in ("#when", "#more")] == before
    assert await page.evaluate("scrollY") == 0


async def test_an_example_is_taken_by_a_tap_and_said_back(ann: Visit) -> None:
    page = await ann.page("/tasks/new")
    await page.get_by_role("button", name="first Monday of the month at 10").click()
    await expect(page.get_by_label("When", exact=True)).to_be_focused()
    await expect(page.locator("#understood")).to_contain_text("On the first Monday")


async def test_the_folded_choices_follow_what_is_chosen(ann: Visit) -> None:
    page = await ann.page("/tasks/new")
    more = page.locator("#more > summary")
    await expect(more).to_contain_text("Skip if still running · stop after 1 h · tell me always")
    await more.click()
    await page.get_by_label("Tell me about").select_option("failures")
    await page.get_by_label("Useful until").fill("20:00")
    await more.click()
    await expect(more).to_contain_text("worthless after 20:00")
    await expect(more).to_contain_text("tell me of failures")


async def test_what_does_not_fit_is_led_to_also_where_it_was_folded_away(ann: Visit) -> None:
    ann.watch.allow("status of 400")
    page = await ann.page("/tasks/new")
    await page.get_by_label("Name").fill("Report")
    await page.get_by_label("What should Ada do?").fill("Go.")
    await page.get_by_label("When", exact=True).fill("every day at 9")
    await page.locator("#more > summary").click()
    await page.get_by_label("Attempts").fill("many")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("alert")).to_contain_text("“Attempts” takes a whole number")
    await expect(page.get_by_label("Attempts")).to_be_focused()
    await page.get_by_label("Attempts").fill("2")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("heading", name="Report")).to_be_visible()


async def test_an_edit_says_what_it_changes_before_it_is_saved(
    ann: Visit, nod: InProcess, ada: Credentials
) -> None:
    task = await nod.add_task(ada, "* * * * *", name="Health check")
    page = await ann.page(f"/tasks/{task.id}/edit")
    await page.get_by_label("When", exact=True).fill("every hour")
    await expect(page.locator("#change")).to_contain_text("Removes")
    await page.get_by_role("link", name="Cancel").click()
    await expect(page.get_by_role("heading", name="Health check")).to_be_visible()
    assert (await stored(nod, task)).schedule == "* * * * *"


# the list and the page of one


async def test_run_now_leads_to_the_run_and_its_result_comes_by_itself(
    ann: Visit, nod: InProcess, ada: Credentials, agent: httpx.AsyncClient
) -> None:
    task = await nod.add_task(ada, name="Daily standup")
    beside = await ann.page(f"/tasks/{task.id}")
    page = await ann.page(f"/tasks/{task.id}")
    await page.get_by_role("button", name="Run now").click()
    await expect(page.get_by_role("dialog")).to_contain_text("on its way")
    runs = await until(lambda: nod.nod.store.read(lambda tx: tx.runs.of_task(task.id, 10)))
    done = {"status": "completed", "summary": "All well."}
    address = f"/api/agent/tasks/runs/{runs[0].id}/complete"
    (await agent.post(address, json=done)).raise_for_status()
    await expect(page.get_by_role("dialog")).to_contain_text("All well.")
    await expect(beside.locator("#history")).to_contain_text("All well.")
    await expect(beside.get_by_role("group", name="The only run")).to_be_visible()


async def test_the_switch_rests_a_task_where_it_is_and_keeps_the_focus(
    ann: Visit, nod: InProcess, ada: Credentials
) -> None:
    await nod.add_task(ada, "0 10 * * *", name="First")
    await nod.add_task(ada, "0 11 * * *", name="Second")
    page = await ann.page("/tasks")
    names = page.locator(".task-line h3")
    order = await names.all_inner_texts()
    switch = page.get_by_role("switch", name="First")
    for key, state in (("Space", "false"), ("Enter", "true"), ("Space", "false")):
        await switch.focus()
        await page.keyboard.press(key)
        await expect(switch).to_have_attribute("aria-checked", state)
        await expect(switch).to_be_focused()
    # The list has been asked for anew meanwhile, and is as before.
    await nod.add_task(ada, "event", name="Third")
    await expect(names).to_have_count(3)
    assert (await names.all_inner_texts())[:2] == order
    await expect(switch).to_be_focused()
    await page.reload()
    await expect(switch).to_have_attribute("aria-checked", "false")


async def test_a_cell_of_the_strip_opens_its_run_and_back_leads_to_the_list(
    ann: Visit, nod: InProcess, ada: Credentials
) -> None:
    task = await nod.add_task(ada, name="Daily standup")
    await nod.fire(task)
    page = await ann.page("/tasks")
    await page.locator(".strip a").click()
    await expect(page.get_by_role("dialog")).to_contain_text("Daily standup")
    await page.go_back()
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await expect(page.get_by_role("heading", name="Tasks")).to_be_visible()


async def test_a_reason_being_typed_stays_when_the_page_is_asked_for_anew(
    ann: Visit, nod: InProcess, ada: Credentials
) -> None:
    task = await nod.add_task(ada, name="Health check")
    page = await ann.page(f"/tasks/{task.id}")
    await page.locator("#pause > summary").click()
    await page.get_by_label("Why, for whoever looks later").fill("On holiday")
    await page.get_by_role("button", name="Pause it").focus()
    await nod.nod.store.write(lambda tx: run_now(tx, task))
    await expect(page.locator("#history li")).to_have_count(1)
    await expect(page.locator("#now .strip a")).to_have_count(1)
    await expect(page.get_by_label("Why, for whoever looks later")).to_have_value("On holiday")
    await page.get_by_role("button", name="Pause it").click()
    await expect(page.locator("#now")).to_contain_text("Paused: On holiday.")


# the trigger


async def test_a_service_is_set_up_by_its_own_steps_while_calls_come_in(
    ann: Visit, nod: InProcess, ada: Credentials
) -> None:
    task = await nod.add_task(ada, "event", name="Review a push")
    page = await ann.page(f"/tasks/{task.id}")
    await expect(page.locator("#trigger-url")).to_contain_text("/api/webhooks/")
    await expect(page.get_by_label("Secret")).to_be_hidden()
    await page.get_by_label("Calls come from").select_option("github")
    await expect(page.get_by_text("Add webhook.", exact=False).first).to_be_visible()
    await expect(page.get_by_text("Secret token:", exact=False)).to_be_hidden()
    await page.get_by_label("Secret").fill("hush")
    async with httpx.AsyncClient() as caller:
        await caller.post(f"{nod.url}/api/webhooks/{task.trigger_id}", json={})
    await expect(page.locator("#calls li")).to_have_count(1)
    await expect(page.get_by_label("Calls come from")).to_have_value("github")
    await expect(page.get_by_label("Secret")).to_have_value("hush")
    await page.locator(".trigger-who").get_by_role("button", name="Save").click()
    await expect(page.locator("#trigger").get_by_role("status")).to_contain_text("Saved.")
    assert (await stored(nod, task)).verify == "github"


async def test_a_test_event_is_sent_and_its_run_opened(
    ann: Visit, nod: InProcess, ada: Credentials
) -> None:
    task = await nod.add_task(ada, "event", name="Review a push")
    page = await ann.page(f"/tasks/{task.id}")
    await page.get_by_role("button", name="Send a test event").click()
    await page.get_by_role("link", name="Open its run").click()
    await expect(page.get_by_role("dialog")).to_contain_text("Review a push")
    await page.keyboard.press("Escape")
    await expect(page.locator("#calls li")).to_have_count(1)
    await expect(page.get_by_role("button", name="Run now")).to_be_visible()


async def test_the_address_is_copied(ann: Visit, nod: InProcess, ada: Credentials) -> None:
    await ann.context.grant_permissions(["clipboard-read", "clipboard-write"])
    task = await nod.add_task(ada, "event")
    page = await ann.page(f"/tasks/{task.id}")
    await page.get_by_role("button", name="Copy the address").click()
    await expect(page.get_by_text("Copied")).to_be_visible()
    copied = await page.evaluate("navigator.clipboard.readText()")
    assert copied.endswith(f"/api/webhooks/{task.trigger_id}")


# without script


async def test_a_task_is_made_rested_and_run_without_script(
    without_script: Visit, ada: Credentials
) -> None:
    page = await without_script.page(f"/tasks/new?agent={ada.agent.id}")
    await page.get_by_label("Name").fill("Morning briefing")
    await page.get_by_label("What should Ada do?").fill("Say what is new.")
    await page.get_by_label("When", exact=True).fill("every weekday at 9")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_text("Every weekday at 09:00")).to_be_visible()
    await page.goto(f"{without_script.url}/tasks")
    await page.get_by_role("switch", name="Morning briefing").click()
    await expect(page.get_by_role("switch")).to_have_attribute("aria-checked", "false")
    await page.get_by_role("link", name="Morning briefing", exact=True).click()
    await page.get_by_role("button", name="Resume").click()
    await page.get_by_role("button", name="Run now").click()
    await expect(page.get_by_role("dialog")).to_contain_text("Morning briefing")


# long and many


async def test_long_names_push_nothing_aside(ann: Visit, nod: InProcess, ada: Credentials) -> None:
    name = "Compare_the_figures_of_the_quarter_" * 5
    task = await nod.add_task(ada, "0 9 * * *", name=name, description="x" * 400)
    await nod.fire(task)
    for path in ("/tasks", f"/tasks/{task.id}", f"/tasks/{task.id}/edit"):
        page = await ann.page(path)
        for size in (SMALL_PHONE, DESK):
            await page.set_viewport_size(size)
            assert await overflow(page) == 0, (path, size)
