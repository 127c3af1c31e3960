"""What a person is told, and in which words. Pure.

Each function takes something that happened and gives the notice it is worth, or None. When it is
sent follows from the person's quiet hours (`plan`): results wait there and are summed up in the
morning, requests pass unless the person wants it otherwise.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from nod.domain.instant import SECOND, Instant
from nod.domain.model import (
    Activity,
    Agent,
    Decision,
    Message,
    Notice,
    NoticeKind,
    NoticeState,
    NotifyTarget,
    Run,
    Task,
    User,
    new_id,
)
from nod.domain.quiet import is_quiet, morning_after, quiet_end
from nod.domain.words import duration_words

# A push message is encrypted in one record of 4096 bytes (RFC 8291, section 4); what these leave
# of it in the widest characters is for the path and the buttons.
_TITLE_CHARS = 120
_TEXT_CHARS = 400
_MOST_NAMED = 3
ACTIVITY = "/activity"  # the page of a notice that is about no single thing
TARGETS = "/settings/notifications"
EXPIRED = "expired:"  # how the cause begins of what is told although its request is closed
_MARKS = re.compile(r"^[ \t]*(?:#{1,6}[ \t]+|[-*+][ \t]+|>[ \t]?|```.*$)|[*_`]{1,3}", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A notice before it is known when it may be sent.

    `cause`: while a notice with the same cause stands, there is no second. `insistent`: it goes
    out in quiet hours too, unless the person has requests quiet as well.
    """

    kind: NoticeKind
    title: str
    text: str
    path: str
    agent_id: str | None = None
    task_id: str | None = None
    run_id: str | None = None
    decision_id: str | None = None
    message_id: str | None = None
    cause: str | None = None
    insistent: bool = False


def plan(draft: Draft, user: User, now: Instant, delay_s: int = 0) -> Notice:
    """The notice with its time: after `delay_s`, but not in the person's quiet hours.

    One that is `held` is not sent itself: the morning card tells of it.
    """
    start = now + delay_s * SECOND
    held = is_quiet(user, start) and (user.quiet_requests or not draft.insistent)
    if held and not draft.insistent:
        morning = morning_after(user, start) or start
        return _notice(draft, user.id, now, morning, "held")
    if held:
        start = quiet_end(user, start)
    return _notice(draft, user.id, now, start)


def _notice(
    draft: Draft, user_id: str, now: Instant, not_before: Instant, state: NoticeState = "pending"
) -> Notice:
    return Notice(
        id=new_id("ntc", now),
        user_id=user_id,
        kind=draft.kind,
        title=excerpt(draft.title, _TITLE_CHARS),
        text=excerpt(draft.text, _TEXT_CHARS),
        path=draft.path,
        agent_id=draft.agent_id,
        task_id=draft.task_id,
        run_id=draft.run_id,
        decision_id=draft.decision_id,
        cause=draft.cause,
        created_at=now,
        not_before=not_before,
        attempts=0,
        state=state,
        settled_at=None,
        error=None,
        message_id=draft.message_id,
    )


def excerpt(text: str, most: int) -> str:
    """The text on one line without Markdown's marks, at most so many characters."""
    plain = " ".join(_MARKS.sub("", text).split())
    return plain if len(plain) <= most else plain[: most - 1].rstrip() + "…"


def tag(notice: Notice) -> str:
    """What the notice is about. On a device and at a push service a newer one takes the place of
    an older one with the same tag."""
    if notice.decision_id is not None:
        return f"request:{notice.decision_id}"
    if notice.kind in ("failure", "recovery"):
        return f"task:{notice.task_id}"
    if notice.message_id is not None:
        return f"chat:{notice.path.partition('#')[0]}"
    return f"run:{notice.run_id}" if notice.run_id is not None else f"notice:{notice.id}"


# runs


def error_class(error: str | None) -> str:
    """What kind of failure it was: timeout, delivery or agent."""
    return (error or "").partition(":")[0]


def may_be_told(task: Task, run: Run, *, retried: bool) -> bool:
    """Whether the end of a run can be worth a notice at all. One that is tried again is not."""
    if task.notify == "silent" or retried:
        return False
    return run.status == "failed" or (
        run.status == "completed" and (task.notify != "failures" or task.failures > 0)
    )


def run_ended(task: Task, run: Run, result: str, *, changed: bool) -> Draft | None:
    """The notice of a run that `may_be_told`. `task` is as it was before the run ended.

    `result` is the deliverable's text; `changed`: whether it differs from the one before.
    """
    if run.status == "failed":
        cause = f"failure:{task.id}:{error_class(run.error)}"
        text = (run.error or "").removeprefix("agent: ")
        return _of_run(task, run, "failure", f"{task.name} failed", text, cause)
    if task.failures:
        after = "one failure" if task.failures == 1 else f"{task.failures} failures in a row"
        text = f"After {after}. {result}"
        return _of_run(task, run, "recovery", f"{task.name} works again", text)
    if task.notify == "changes" and not changed:
        return None
    return _of_run(task, run, "result", task.name, result, f"result:{run.id}")


