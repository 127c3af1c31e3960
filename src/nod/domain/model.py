"""The nouns of Nod as frozen values. Each is one row of the table of the same name.

The fields stand in the order of the table's columns, so a row becomes a value by position.
Instants are milliseconds since 1970 UTC (`domain/instant.py`); lengths of time end in `_s`.
"""

import random
from dataclasses import dataclass
from typing import Literal

from nod.domain.instant import Instant
from nod.domain.policy import CatchUp, Overlap
from nod.domain.schedule import TriggerType
from nod.domain.states import DecisionStatus, EventState, RunStatus

AgentKind = Literal["interactive", "approval_only"]
RunTrigger = Literal["schedule", "once", "event", "manual", "retry"]
RunDelivery = Literal["pending", "delivered", "polled", "failed"]
EventType = Literal["task_due", "task_trigger", "user_message", "decision_resolved"]
Channel = Literal["websocket", "webhook", "poll"]
WebhookFormat = Literal["nod", "cloudevents"]
DecisionKind = Literal[
    "approval",
    "choice",
    "question",
    "permission",
    "proposal",
    "still_wanted",
    "budget",
    "quarantine",
]
Author = Literal["agent", "user", "nod"]
MessageKind = Literal["text", "report", "task", "decision", "notice"]
Theme = Literal["system", "light", "dark"]
Notify = Literal["always", "failures", "changes", "silent"]
TargetKind = Literal["push", "apprise"]
NoticeKind = Literal["result", "failure", "recovery", "request", "message", "health", "morning"]
# held: for the morning card, which makes it summed; dropped: there was nothing to tell any more
NoticeState = Literal["pending", "held", "sent", "summed", "dropped", "dead"]


def new_id(prefix: str, now: Instant) -> str:
    """An opaque id: the prefix, the time (so that indexes grow at their end) and 56 random bits."""
    return f"{prefix}_{now:012x}{random.getrandbits(56):014x}"


@dataclass(frozen=True, slots=True)
class User:
    """A person with an account."""

    id: str
    email: str
    name: str
    password_hash: str
    timezone: str
    created_at: Instant
    locale: str = "en_GB"  # how dates are written
    theme: Theme = "system"
    quiet_from: int | None = None  # minutes after midnight in their zone; no notices from then…
    quiet_until: int | None = None  # …to then
    quiet_requests: bool = False  # whether requests are quiet as well
    morning_at: int | None = None  # minutes after midnight: when the night is summed up
    feed_version: int = 1  # a new one makes the former calendar address worthless
    tokens_from: Instant = 0  # API tokens made before it are worth nothing


@dataclass(frozen=True, slots=True)
class Agent:
    """A program that works for a person. Of its secret only the hash is kept."""

    id: str
    owner_id: str
    name: str
    kind: AgentKind
    timezone: str | None
    secret_hash: str
    old_secret_hash: str | None  # works until old_secret_until
    old_secret_until: Instant | None
    old_secret_in_use: bool  # the agent has not been seen with its new secret yet
    webhook_url: str | None
    webhook_key: str  # sealed
    old_webhook_key: str | None  # sealed
    webhook_failing_since: Instant | None
    webhook_told_at: Instant | None  # when the owner was told that it fails
    webhook_disabled: str | None  # the reason
    last_seen_at: Instant | None
    status_text: str | None  # beside "Thinking…"
    thinking_until: Instant | None
    thinking_in: str | None  # a conversation
    created_at: Instant
    deleted_at: Instant | None
    budget: str | None = None  # JSON (domain/budget.py): what a day may use up
    webhook_format: WebhookFormat = "nod"


