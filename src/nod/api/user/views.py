"""What the API shows a person. Nothing secret has a field here, except where it is shown once."""

from collections.abc import Sequence
from typing import Any

import msgspec

from nod.actions.senders import Trusted
from nod.api.views import at
from nod.domain.activity import Happened
from nod.domain.budget import Budget, read_budget
from nod.domain.callers import ShownCall
from nod.domain.decisions import Answer
from nod.domain.instant import Instant, rfc3339
from nod.domain.model import (
    Agent,
    AllowRule,
    Conversation,
    Decision,
    Message,
    Session,
    User,
)
from nod.store.chat import Shown


class UserView(msgspec.Struct):
    """A person."""

    id: str
    email: str
    name: str
    timezone: str
    created_at: str
    locale: str
    theme: str


def user_view(user: User) -> UserView:
    return UserView(
        user.id,
        user.email,
        user.name,
        user.timezone,
        rfc3339(user.created_at),
        user.locale,
        user.theme,
    )


class TokenView(msgspec.Struct):
    """A token for the API; send it as `Authorization: Bearer <token>`."""

    token: str
    token_type: str
    expires_at: str
    user: UserView


class AgentView(msgspec.Struct, kw_only=True):
    """An agent. `thinking`: it said so a moment ago, in the conversation `thinking_in`."""

    id: str
    name: str
    kind: str
    timezone: str | None
    connected: bool
    last_seen_at: str | None
    thinking: bool
    status_text: str | None
    thinking_in: str | None
    webhook_url: str | None
    webhook_failing_since: str | None
    webhook_disabled: str | None
    old_secret_until: str | None
    created_at: str
    budget: Budget | None
    webhook_format: str


class NewAgentView(AgentView, kw_only=True):
    """An agent with its secrets. They are shown this once."""

    agent_id: str
    secret: str
    webhook_secret: str


def agent_fields(agent: Agent, now: Instant, *, connected: bool) -> dict[str, Any]:
    """The fields of an AgentView."""
    thinking = agent.thinking_until is not None and now < agent.thinking_until
    former = agent.old_secret_until
    return {
        "id": agent.id,
        "name": agent.name,
        "kind": agent.kind,
        "timezone": agent.timezone,
        "connected": connected,
        "last_seen_at": at(agent.last_seen_at),
        "thinking": thinking,
        "status_text": agent.status_text if thinking else None,
        "thinking_in": agent.thinking_in if thinking else None,
        "webhook_url": agent.webhook_url,
        "webhook_failing_since": at(agent.webhook_failing_since),
        "webhook_disabled": agent.webhook_disabled,
        "old_secret_until": None if former is None or former <= now else rfc3339(former),
        "created_at": rfc3339(agent.created_at),
        "budget": read_budget(agent.budget),
        "webhook_format": agent.webhook_format,
    }


class ConversationView(msgspec.Struct):
    """A chat with an agent."""

    id: str
    agent_id: str
    title: str
    created_at: str


def conversation_view(each: Conversation) -> ConversationView:
    return ConversationView(each.id, each.agent_id, each.title, rfc3339(each.created_at))


class MessageView(msgspec.Struct, kw_only=True):
    """One bubble. `kind` task: a run's; decision: a question's; notice: of Nod itself."""

    id: str
    conversation_id: str
    agent_id: str
    author: str
    kind: str
    text: str
    report_title: str | None
    report_description: str | None
    image_url: str | None
    image_urls: list[str]
    task_run_id: str | None
    decision_id: str | None
    reply_to_id: str | None
    event_id: str | None
    created_at: str
    updated_at: str


def message_view(each: Message, pictures: Sequence[Shown] = ()) -> MessageView:
    return MessageView(
        id=each.id,
        conversation_id=each.conversation_id,
        agent_id=each.agent_id,
        author=each.author,
        kind=each.kind,
        text=each.text,
        report_title=each.title,
        report_description=each.description,
        image_url=None if each.image_id is None else f"/api/images/{each.image_id}",
        image_urls=[f"/api/images/{one.id}" for one in pictures],
        task_run_id=each.run_id,
        decision_id=each.decision_id,
        reply_to_id=each.reply_to_id,
        event_id=each.event_id,
        created_at=rfc3339(each.created_at),
        updated_at=rfc3339(each.updated_at),
    )


class AlwaysAllowView(msgspec.Struct):
    """One pattern that can be allowed for good."""

    pattern: str
    label: str


class HeldView(msgspec.Struct):
    """An answer that can still be undone: whose, what, and until when."""

    by: str
    until: str
    answer: Answer


