"""The trigger of an event task: its address, who may call, a test, and the calls there were."""

import hashlib
import hmac
import re
from pathlib import Path

import httpx
import pytest

from nod import web
from nod.actions.agents import Credentials
from nod.domain.model import Task
from nod.web.services import SERVICES
from support.browser import signed_in
from support.forms import form_of
from support.inprocess import InProcess

SECRET = "a secret of some length"


@pytest.fixture
async def task(nod: InProcess, ada: Credentials) -> Task:
    return await nod.add_task(ada, "event", name="Review a push")


def words(html: str) -> str:
    """The text of it, in a line."""
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


async def page(ann: httpx.AsyncClient, task: Task) -> str:
    found = await ann.get(f"/tasks/{task.id}")
    assert found.status_code == 200
    return found.text


async def now(nod: InProcess, task: Task) -> Task:
    found = await nod.nod.store.read(lambda tx: tx.tasks.get(task.id))
    assert found is not None
    return found


async def secret_of(nod: InProcess, task: Task) -> str | None:
    sealed = (await now(nod, task)).verify_secret
    return None if sealed is None else nod.nod.vault.open(sealed).decode()


async def choose(
    ann: httpx.AsyncClient, task: Task, verify: str, secret: str = ""
) -> httpx.Response:
    return await ann.post(
        f"/tasks/{task.id}/trigger/verify", data={"verify": verify, "verify_secret": secret}
    )


async def call(nod: InProcess, task: Task, headers: dict[str, str] | None = None) -> httpx.Response:
    async with httpx.AsyncClient() as caller:
        return await caller.post(
            f"{nod.url}/api/webhooks/{task.trigger_id}", content=b'{"ref": "main"}', headers=headers
        )


async def test_the_page_has_the_address_to_copy(
    nod: InProcess, ann: httpx.AsyncClient, task: Task
) -> None:
    shown = await page(ann, task)
    base = nod.nod.settings.public_url.rstrip("/")
    assert f">{base}/api/webhooks/{task.trigger_id}</code>" in shown
    assert 'data-copy="#trigger-url"' in shown
    assert "treat it as a password" in shown
    assert "Nothing has called it yet." in shown


async def test_a_task_that_runs_at_its_time_has_no_address(
    nod: InProcess, ada: Credentials, ann: httpx.AsyncClient
) -> None:
    timed = await nod.add_task(ada, "0 9 * * *")
    assert "trigger-url" not in await page(ann, timed)
    assert (await ann.get(f"/tasks/{timed.id}/trigger")).status_code == 409


# who may call


@pytest.mark.parametrize(
    ("kind", "steps"),
    [
        ("github", ["Settings, Webhooks, Add webhook.", "Content type: application/json."]),
        ("gitlab", ["Settings, Webhooks, Add new webhook.", "Secret token:"]),
        ("stripe", ["Developers, Webhooks, Add endpoint.", "reveal its signing secret (whsec_…)"]),
        ("slack", ["Basic Information, Signing Secret", "Request URL: the address above."]),
    ],
)
async def test_each_service_has_its_steps(
    ann: httpx.AsyncClient, task: Task, kind: str, steps: list[str]
) -> None:
    found = (
        (await page(ann, task)).split(f'class="trigger-steps steps-{kind}"')[1].split("</div>")[0]
    )
    assert [each for each in steps if each not in found] == []


async def test_every_way_to_verify_can_be_chosen(ann: httpx.AsyncClient, task: Task) -> None:
    shown = await page(ann, task)
    assert [kind for kind in SERVICES if f'<option value="{kind}"' not in shown] == []


def test_the_steps_of_every_way_are_shown_when_it_is_chosen() -> None:
    styles = Path(web.__file__).with_name("static") / "css/5-tasks.css"
    text = styles.read_text(encoding="utf-8")
    missing = [each for each in SERVICES if f'[value="{each}"]:checked) .steps-{each}' not in text]
    assert missing == []


async def test_a_service_proves_its_calls_once_its_secret_is_kept(
    nod: InProcess, ann: httpx.AsyncClient, task: Task
) -> None:
    saved = await choose(ann, task, "github", SECRET)
    assert "Saved." in saved.text
    assert SECRET not in saved.text + await page(ann, task)
    assert "GitHub's is kept and never shown again" in await page(ann, task)
    assert (await call(nod, task)).status_code == 401
    digest = hmac.new(SECRET.encode(), b'{"ref": "main"}', hashlib.sha256).hexdigest()
    assert (await call(nod, task, {"X-Hub-Signature-256": f"sha256={digest}"})).status_code == 202
    shown = words((await page(ann, task)).split('id="calls"')[1])
    assert "wrong signature" in shown
    assert "accepted" in shown


