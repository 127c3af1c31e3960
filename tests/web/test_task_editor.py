"""The editor of a task: what it says back, what it saves, and what it leaves alone."""

import re
from dataclasses import replace
from typing import Any

import httpx
import pytest

from nod.actions import tasks
from nod.actions.agents import Credentials
from nod.domain.budget import Budget
from nod.domain.instant import DAY, MINUTE, parse_rfc3339
from nod.domain.model import Task
from nod.domain.task_fields import TaskFields
from support.browser import signed_in
from support.clock import MONDAY_9, FakeClock
from support.forms import form_of
from support.inprocess import InProcess

pytestmark = pytest.mark.usefixtures("ada")

BERLIN = "Europe/Berlin"
PREVIEW = {"HX-Request": "true", "HX-Target": "understood"}
EVERYTHING: dict[str, Any] = {
    "description": "For Ann\nand Ben",
    "overlap": "cancel_previous",
    "catch_up": "all",
    "catch_up_window_s": 5400,
    "useful_until": "90m",
    "timeout_s": 3601,
    "max_attempts": 3,
    "idempotent": True,
    "pause_after_failures": 4,
    "spread_s": 90,
    "starts_at": "2026-03-01T00:00:30.250Z",
    "ends_at": "2027-10-31T01:30:00Z",
    "notify": "changes",
    "budget": {"runs": 10, "tokens": 123456789, "cost_usd": 2.5, "minutes": 90},
}


@pytest.fixture
async def ada(nod: InProcess) -> Credentials:
    return await nod.add_agent(timezone=BERLIN)


async def stored(nod: InProcess, task_id: str) -> Task:
    found = await nod.nod.store.read(lambda tx: tx.tasks.get(task_id))
    assert found is not None
    return found


async def form_for(ann: httpx.AsyncClient, task: Task | None = None) -> tuple[str, dict[str, str]]:
    """The address of the form, and what is in it."""
    path = "/tasks/new" if task is None else f"/tasks/{task.id}/edit"
    return path, form_of((await ann.get(path)).text, path)


async def made(nod: InProcess, ann: httpx.AsyncClient, **typed: str) -> Task:
    """The task that the form of a new one makes of what is typed."""
    path, form = await form_for(ann)
    answer = await ann.post(path, data={**form, "name": "Report", "prompt": "Go.", **typed})
    assert answer.status_code == 303, answer.text
    return await stored(nod, answer.headers["location"].removeprefix("/tasks/"))


async def preview(ann: httpx.AsyncClient, task: Task | None = None, **typed: str) -> str:
    """What is said back while one types."""
    _, form = await form_for(ann, task)
    query = "" if task is None else f"?task={task.id}"
    answer = await ann.post(f"/tasks/preview{query}", data={**form, **typed}, headers=PREVIEW)
    assert answer.status_code == 200
    return answer.text


def words(html: str) -> str:
    """The text of it, in a line."""
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


# what is said back


@pytest.mark.parametrize(
    ("when", "sentence", "cron"),
    [
        ("every weekday at 9", "Every weekday at 09:00, Berlin time.", "0 9 * * 1-5"),
        (
            "first Monday of the month",
            "On the first Monday of every month at 09:00, Berlin time.",
            "0 9 * * 1#1",
        ),
        (
            "30 14 * * 5L",
            "On the last Friday of every month at 14:30, Berlin time.",
            "30 14 * * 5L",
        ),
    ],
)
async def test_words_and_cron_are_said_back_with_the_cron_the_zone_and_five_fires(
    ann: httpx.AsyncClient, when: str, sentence: str, cron: str
) -> None:
    shown = await preview(ann, when=when)
    assert sentence in shown
    assert f"{cron} · {BERLIN}" in shown
    assert shown.count("<li>") == 5


async def test_a_single_run_is_said_back_with_its_moment(ann: httpx.AsyncClient) -> None:
    shown = words(await preview(ann, when="in 20 minutes"))
    assert "Once, on Monday 2 March 2026 at 10:20, Berlin time." in shown
    assert "Mon 2 Mar, 10:20 in 20 min · 09:20 for you" in shown


