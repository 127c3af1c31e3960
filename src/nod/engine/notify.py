"""What a person is told is written in the transaction that makes it happen.

For somebody who has nowhere to be notified the end of a run costs nothing here, since it is looked
at together with the rest (`tx.runs.end_of`); all else costs one look at an index. What is written
here is sent by `engine/notifier.py`.
"""

from nod.domain import notify
from nod.domain.model import Activity, Agent, Decision, Message, NotifyTarget, Run, Task, User
from nod.domain.notify import Draft
from nod.store.store import Tx


async def run_ended(
    tx: Tx, task: Task, run: Run, *, retried: bool = False, told: bool = True
) -> None:
    """A run has ended; `task` is as it was before, `retried` whether another attempt follows.

    `told`: whether anybody is notified of anything.
    """
    if run.status == "completed" and task.failures:
        await tx.notify.causes_over(task.id)
    if not told or not notify.may_be_told(task, run, retried=retried):
        return
    reader = await tx.notify.reader(task.agent_id)
    if reader is None:
        return
    result = await deliverable(tx, run) or ""
    changed = task.notify != "changes" or result != await _former_result(tx, run)
    await _put(tx, reader, notify.run_ended(task, run, result, changed=changed))


async def output_changed(tx: Tx, run: Run) -> None:
    """A run that is over got its output after all: it may be the change a person waits for."""
    task = await tx.tasks.known(run.task_id)
    if task.notify == "changes":
        await run_ended(tx, task, run)


async def deliverable(tx: Tx, run: Run) -> str | None:
    """What a run brought: its output, else its summary, else its messages' text."""
    output = await tx.runs.output(run.id)
    if output is not None:
        return output
    return run.summary or "\n\n".join(await tx.chat.texts_of_run(run.id)) or run.summary


async def _former_result(tx: Tx, run: Run) -> str | None:
    former = await tx.notify.last_result(run)
    return None if former is None else await deliverable(tx, former) or ""


async def task_paused(tx: Tx, task: Task, run: Run, reason: str) -> None:
    """Nod has paused the task, because of `run`."""
    await _tell(tx, task.agent_id, notify.task_paused(task, run, reason))


async def request_opened(tx: Tx, decision: Decision) -> None:
    """A question waits for the person."""
    agent = await tx.people.agent(decision.agent_id)
    if agent is not None:
        await _tell(tx, agent.id, notify.request_opened(decision, agent.name))


async def request_waits(tx: Tx, decision: Decision, left_s: int) -> None:
    """A question will expire in `left_s` seconds."""
    await _tell(tx, decision.agent_id, notify.request_waits(decision, left_s))


async def request_expired(tx: Tx, decision: Decision) -> None:
    """Nobody has answered."""
    await _tell(tx, decision.agent_id, notify.request_expired(decision))


async def agent_message(tx: Tx, agent: Agent, message: Message) -> None:
    """The agent says something. Whoever reads it in the app meanwhile is not told again."""
    await _tell(tx, agent.id, notify.agent_message(agent, message), tx.limits.notify_unread_s)


async def alert(tx: Tx, agent: Agent, line: Activity) -> None:
    """The agent wants the person to know something."""
    await _tell(tx, agent.id, notify.alert(agent, line))


async def agent_health(tx: Tx, agent: Agent, title: str, text: str) -> None:
    """How the agent is reached has changed."""
    await _tell(tx, agent.id, notify.agent_health(agent, title, text))


async def target_disabled(tx: Tx, user: User, target: NotifyTarget, reason: str) -> None:
    """One of the ways to the person is given up: the others say so, and the activity does."""
    draft = notify.target_disabled(target, reason)
    await _put(tx, user, draft)
    for agent in (await tx.people.agents_of(user.id))[:1]:
        await tx.chat.add_activity(
            agent.id, "target_disabled", draft.title, draft.text, None, None, tx.now
        )


async def _tell(tx: Tx, agent_id: str, draft: Draft | None, delay_s: int = 0) -> None:
    reader = None if draft is None else await tx.notify.reader(agent_id)
    if reader is not None:
        await _put(tx, reader, draft, delay_s)


async def _put(tx: Tx, reader: User, draft: Draft | None, delay_s: int = 0) -> None:
    if draft is None:
        return
    notice = notify.plan(draft, reader, tx.now, delay_s)
    if await tx.notify.add(notice):
        tx.effects.timer("notify", notice.not_before)
        tx.effects.fact(
            "notice",
            user_id=notice.user_id,
            notice_id=notice.id,
            agent_id=notice.agent_id,
            run_id=notice.run_id,
            kind=notice.kind,
        )