def task_paused(task: Task, run: Run, reason: str) -> Draft | None:
    """Nod has paused the task. Of a silent one the person reads in the chat."""
    if task.notify == "silent":
        return None
    draft = _of_run(task, run, "health", f"{task.name} is paused", reason)
    return replace(draft, path=f"/tasks/{task.id}")


def _of_run(
    task: Task, run: Run, kind: NoticeKind, title: str, text: str, cause: str | None = None
) -> Draft:
    return Draft(
        kind=kind,
        title=title,
        text=text,
        path=f"/runs/{run.id}",
        agent_id=task.agent_id,
        task_id=task.id,
        run_id=run.id,
        cause=cause,
    )


# requests


def request_opened(decision: Decision, who: str) -> Draft:
    """Somebody asks the person; `who` is the agent's name."""
    text = f"{who}: {decision.description}" if decision.description else f"{who} asks."
    return _request(decision, decision.title, text, insistent=True)


def request_waits(decision: Decision, left_s: int) -> Draft:
    """A request will expire soon."""
    text = f"It expires in {duration_words(left_s)}."
    return _request(decision, f"Still waiting: {decision.title}", text, insistent=True)


def request_expired(decision: Decision) -> Draft:
    """Nobody has answered a request. There is nothing to do about it at night."""
    text = "It expired without an answer. That is no denial."
    draft = _request(decision, f"Nobody answered: {decision.title}", text, insistent=False)
    return replace(draft, cause=f"{EXPIRED}{decision.id}")


def _request(decision: Decision, title: str, text: str, *, insistent: bool) -> Draft:
    return Draft(
        kind="request",
        title=title,
        text=text,
        path=f"/requests/{decision.id}",
        agent_id=decision.agent_id,
        task_id=decision.task_id,
        run_id=decision.run_id,
        decision_id=decision.id,
        insistent=insistent,
    )


# agents


def agent_message(agent: Agent, message: Message) -> Draft:
    """An agent has written something by itself."""
    return Draft(
        kind="message",
        title=agent.name,
        text=message.text.strip() or message.title or "A picture",
        path=f"/chats/{message.conversation_id}#{message.id}",
        agent_id=agent.id,
        message_id=message.id,
    )


def alert(agent: Agent, line: Activity) -> Draft:
    """An agent wants the person to know something; `line` is what the activity shows of it."""
    path = f"{ACTIVITY}#{line.kind}-{line.id}" if line.run_id is None else f"/runs/{line.run_id}"
    return Draft(
        kind="message",
        title=f"{agent.name}: {line.title}",
        text=line.text,
        path=path,
        agent_id=agent.id,
        run_id=line.run_id,
    )


def agent_health(agent: Agent, title: str, text: str) -> Draft:
    """How an agent is reached by its webhook has changed."""
    return Draft(
        kind="health",
        title=f"{agent.name}: {title}",
        text=text,
        path=f"/agents/{agent.id}/settings#webhook-title",
        agent_id=agent.id,
    )


def target_disabled(target: NotifyTarget, reason: str) -> Draft:
    """One of the ways to the person is given up."""
    return Draft(
        kind="health",
        title=f"{target.label} gets no more notifications",
        text=f"Because {reason}. Send it a test to switch it on again.",
        path=f"{TARGETS}#{target.id}",
    )


# the morning


@dataclass(frozen=True, slots=True)
class NightRun:
    """A run that ended in the night."""

    agent_id: str
    task_name: str
    status: str
    error: str | None


def morning_text(runs: Sequence[NightRun], messages: int, news: Sequence[str]) -> str:
    """The night in one line; empty when there is nothing to tell.

    `messages`: how many the agents have sent; `news`: what else is to be said, a few words each.
    """
    parts = [_runs_in_words(runs)] if runs else []
    if messages:
        parts.append("1 message" if messages == 1 else f"{messages} messages")
    return ". ".join([*parts, *news[:_MOST_NAMED]])


def morning_card(user: User, text: str, path: str, morning: Instant, now: Instant) -> Notice:
    """The one notice of the night, for now."""
    cause = f"morning:{morning}"
    draft = Draft(kind="morning", title="The night", text=text, path=path, cause=cause)
    return _notice(draft, user.id, now, now)


def _runs_in_words(runs: Sequence[NightRun]) -> str:
    total = "1 run" if len(runs) == 1 else f"{len(runs)} runs"
    failed = [each for each in runs if each.status == "failed"]
    if not failed:
        return f"{total}, done" if len(runs) == 1 else f"{total}, all done"
    named = Counter(f"{each.task_name}: {error_class(each.error)}" for each in failed)
    shown = [
        why if count == 1 else f"{why}, {count} times"
        for why, count in named.most_common(_MOST_NAMED)
    ]
    if len(named) > _MOST_NAMED:
        shown.append(f"and {len(named) - _MOST_NAMED} more")
    done = f", {len(runs) - len(failed)} done" if len(runs) > len(failed) else ""
    return f"{total}{done}, {len(failed)} failed ({'; '.join(shown)})"