async def test_fires_are_shown_by_the_clock_of_the_task_and_by_that_of_the_person(
    ann: httpx.AsyncClient,
) -> None:
    shown = words(await preview(ann, when="every day at 3", timezone="Asia/Tokyo"))
    assert "Every day at 03:00, Tokyo time." in shown
    assert "Tue 3 Mar, 03:00 today · Mon 2 Mar, 18:00 for you" in shown
    assert "for you" not in words(await preview(ann, when="every day at 3", timezone="UTC"))


async def test_a_change_of_the_clock_is_said_with_what_it_does(
    ann: httpx.AsyncClient, clock: FakeClock
) -> None:
    clock.set_wall(parse_rfc3339("2026-03-27T12:00:00Z", "test"))
    shown = words(await preview(ann, when="30 2 * * *"))
    assert "the clock skips 02:00 to 03:00" in shown
    assert "Sat 28 Mar, 02:30 tomorrow · clock change soon" in shown


async def test_what_is_not_understood_is_said_with_examples_and_nothing_else(
    ann: httpx.AsyncClient,
) -> None:
    shown = await preview(ann, when="every blue moon")
    assert "It is not clear when" in shown
    assert 'data-amiss="when"' in shown
    assert "<li>" not in shown


async def test_before_a_word_is_typed_there_are_examples_to_take(ann: httpx.AsyncClient) -> None:
    assert "first Monday of the month at 10" in (await ann.get("/tasks/new")).text
    assert "data-fill" in await preview(ann, when=" ")


async def test_what_falls_together_with_another_task_is_said(
    nod: InProcess, ada: Credentials, ann: httpx.AsyncClient
) -> None:
    await nod.add_task(ada, "0 9 * * 5", name="Year backup", timezone=BERLIN)
    shown = await preview(ann, when="every friday at 9")
    assert "together with &#34;Year backup&#34;, at 09:00." in shown


async def test_an_edit_says_what_it_changes_this_month_and_nothing_while_nothing_changes(
    nod: InProcess, ada: Credentials, ann: httpx.AsyncClient
) -> None:
    task = await nod.add_task(ada, "0 9 * * 2", timezone=BERLIN)
    shown = await preview(ann, task, when="every day except tuesday at 9")
    assert "Removes 5 fires this month, adds 24." in shown
    assert "this month" not in await preview(ann, task)


async def test_the_folded_choices_are_a_line_that_follows_what_is_typed(
    nod: InProcess, ada: Credentials, ann: httpx.AsyncClient
) -> None:
    assert "Skip if still running · stop after 1 h · tell me always" in words(
        (await ann.get("/tasks/new")).text
    )
    shown = await preview(
        ann, when="when something calls", useful_until="20:00", timeout_s="<b>", notify="silent"
    )
    assert "Wait if still running · worthless after 20:00 · stop after &lt;b&gt;" in shown
    assert 'hx-swap-oob="true"' in shown
    task = await nod.add_task(ada, **EVERYTHING)
    assert (
        "Cancel one still running · worthless after 1 h 30 min · stop after 1 h 1 s · 3 attempts ·"
        " pause after 4 failures · catch up on all that was missed · spread over 1 min 30 s ·"
        " tell me of changes"
    ) in words((await ann.get(f"/tasks/{task.id}")).text)


# a new task


async def test_a_task_is_made_as_it_is_typed(nod: InProcess, ann: httpx.AsyncClient) -> None:
    task = await made(
        nod,
        ann,
        name="Month-end invoices",
        prompt="Draft them.\r\nList what is unusual.",
        when="last friday of the month at 2:30 pm",
        notify="failures",
        overlap="queue",
        useful_until="20:00",
        timeout_s="90 min",
        max_attempts="2",
        idempotent="yes",
        pause_after_failures="5",
        catch_up="skip",
        catch_up_window_s="2 h",
        starts_at="2026-04-01T00:00",
        ends_at="2027-04-01T00:00",
        spread_s="10 min",
        description="For the tax adviser",
    )
    assert (task.name, task.schedule, task.timezone) == (
        "Month-end invoices",
        "30 14 * * 5L",
        BERLIN,
    )
    assert task.prompt == "Draft them.\nList what is unusual."
    assert (task.notify, task.overlap, task.catch_up) == ("failures", "queue", "skip")
    assert (task.useful_until, task.timeout_s, task.catch_up_window_s) == ("20:00", 5400, 7200)
    assert (task.max_attempts, task.idempotent, task.pause_after_failures) == (2, True, 5)
    assert task.starts_at == parse_rfc3339("2026-04-01T00:00:00+02:00", "test")
    assert task.ends_at == parse_rfc3339("2027-04-01T00:00:00+02:00", "test")
    assert (task.spread_s, task.description, task.created_by) == (
        600,
        "For the tax adviser",
        "user",
    )