@dataclass(frozen=True, slots=True)
class Task:
    """A prompt and a schedule."""

    id: str
    agent_id: str
    name: str
    description: str
    prompt: str
    schedule: str  # cron, "once" or "event"
    trigger_type: TriggerType
    timezone: str
    run_at: Instant | None
    starts_at: Instant | None
    ends_at: Instant | None
    spread_s: int
    overlap: Overlap
    catch_up: CatchUp
    catch_up_window_s: int | None  # None: the default that follows from the schedule
    useful_until: str | None
    timeout_s: int
    max_attempts: int
    idempotent: bool
    pause_after_failures: int
    enabled: bool
    pause_reason: str | None
    trigger_id: str | None
    verify: str
    verify_secret: str | None  # sealed
    next_fire_at: Instant | None  # also while paused: a fire that does not run is recorded
    fired_until: Instant  # fires up to here have their entry; time stepping back repeats none
    last_run_status: RunStatus | None
    failures: int  # consecutive
    created_by: Author
    created_at: Instant
    updated_at: Instant
    deleted_at: Instant | None
    notify: Notify = "always"
    budget: str | None = None  # JSON (domain/budget.py): what a day may use up
    budget_by: Author | None = None  # who set it
    budgeted: bool = False  # it, or its agent, has a budget
    quarantine: bool = False  # calls of a new sender, or that bring something new, wait for a look


@dataclass(frozen=True, slots=True)
class Run:
    """One fire of a task, also one that did not run (status `skipped`, with its reason)."""

    id: str
    task_id: str
    agent_id: str
    status: RunStatus
    trigger: RunTrigger
    queued: bool  # pending, and waiting for its turn: an earlier run, a look, the end of a pause
    attempt: int
    retry_of: str | None
    scheduled_for: Instant
    missed_until: Instant | None  # a skipped entry that stands for all fires up to this one
    created_at: Instant
    useful_until: Instant | None
    delivery: RunDelivery
    delivered_at: Instant | None
    started_at: Instant | None
    finished_at: Instant | None
    deadline_at: Instant | None  # when it times out; none while it waits for a person
    last_deadline_at: Instant | None  # beyond which no sign of life moves the deadline
    waiting_since: Instant | None
    timeout_s: int
    summary: str | None
    error: str | None
    reason: str | None
    late: bool
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: float | None
    waited_ms: int = 0  # for a person, without the wait that is under way
    outside: bool = False  # a call from outside started it, or the run that it retries
    held: bool = False  # its call waits for a person's look, or was not let in
    traceparent: str | None = None  # what its caller said of its trace
    tracestate: str | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """One thing to tell an agent, in the outbox until it is settled. `body` is its JSON object."""

    seq: int
    id: str
    agent_id: str
    run_id: str | None
    type: EventType
    body: str
    state: EventState
    created_at: Instant
    not_before: Instant  # a retry is held until then
    attempt_at: Instant | None  # when the next channel is tried; None: when a channel opens
    expires_at: Instant | None
    attempts: int  # webhook attempts made
    retry_reason: str  # of the next webhook attempt
    channel: Channel | None  # the one that settled it
    settled_at: Instant | None
    error: str | None


@dataclass(frozen=True, slots=True)
class Payload:
    """What an inbound call brought. It never mixes with the prompt."""

    run_id: str
    payload: str  # JSON, as it came
    inbound: str  # JSON: source, headers (a safe set), query


@dataclass(frozen=True, slots=True)
class HeldCall:
    """Why a call was held for a look: who sent it, and the shape of what it brought."""

    run_id: str
    task_id: str
    sender: str
    shape: str  # JSON of a Shape


@dataclass(frozen=True, slots=True)
class TrustedSender:
    """Whose calls a task lets in, as long as they bring nothing but what is in `shape`."""

    id: str
    task_id: str
    sender: str
    shape: str  # JSON of a Shape
    trusted_by: str  # a person's e-mail
    created_at: Instant
    uses: int
    used_at: Instant | None


@dataclass(frozen=True, slots=True)
class RefusedCall:
    """A call of a trigger that made no run, and why. Where it came from is not kept."""

    id: str
    task_id: str
    created_at: Instant
    status: str  # wrong_signature, paused, rate_limited, too_large, malformed
    reason: str
    size_bytes: int | None
    inbound: str  # JSON: source, headers (a safe set)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One attempt to bring an event to its agent."""

    id: str
    event_id: str
    agent_id: str
    run_id: str | None
    channel: Channel
    attempt: int
    outcome: str  # ok, http_error, timeout, connection_error, refused, dropped
    status: int | None
    latency_ms: int
    answer: str
    error: str | None
    created_at: Instant