class DecisionView(msgspec.Struct, kw_only=True):
    """A question to the person, and its answer. `held`: the answer, while it can be undone.

    `outside`: it was asked while the agent worked on a call from outside, so it can be allowed
    once and not always. `call`: what a request of the kind quarantine is about. To approve it runs
    the call once; with `always_allow`, its sender is trusted from then on.
    """

    id: str
    agent_id: str
    conversation_id: str
    task_run_id: str | None
    task_id: str | None
    kind: str
    title: str
    description: str
    options: list[str]
    allows_always: bool
    always_allow_label: str | None
    always_allow_options: list[AlwaysAllowView]
    proposal: dict[str, Any] | None
    status: str
    note: str | None
    always_allow: bool
    always_allow_pattern: str | None
    resolved_by: str | None
    resolved_at: str | None
    created_at: str
    expires_at: str
    held: HeldView | None
    outside: bool
    call: ShownCall | None


def decision_view(each: Decision) -> DecisionView:
    decode = msgspec.json.decode
    return DecisionView(
        id=each.id,
        agent_id=each.agent_id,
        conversation_id=each.conversation_id,
        task_run_id=each.run_id,
        task_id=each.task_id,
        kind=each.kind,
        title=each.title,
        description=each.description,
        options=decode(each.options, type=list[str]),
        allows_always=each.allows_always,
        always_allow_label=each.always_allow_label,
        always_allow_options=decode(each.always_allow_options, type=list[AlwaysAllowView]),
        proposal=None if each.proposal is None else decode(each.proposal),
        status=each.status,
        note=each.note,
        always_allow=each.always_allow,
        always_allow_pattern=each.always_allow_pattern,
        resolved_by=each.resolved_by,
        resolved_at=at(each.resolved_at),
        created_at=rfc3339(each.created_at),
        expires_at=rfc3339(each.expires_at),
        held=_held_view(each),
        outside=each.outside,
        call=None if each.call is None else decode(each.call, type=ShownCall),
    )


def _held_view(each: Decision) -> HeldView | None:
    if each.held_answer is None or each.held_until is None:
        return None
    answer = msgspec.json.decode(each.held_answer, type=Answer)
    return HeldView(each.held_by or "", rfc3339(each.held_until), answer)


class RuleView(msgspec.Struct):
    """What the person always allows the agent, and how often that was used."""

    id: str
    agent_id: str
    pattern: str
    label: str
    decision_id: str | None
    created_by: str
    created_at: str
    uses: int
    used_at: str | None


def rule_view(each: AllowRule) -> RuleView:
    return RuleView(
        each.id,
        each.agent_id,
        each.pattern,
        each.label,
        each.decision_id,
        each.created_by,
        rfc3339(each.created_at),
        each.uses,
        at(each.used_at),
    )


class SessionView(msgspec.Struct):
    """A browser in which the person is signed in."""

    id: str
    browser: str
    created_at: str
    seen_at: str
    expires_at: str


def session_view(each: Session) -> SessionView:
    return SessionView(
        each.id,
        each.browser,
        rfc3339(each.created_at),
        rfc3339(each.seen_at),
        rfc3339(each.expires_at),
    )


class ActivityView(msgspec.Struct):
    """One thing that happened, and what it is about."""

    id: str
    agent_id: str
    kind: str
    title: str
    text: str
    task_id: str | None
    run_id: str | None
    decision_id: str | None
    created_at: str


def activity_view(each: Happened) -> ActivityView:
    return ActivityView(
        each.id,
        each.agent_id,
        each.kind,
        each.title,
        each.text,
        each.task_id,
        each.run_id,
        each.decision_id,
        rfc3339(each.at),
    )


class OutputView(msgspec.Struct):
    """A run's full deliverable; None where it has set none."""

    run_id: str
    text: str | None


class SenderView(msgspec.Struct):
    """A sender whose calls a task lets in as long as they bring nothing but what is in `known`."""

    id: str
    task_id: str
    sender: str
    known: list[str]
    trusted_by: str
    created_at: str
    uses: int
    used_at: str | None


def sender_view(each: Trusted) -> SenderView:
    row = each.row
    return SenderView(
        row.id,
        row.task_id,
        row.sender,
        list(each.known),
        row.trusted_by,
        rfc3339(row.created_at),
        row.uses,
        at(row.used_at),
    )


class PayloadView(msgspec.Struct):
    """What the call that started a run brought, and where it came from."""

    run_id: str
    payload: Any
    trigger: Any
