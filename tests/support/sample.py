"""A household that has been going for a month, for pages that are to be looked at."""

import base64
import io
from dataclasses import replace
from typing import Any

import msgspec
from PIL import Image

from nod.actions import answers, chat, decisions
from nod.actions.agents import Credentials
from nod.actions.chat import MessageFields, UserMessageFields
from nod.actions.decisions import DecisionFields, ProposalFields
from nod.domain.decisions import Answer
from nod.domain.instant import DAY, MINUTE, SECOND
from nod.domain.model import Run, Task, User, new_id
from nod.domain.runs import make_run
from nod.domain.schedule import fires
from nod.engine.fire import run_now
from nod.engine.settle import complete, put_output
from nod.store.people import Seen
from nod.store.store import Tx
from support.inprocess import InProcess
from support.sample_agenda import fill_agenda
from support.sample_calls import call_in_quarantine
from support.sample_life import lived
from support.sample_places import furnish_places
from support.sample_sent import sent_by_webhook
from support.sample_usage import used_lately

_BRIEFING = """# Three pull requests wait for you

1. **Retry with jitter**, green since yesterday evening
2. **Drop Python 3.10**, one comment of Ben's is open
3. **Docs: quickstart**, small, can go in

## Disk

| Disk | Used | Change |
|---|---|---|
| root | 61 % | +1 % |
| data | 84 % | +3 % |

## Calendar

Nothing before 11:00. The dentist is at 16:30.
"""
_SUMMARY = """# Three pull requests wait for you

**Retry with jitter** is green since yesterday. The data disk grew by 3 %. Nothing before 11:00;
the dentist is at 16:30.
"""
_YESTERDAY = _BRIEFING.replace("84 %", "81 %").replace(
    "3. **Docs: quickstart**, small, can go in\n", ""
)
_CODE = """It was the cache. This keeps it from growing:

```python
@lru_cache(maxsize=512)
def rate(currency: str) -> Decimal:
    return fetch(currency)
```

Shall I open a pull request?"""


def _picture() -> str:
    image = Image.new("RGB", (480, 240), "#f1efe9")
    for at in range(24):
        height = 30 + (at * 37) % 150
        image.paste((59, 91, 219), (at * 20 + 4, 220 - height, at * 20 + 16, 220))
    held = io.BytesIO()
    image.save(held, "PNG")
    return base64.b64encode(held.getvalue()).decode()


async def furnish(nod: InProcess) -> dict[str, str]:
    """Fill an empty Nod. The ids by the names that the addresses of pages give them."""
    ada = await nod.add_agent("Ada")
    harbour = await nod.add_agent("Harbour")
    await fill_agenda(nod, harbour)
    briefing = await nod.add_task(ada, "0 7 * * 1-5", name="Morning briefing")
    backup = await nod.add_task(ada, "30 2 * * *", name="Check the backups")
    push = await nod.add_task(ada, "event", name="Review a push")
    deploys = await nod.add_task(ada, "event", name="Look at a deploy", quarantine=True)
    await nod.add_task(ada, "0 9 1 * *", name="Invoices of the month")

    async def fill(tx: Tx) -> dict[str, str]:
        owner = await tx.people.first_user()
        assert owner is not None
        mornings = _history(briefing, tx.now)
        await tx.runs.insert([*mornings, *_history(backup, tx.now)])
        await put_output(tx, ada.agent, mornings[-1].id, _YESTERDAY)
        await _done(tx, ada, push, "The push to main is sound.")
        asked = await _requests(tx, nod, ada, owner)
        where = await _talk(tx, nod, ada, owner)
        run = await lived(tx, ada.agent, briefing, _SUMMARY, _BRIEFING)
        await used_lately(tx, ada.agent, briefing, backup)
        await tx.people.touch([Seen(ada.agent.id, tx.now)])
        places = await furnish_places(tx, nod.nod.vault, owner, run.id, asked)
        return {
            **places,
            "agent_id": ada.agent.id,
            "task_id": briefing.id,
            "event_task_id": push.id,
            "run_id": run.id,
            "look_id": await call_in_quarantine(tx, deploys),
            "guarded_task_id": deploys.id,
            "earlier_run_id": mornings[-1].id,
            "conversation_id": where,
            "decision_id": asked,
            "message_id": (await tx.chat.messages(where, 6))[-1].id,
            "delivery_id": await sent_by_webhook(tx, harbour.agent),
        }

    return await nod.nod.store.write(fill)


def _history(task: Task, now: int) -> list[Run]:
    """A run of each fire of the last 28 days, most of them well."""
    due = list(fires(task.schedule, task.timezone, now - 28 * DAY, now))
    return [_past(task, at, place) for place, at in zip(range(len(due), 0, -1), due, strict=True)]


def _past(task: Task, due: int, days: int) -> Run:
    run = replace(make_run(task, due, due, "schedule"), id=new_id("run", due))
    if days % 11 == 7:
        reason = "The run before was still going."
        return replace(run, status="skipped", reason=reason, finished_at=due)
    start = due + SECOND
    taken = replace(run, delivery="delivered", delivered_at=start, started_at=start)
    ended = replace(taken, finished_at=start + 2 * MINUTE)
    if days % 9 == 4:
        return replace(ended, status="failed", error="The mail server did not answer.")
    return replace(ended, status="completed", summary="All is well.")


async def _done(tx: Tx, who: Credentials, task: Task, text: str) -> Run:
    run = await run_now(tx, task)
    await put_output(tx, who.agent, run.id, text)
    return await complete(tx, who.agent, run.id, "completed", text.splitlines()[0].lstrip("# "))


async def _talk(tx: Tx, nod: InProcess, who: Credentials, owner: User) -> str:
    where = await tx.chat.default_conversation(who.agent.id)
    url = nod.url

    async def say(text: str, reply_to: str | None = None) -> None:
        fields = UserMessageFields(text=text, reply_to_id=reply_to)
        await chat.user_message(tx, owner, where.id, fields, url)

    await say("Why does the importer use so much memory?")
    found = await chat.agent_message(tx, who.agent, MessageFields(text=_CODE))
    await say("Yes, with a test.", found.id)
    picture = MessageFields(text="Memory over the last day.", image_base64=_picture())
    await chat.agent_message(tx, who.agent, picture)
    report = MessageFields(
        report_title="Week 47", report_description="What was done", text="- 12 runs\n- 1 failure"
    )
    await chat.agent_message(tx, who.agent, report)
    return where.id


async def _requests(tx: Tx, nod: InProcess, who: Credentials, owner: User) -> str:
    async def ask(**fields: Any) -> str:
        given = msgspec.convert(fields, DecisionFields)
        return (await decisions.open_decision(tx, who.agent, given)).id

    first = await ask(title="Merge the pull request?", description="All checks are **green**.")
    await ask(title="Which day suits you?", kind="choice", options=["Monday", "Thursday"])
    await ask(title="What shall I call the branch?", kind="question")
    await ask(
        title="Run this command?",
        kind="permission",
        allows_always=True,
        description="`git push origin main`",
        always_allow_label="pushes to main",
        always_allow_options=[{"label": "all of git push", "pattern": "git push *"}],
    )
    closed = await ask(title="Delete the old snapshots?")
    yes = Answer("approved", "Keep the newest one.")
    await answers.resolve(tx, nod.nod.vault, owner, closed, yes, 0)
    proposal = ProposalFields(
        title="Shall I watch the certificates?",
        task_name="Certificates",
        task_prompt="Say which ones end within 14 days.",
        task_schedule="0 8 * * 1",
    )
    await decisions.propose_task(tx, who.agent, proposal)
    return first