@dataclass(frozen=True, slots=True)
class ContextBlock:
    """One entry of a run's scratchpad."""

    run_id: str
    id: int
    text: str
    created_at: Instant


@dataclass(frozen=True, slots=True)
class Conversation:
    """A chat between an agent and its owner."""

    id: str
    agent_id: str
    title: str
    created_at: Instant
    read_seq: int = 0  # the person has read up to this message


@dataclass(frozen=True, slots=True)
class Message:
    """One bubble of a conversation."""

    seq: int
    id: str
    conversation_id: str
    agent_id: str
    author: Author
    kind: MessageKind
    text: str
    title: str | None  # of a report
    description: str | None  # of a report
    image_id: str | None
    run_id: str | None
    decision_id: str | None
    reply_to_id: str | None
    event_id: str | None  # by which a person's message goes to the agent
    created_at: Instant
    updated_at: Instant


@dataclass(frozen=True, slots=True)
class Image:
    """A picture in a conversation."""

    id: str
    agent_id: str
    media_type: str
    data: bytes
    created_at: Instant
    width: int | None = None  # in pixels, as the picture says; None: it does not
    height: int | None = None
    message_id: str | None = None  # None: uploaded, and in no message yet
    position: int = 0  # among those of its message


@dataclass(frozen=True, slots=True)
class Decision:
    """A question to a person, and its answer."""

    id: str
    agent_id: str
    conversation_id: str
    run_id: str | None
    task_id: str | None
    kind: DecisionKind
    title: str
    description: str
    options: str  # JSON list of text
    allows_always: bool
    always_allow_label: str | None
    always_allow_options: str  # JSON list of {"pattern", "label"}
    proposal: str | None  # JSON: the task that approving creates
    status: DecisionStatus
    note: str | None
    always_allow: bool
    always_allow_pattern: str | None
    resolved_by: str | None  # a person's e-mail, "rule" for a standing permission, or "nod"
    resolved_at: Instant | None
    created_at: Instant
    expires_at: Instant
    warn_at: Instant | None  # when the person is warned next
    held_answer: str | None = None  # JSON of the answer that can still be taken back
    held_by: str | None = None
    held_until: Instant | None = None  # when it is carried out and the agent hears of it
    outside: bool = False  # asked while a run was under way that a call from outside started
    call: str | None = None  # JSON: the call that waits for a look, as its request shows it


@dataclass(frozen=True, slots=True)
class Activity:
    """One line of what happened, for the person."""

    seq: int
    id: str
    agent_id: str
    kind: str
    title: str
    text: str
    task_id: str | None
    run_id: str | None
    created_at: Instant
    decision_id: str | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """A browser in which a person is signed in. Of its cookie only the hash is kept."""

    id: str
    user_id: str
    token_hash: str
    old_token_hash: str | None  # of the cookie before, which works a little longer
    rotated_at: Instant
    browser: str  # in words
    created_at: Instant
    seen_at: Instant
    expires_at: Instant


@dataclass(frozen=True, slots=True)
class AllowRule:
    """What a person always allows an agent."""

    id: str
    agent_id: str
    pattern: str
    label: str
    decision_id: str | None  # the request it was made with
    created_by: str  # a person's e-mail
    created_at: Instant
    uses: int
    used_at: Instant | None


@dataclass(frozen=True, slots=True)
class NotifyTarget:
    """Where a person is notified."""

    id: str
    user_id: str
    kind: TargetKind
    label: str
    address_hash: str
    address: str  # sealed: an Apprise URL, or the JSON of a push subscription
    enabled: bool
    failing_since: Instant | None
    error: str | None
    created_at: Instant
    used_at: Instant | None
    failures: int = 0  # in a row
    next_at: Instant = 0  # no attempt before then: one is under way, or the last one failed


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing a person is to be told, in the outbox until it is settled."""

    id: str
    user_id: str
    kind: NoticeKind
    title: str
    text: str
    path: str  # the page it opens
    agent_id: str | None
    task_id: str | None
    run_id: str | None
    decision_id: str | None
    cause: str | None  # repeated failures with one cause are one notice
    created_at: Instant
    not_before: Instant
    attempts: int
    state: NoticeState
    settled_at: Instant | None
    error: str | None
    message_id: str | None = None