async def test_what_is_left_as_it_is_has_the_defaults_of_any_task(
    nod: InProcess, ada: Credentials, ann: httpx.AsyncClient
) -> None:
    by_form = await made(nod, ann, when="every weekday at 9")
    fields = TaskFields(name="x", prompt="y", schedule="@daily")
    by_api = await nod.nod.store.write(
        lambda tx: tasks.create(tx, nod.nod.vault, ada.agent, fields, "user")
    )
    assert differences(by_form, by_api) == {"id", "name", "prompt", "schedule", "next_fire_at"}
    called = await made(nod, ann, when="when GitHub pushes")
    assert (called.trigger_type, called.overlap, called.verify) == ("event", "queue", "none")


def differences(one: Task, other: Task) -> set[str]:
    """The names of the fields in which they differ."""
    names = Task.__dataclass_fields__
    return {name for name in names if getattr(one, name) != getattr(other, name)}


async def test_every_field_that_a_task_may_be_given_is_in_the_form(ann: httpx.AsyncClient) -> None:
    _, form = await form_for(ann)
    # The schedule is in words; the switch is in the list; who may call is chosen at the address.
    elsewhere = {"schedule", "run_at", "enabled", "verify", "verify_secret", "quarantine"}
    boxes = {"idempotent"}
    in_parts = {"budget"}
    assert set(TaskFields.__struct_fields__) - elsewhere - boxes - in_parts <= set(form)
    assert {f"budget_{each}" for each in Budget.__struct_fields__} <= set(form)
    assert 'name="idempotent"' in (await ann.get("/tasks/new")).text


WRONG = [
    ("name", " ", "“Name” is empty"),
    ("prompt", "", "“What should it do?” is empty"),
    ("when", "every blue moon", "It is not clear when"),
    ("when", "", "Say when it is to run"),
    ("when", "0 0 30 2 *", "never fires"),
    ("timeout_s", "0 s", "“Stop a run after” can be from 1 s to 1 d."),
    ("timeout_s", "60", "“Stop a run after” takes a length of time such as"),
    ("max_attempts", "2.5", "“Attempts” takes a whole number"),
    ("max_attempts", "11", "“Attempts” must be between 1 and 10"),
    ("pause_after_failures", "0", "“Pause it after failures in a row” must be between 1 and"),
    ("useful_until", "soon", "“Useful until” takes a time of day such as"),
    ("useful_until", "400 days", "“Useful until”"),
    (
        "catch_up_window_s",
        "31 d",
        "“Catch up on what was missed by at most” can be from 0 s to 30 d",
    ),
    ("spread_s", "2 h", "“Spread” can be from 0 s to 1 h."),
    ("starts_at", "soon", "“From” takes a day and a time"),
    ("ends_at", "2026-03-01T00:00", "“Until” leaves the task without a fire"),
    ("description", "x" * 10_001, "“Note” has 10001 characters"),
    ("timezone", "Mars/Base", "“Time zone” &#39;Mars/Base&#39; is not"),
]


@pytest.mark.parametrize(("name", "text", "sentence"), WRONG)
async def test_what_does_not_fit_is_said_at_its_field_by_the_label_and_nothing_is_lost(
    nod: InProcess, ann: httpx.AsyncClient, name: str, text: str, sentence: str
) -> None:
    path, form = await form_for(ann)
    typed = {**form, "name": "Report", "prompt": "Go.", "when": "every day at 9", name: text}
    refused = await ann.post(path, data=typed)
    assert refused.status_code == 400
    assert sentence in refused.text
    at_fault = re.findall(r'<[^>]* id="(\w+)"[^>]*aria-invalid="true"', refused.text)
    assert at_fault == [name]
    kept = form_of(refused.text, path)
    assert kept == {each: value.replace("\n", "\r\n") for each, value in typed.items()}
    is_folded_away = name not in ("name", "prompt", "when")
    assert ('id="more" open' in refused.text) == is_folded_away
    assert not re.search(r"\b\w+_(s|attempts|failures|until|at)\b", words(refused.text))
    found = await nod.nod.store.read(lambda tx: tx.tasks.of_agent(form["agent_id"]))
    assert found == []