async def test_the_same_service_keeps_its_secret_and_another_needs_its_own(
    nod: InProcess, ann: httpx.AsyncClient, task: Task
) -> None:
    await choose(ann, task, "github", SECRET)
    assert (await choose(ann, task, "github")).status_code == 200
    assert await secret_of(nod, task) == SECRET
    refused = await choose(ann, task, "gitlab")
    assert refused.status_code == 400
    assert "“Secret” is missing; gitlab needs the secret that is shared" in refused.text
    assert re.search(r'id="verify_secret"[^>]* aria-invalid="true"', refused.text)
    chosen = form_of(refused.text, f"/tasks/{task.id}/trigger/verify")["verify"]
    assert chosen == "gitlab"
    assert (await now(nod, task)).verify == "github"
    await choose(ann, task, "gitlab", "of gitlab")
    assert ((await now(nod, task)).verify, await secret_of(nod, task)) == ("gitlab", "of gitlab")
    await choose(ann, task, "none")
    assert ((await now(nod, task)).verify, await secret_of(nod, task)) == ("none", None)


async def test_a_secret_that_cannot_be_one_and_a_choice_that_is_none_are_refused_at_their_field(
    ann: httpx.AsyncClient, task: Task
) -> None:
    refused = await choose(ann, task, "standard", "no secret")
    assert "“Secret” is no Standard Webhooks secret" in refused.text
    refused = await choose(ann, task, "magic", "no secret")
    assert "“Calls come from” is one of those in the list." in refused.text
    assert "no secret" not in refused.text


# trying it


async def test_a_test_event_makes_a_run_and_leads_to_it(
    nod: InProcess, ann: httpx.AsyncClient, task: Task
) -> None:
    await choose(ann, task, "github", SECRET)
    sent = await ann.post(f"/tasks/{task.id}/trigger/test", data={"payload": '{"ref": "<main>"}'})
    (run,) = await nod.nod.store.read(lambda tx: tx.runs.of_task(task.id, 10))
    assert f'href="/runs/{run.id}" data-sheet>Open its run' in sent.text
    assert "&#34;ref&#34;: &#34;&lt;main&gt;&#34;" in sent.text
    calls = words(sent.text.split('id="calls"')[1])
    assert "test · 16 bytes accepted" in calls


async def test_a_test_that_cannot_be_sent_says_why_and_keeps_what_was_typed(
    nod: InProcess, ann: httpx.AsyncClient, task: Task
) -> None:
    path = f"/tasks/{task.id}/trigger/test"
    refused = await ann.post(path, data={"payload": "{ref}"})
    assert refused.status_code == 400
    assert "“Test event (JSON)” is not JSON" in refused.text
    assert re.search(r'id="payload"[^>]* aria-invalid="true"', refused.text)
    assert form_of(refused.text, path)["payload"] == "{ref}"
    await ann.post(f"/tasks/{task.id}/pause", data={"reason": "on holiday"})
    refused = await ann.post(path, data={"payload": ""})
    assert refused.status_code == 400
    assert "paused" in words(refused.text.split('role="alert"')[1])
    assert await nod.nod.store.read(lambda tx: tx.runs.of_task(task.id, 10)) == []


async def test_the_part_alone_is_sent_to_a_page_that_asks_for_it(
    ann: httpx.AsyncClient, task: Task
) -> None:
    part = {"HX-Request": "true", "HX-Target": "trigger"}
    sent = await ann.post(f"/tasks/{task.id}/trigger/test", data={"payload": ""}, headers=part)
    assert (sent.status_code, "<html" in sent.text) == (200, False)
    assert "Sent." in sent.text
    live = await ann.get(f"/tasks/{task.id}/trigger", headers={**part, "HX-Target": "calls"})
    assert "accepted" in live.text.split('id="calls"')[1]
    assert "<html" in (await ann.get(f"/tasks/{task.id}/trigger")).text


async def test_a_new_address_stops_the_old_one(
    nod: InProcess, ann: httpx.AsyncClient, task: Task
) -> None:
    assert (await call(nod, task)).status_code == 202
    shown = await ann.post(f"/tasks/{task.id}/trigger/rotate")
    assert "The old one has stopped." in shown.text
    assert task.trigger_id is not None
    assert task.trigger_id not in shown.text
    assert (await call(nod, task)).status_code == 404
    assert (await call(nod, await now(nod, task))).status_code == 202


@pytest.mark.parametrize(
    ("rest", "form"),
    [
        ("", None),
        ("/verify", {"verify": "none"}),
        ("/test", {"payload": "{}"}),
        ("/rotate", {}),
    ],
)
async def test_somebody_elses_trigger_is_as_if_it_did_not_exist(
    nod: InProcess, ann: httpx.AsyncClient, task: Task, rest: str, form: dict[str, str] | None
) -> None:
    await choose(ann, task, "github", SECRET)
    before = await now(nod, task)
    path = f"/tasks/{task.id}/trigger{rest}"
    async with await signed_in(nod, "eve@example.org") as eve:
        answer = await (eve.get(path) if form is None else eve.post(path, data=form))
        assert answer.status_code == 404
        assert str(task.trigger_id) not in answer.text
    assert await now(nod, task) == before
    assert await nod.nod.store.read(lambda tx: tx.runs.of_task(task.id, 10)) == []
