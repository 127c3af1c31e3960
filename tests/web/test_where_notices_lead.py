"""Each notice opens a page that is there, at the very bubble, card or line it tells of."""

import httpx
import pytest

from nod.actions import chat, decisions, notifications
from nod.actions.agents import Credentials
from nod.actions.chat import AlertFields, MessageFields
from nod.actions.decisions import DecisionFields
from nod.domain.model import Run, Task
from nod.engine import notify
from nod.engine.fire import run_now
from nod.engine.settle import Outcome, complete
from nod.store.chat import LAST_ID
from nod.store.store import Tx
from support.browser import OWNER
from support.inprocess import InProcess

pytestmark = pytest.mark.usefixtures("ada")


async def tell_everything(tx: Tx, nod: InProcess, ada: Credentials, task: Task) -> None:
    """One notice of each kind, in the ways in which they come about."""
    agent = ada.agent
    owner = await tx.people.user_by_email(OWNER)
    assert owner is not None
    # Nobody listens there; that a notice is on its way is enough.
    target = await notifications.add_apprise(tx, nod.nod.vault, owner, "json://127.0.0.1:9", "")
    await decisions.open_decision(tx, agent, DecisionFields(title="May I?"))
    await chat.agent_message(tx, agent, MessageFields(text="It is done."))
    run = await run_now(tx, task)
    await chat.alert(tx, agent, AlertFields(title="Disk full"))
    await chat.alert(tx, agent, AlertFields(title="Disk slow", task_run_id=run.id))
    await _end(tx, ada, task, "failed")
    await _end(tx, ada, task, "completed")
    await _end(tx, ada, task, "completed")
    await notify.task_paused(tx, task, run, "10 failures in a row")
    await notify.agent_health(tx, agent, "The webhook does not answer", "HTTP 500")
    await notify.target_disabled(tx, owner, target, "it is gone")


async def _end(tx: Tx, ada: Credentials, task: Task, outcome: Outcome) -> Run:
    now = await tx.tasks.get(task.id)
    assert now is not None
    run = await run_now(tx, now)
    return await complete(tx, ada.agent, run.id, outcome, "So it went.")


async def test_each_notice_opens_the_very_thing_it_is_about(
    nod: InProcess, ada: Credentials, ann: httpx.AsyncClient
) -> None:
    task = await nod.add_task(ada, max_attempts=1)
    await nod.nod.store.write(lambda tx: tell_everything(tx, nod, ada, task))
    owner = await nod.nod.store.read(lambda tx: tx.people.user(ada.agent.owner_id))
    assert owner is not None
    notices = await nod.nod.store.read(
        lambda tx: notifications.list_notices(tx, owner, 100, LAST_ID)
    )
    kinds = {each.kind for each in notices}
    assert kinds == {"result", "failure", "recovery", "request", "message", "health"}
    for each in notices:
        path, _, place = each.path.partition("#")
        page = await ann.get(path)
        assert page.status_code == 200, each
        assert not place or f'id="{place}"' in page.text, each
    places = {each.path.partition("#")[0].split("/")[1] for each in notices}
    assert places == {"runs", "requests", "chats", "activity", "tasks", "agents", "settings"}