async def test_a_choice_that_the_form_does_not_offer_is_refused(ann: httpx.AsyncClient) -> None:
    path, form = await form_for(ann)
    typed = {**form, "name": "a", "prompt": "b", "when": "daily", "overlap": "sometimes"}
    refused = await ann.post(path, data=typed)
    assert refused.status_code == 400
    assert "Choose from what the form offers." in refused.text


async def test_the_agent_that_is_named_is_chosen_and_only_those_that_work_are_offered(
    nod: InProcess, ann: httpx.AsyncClient
) -> None:
    harbour = await nod.add_agent("Harbour")
    await nod.add_agent("Gate", kind="approval_only")
    shown = (await ann.get(f"/tasks/new?agent={harbour.agent.id}")).text
    assert form_of(shown, "/tasks/new")["agent_id"] == harbour.agent.id
    assert ">Ada<" in shown
    assert ">Gate<" not in shown


async def test_without_an_agent_the_way_to_one_is_shown(nod: InProcess) -> None:
    async with await signed_in(nod, "eve@example.org") as eve:
        assert 'href="/agents/new"' in (await eve.get("/tasks/new")).text


# a task that is there


TASKS: list[dict[str, Any]] = [
    {"schedule": "0 9 * * 1-5"},
    {"schedule": "*/7 3 1-9 * *", "timezone": "Asia/Tokyo"},
    {"schedule": "0 9,12,17 * * *", **EVERYTHING},
    {"schedule": "once", "run_at": "2026-12-24T17:00:00Z", "timezone": BERLIN},
    {"schedule": "once", "run_at": "2026-10-25T01:30:10.5Z", "timezone": BERLIN},
    {"schedule": "event", "verify": "github", "verify_secret": "a secret"},
    {"schedule": "0 9 * * *", "enabled": False},
    {"schedule": "0 9 * * *", "prompt": "\n\n  - one\n  - <two>\n", "name": '"A" & <b>'},
]


@pytest.mark.parametrize("given", TASKS)
async def test_a_form_that_is_saved_untouched_changes_nothing(
    nod: InProcess,
    ada: Credentials,
    ann: httpx.AsyncClient,
    clock: FakeClock,
    given: dict[str, Any],
) -> None:
    task = await stored(nod, (await nod.add_task(ada, **given)).id)
    path, form = await form_for(ann, task)
    clock.advance(60)
    assert (await ann.post(path, data=form)).status_code == 303
    assert differences(await stored(nod, task.id), task) <= {"updated_at"}


async def test_a_single_run_is_shown_as_one_would_type_its_moment_in_the_zone_of_the_task(
    nod: InProcess, ada: Credentials, ann: httpx.AsyncClient, clock: FakeClock
) -> None:
    task = await nod.add_task(ada, "once", run_at="2026-03-04T17:00:00Z", timezone="Asia/Tokyo")
    path, form = await form_for(ann, task)
    assert form["when"] == "5 March 2026 at 02:00"
    assert "Once, on Thursday 5 March 2026 at 02:00, Tokyo time." in (await ann.get(path)).text
    # When its time has passed, another field can be changed all the same.
    clock.set_wall(parse_rfc3339("2026-03-08T00:00:00Z", "test"))
    await ann.post(path, data={**(await form_for(ann, task))[1], "name": "Gifts"})
    after = await stored(nod, task.id)
    assert (after.name, after.run_at) == ("Gifts", task.run_at)


async def test_another_zone_gives_the_words_another_meaning(
    nod: InProcess, ada: Credentials, ann: httpx.AsyncClient
) -> None:
    task = await nod.add_task(
        ada, "once", run_at="2026-12-24T17:00:00Z", timezone=BERLIN, ends_at="2027-01-01T00:00:00Z"
    )
    path, form = await form_for(ann, task)
    await ann.post(path, data={**form, "timezone": "UTC"})
    after = await stored(nod, task.id)
    assert after.run_at == parse_rfc3339("2026-12-24T18:00:00Z", "test")
    assert after.ends_at == parse_rfc3339("2027-01-01T01:00:00Z", "test")
    daily = await nod.add_task(ada, "0 9 * * *", timezone=BERLIN)
    path, form = await form_for(ann, daily)
    await ann.post(path, data={**form, "timezone": "UTC"})
    after = await stored(nod, daily.id)
    assert (after.schedule, after.next_fire_at) == ("0 9 * * *", MONDAY_9 + DAY)


async def test_what_was_changed_elsewhere_meanwhile_is_left_as_it_is(
    nod: InProcess, ada: Credentials, ann: httpx.AsyncClient
) -> None:
    task = await nod.add_task(ada, "0 9 * * *")
    path, form = await form_for(ann, task)
    async with nod.http(ada) as agent:
        await agent.patch(f"/tasks/{task.id}", json={"schedule": "0 10 * * *", "timeout_s": 60})
    await ann.post(path, data={**form, "notify": "silent"})
    after = await stored(nod, task.id)
    assert (after.schedule, after.timeout_s, after.notify) == ("0 10 * * *", 60, "silent")


async def test_what_may_be_empty_is_emptied(
    nod: InProcess, ada: Credentials, ann: httpx.AsyncClient
) -> None:
    task = await nod.add_task(ada, "0 9 * * *", **EVERYTHING)
    path, form = await form_for(ann, task)
    empty = dict.fromkeys(
        ("useful_until", "catch_up_window_s", "starts_at", "ends_at", "spread_s", "description"), ""
    )
    form.pop("idempotent")
    assert (await ann.post(path, data={**form, **empty})).status_code == 303
    after = await stored(nod, task.id)
    assert (after.useful_until, after.catch_up_window_s, after.spread_s) == (None, None, 0)
    assert (after.starts_at, after.ends_at, after.description) == (None, None, "")
    assert not after.idempotent


async def test_an_error_in_an_edit_stays_at_its_field_and_changes_nothing(
    nod: InProcess, ada: Credentials, ann: httpx.AsyncClient
) -> None:
    task = await nod.add_task(ada, "0 9 * * *")
    path, form = await form_for(ann, task)
    refused = await ann.post(path, data={**form, "name": "Other", "when": "never ever"})
    assert refused.status_code == 400
    assert 'value="Other"' in refused.text
    assert re.search(r'id="when"[^>]* aria-invalid="true"', refused.text)
    assert await stored(nod, task.id) == task


async def test_a_task_whose_zone_has_gone_gets_another(
    nod: InProcess, ada: Credentials, ann: httpx.AsyncClient
) -> None:
    task = await nod.add_task(ada, "0 9 * * *")
    gone = replace(task, timezone="Mars/Base", enabled=False, pause_reason="no such zone")
    await nod.nod.store.write(lambda tx: tx.tasks.update(gone))
    shown = (await ann.get(f"/tasks/{task.id}")).text
    assert "“Time zone” &#39;Mars/Base&#39; is not an IANA time zone" in shown
    assert "Report" in (await ann.get("/tasks")).text
    path, form = await form_for(ann, task)
    assert form["timezone"] == "Mars/Base"
    assert (await ann.post(path, data={**form, "timezone": "UTC"})).status_code == 303
    after = await stored(nod, task.id)
    assert (after.timezone, after.schedule) == ("UTC", "0 9 * * *")
    assert (after.next_fire_at or 0) > MONDAY_9 + MINUTE


# whose it is


async def test_somebody_elses_task_and_agent_are_as_if_they_did_not_exist(
    nod: InProcess, ada: Credentials, ann: httpx.AsyncClient
) -> None:
    task = await nod.add_task(ada, "0 9 * * *", name="Secret plan")
    path, form = await form_for(ann, task)
    async with await signed_in(nod, "eve@example.org") as eve:
        assert (await eve.get(path)).status_code == 404
        assert (await eve.post(path, data={**form, "name": "Mine"})).status_code == 404
        for query in (f"?task={task.id}", ""):
            looked = await eve.post(f"/tasks/preview{query}", data=form, headers=PREVIEW)
            assert (looked.status_code, "Secret plan" in looked.text) == (404, False)
        assert (await eve.post("/tasks/new", data=form)).status_code == 400
        assert ada.agent.id not in (await eve.get(f"/tasks/new?agent={ada.agent.id}")).text
    assert await stored(nod, task.id) == task
