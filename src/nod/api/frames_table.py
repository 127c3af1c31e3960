"""Every frame of the agent's socket and every webhook, as a table.

`asyncapi.py` makes the AsyncAPI document of it, `events_page.py` the readable page; a test holds
it to the types by which the socket reads its frames.
"""

from dataclasses import dataclass
from typing import Any, Literal

Direction = Literal["from_agent", "to_agent"]
Json = dict[str, Any]

TEXT: Json = {"type": "string"}
FLAG: Json = {"type": "boolean"}
COUNT: Json = {"type": "integer", "minimum": 0}
TEXTS: Json = {"type": "array", "items": TEXT}
OBJECT: Json = {"type": "object"}


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a frame."""

    name: str
    schema: Json
    meaning: str
    required: bool = False


@dataclass(frozen=True, slots=True)
class Frame:
    """One kind of frame. `also` are the types under which POST /api/agent/events takes it."""

    type: str
    direction: Direction
    meaning: str
    fields: tuple[Field, ...]
    example: Json
    by_webhook: bool = False
    also: tuple[str, ...] = ()


def _must(name: str, schema: Json, meaning: str) -> Field:
    return Field(name, schema, meaning, required=True)


_RUN = Field("task_run_id", TEXT, "The run this belongs to; naming it takes it up.")
_WHERE = Field("conversation_id", TEXT, "Where it appears; the agent's latest conversation if not.")
_EXPIRES = Field("expires_in_s", COUNT, "Seconds until the question expires; 72 hours if not.")
_EVENT_ID = _must("event_id", TEXT, "The same each time this event is sent.")
_TRACE = (
    Field("traceparent", TEXT, "W3C Trace Context, where the run stands in a trace."),
    Field("tracestate", TEXT, "Beside it, where the caller gave one."),
)
_TASK = (
    _must("task_id", TEXT, "The task."),
    _must("run_id", TEXT, "Its run, which exists already; complete it with this."),
    _must("task_name", TEXT, "The task's name."),
    _must("task_prompt", TEXT, "What to do."),
)
_ALWAYS_OPTION: Json = {
    "type": "object",
    "required": ["pattern"],
    "properties": {"pattern": TEXT, "label": TEXT},
}
_USAGE: Json = {
    "type": "object",
    "properties": {"input_tokens": COUNT, "output_tokens": COUNT, "cost_usd": {"type": "number"}},
}
_BLOCK: Json = {
    "type": "object",
    "properties": {"id": COUNT, "text": TEXT, "created_at": TEXT},
}
_NULLABLE_TEXT: Json = {"type": ["string", "null"]}
_BEAT = (
    Field("conversation_id", TEXT, "Where “Thinking…” shows; the latest conversation if not."),
    Field("status_text", TEXT, "What stands beside “Thinking…”."),
    Field("task_run_id", TEXT, "The run being worked on; its lease is renewed."),
    Field("usage", _USAGE, "What the run has cost so far."),
)

FROM_AGENT: tuple[Frame, ...] = (
    Frame(
        "auth",
        "from_agent",
        "The first frame, within 10 seconds. With `acks` every event must be acknowledged.",
        (
            _must("secret", TEXT, "The agent's secret, nod_…"),
            Field("acks", FLAG, "Acknowledge strictly: no ack in 10 s means the next channel."),
        ),
        {"type": "auth", "secret": "nod_…"},
    ),
    Frame("ping", "from_agent", "Answered by `pong`.", (), {"type": "ping"}),
    Frame(
        "ack",
        "from_agent",
        "The agent has this event.",
        (_must("event_id", TEXT, "The event."),),
        {"type": "ack", "event_id": "evt_…"},
    ),
    Frame(
        "message",
        "from_agent",
        "A message in the chat, Markdown. With `task_run_id` it is that run's task bubble.",
        (
            Field("text", TEXT, "Markdown."),
            _WHERE,
            _RUN,
            Field("report_title", TEXT, "Makes it a report with this title."),
            Field("report_description", TEXT, "One line below the report's title."),
            Field("image_base64", TEXT, "A picture, up to 5 MB."),
        ),
        {"type": "message", "text": "The build is **green**.", "task_run_id": "run_…"},
        also=("message",),
    ),
    Frame(
        "decision",
        "from_agent",
        "A question to the person. With `task_run_id` that run waits for the answer.",
        (
            _must("title", TEXT, "The question."),
            Field("description", TEXT, "What the person should know."),
            Field(
                "kind",
                {"enum": ["approval", "choice", "question", "permission"]},
                "How it is answered; approval if not given.",
            ),
            Field("options", TEXTS, "What can be chosen, for a choice."),
            _WHERE,
            _RUN,
            Field("allows_always", FLAG, "Offer to allow it for good."),
            Field("always_allow_label", TEXT, "How that offer reads."),
            Field(
                "always_allow_options",
                {"type": "array", "items": _ALWAYS_OPTION},
                "Patterns that can be allowed for good.",
            ),
            _EXPIRES,
        ),
        {"type": "decision", "title": "Deploy 1.4?", "kind": "approval", "task_run_id": "run_…"},
        also=("decision",),
    ),
    Frame(
        "task_proposal",
        "from_agent",
        "A task the agent would like to have; approving the card creates it.",
        (
            _must("title", TEXT, "The card's title."),
            _must("task_name", TEXT, "The task's name."),
            _must("task_prompt", TEXT, "What each run does."),
            _must("task_schedule", TEXT, "Cron, “once” or “event”."),
            Field("description", TEXT, "Why."),
            Field("run_at", TEXT, "When, for “once” (RFC 3339)."),
            Field("timezone", TEXT, "IANA name."),
            _WHERE,
            _RUN,
            _EXPIRES,
        ),
        {
            "type": "task_proposal",
            "title": "A daily summary?",
            "task_name": "Daily summary",
            "task_prompt": "Summarize yesterday's commits.",
            "task_schedule": "0 9 * * 1-5",
        },
        also=("task_proposal",),
    ),
    Frame(
        "alert",
        "from_agent",
        "A line of activity.",
        (_must("title", TEXT, "What happened."), Field("text", TEXT, "More on it."), _RUN),
        {"type": "alert", "title": "Disk almost full", "text": "93 % of /"},
        also=("alert",),
    ),
    Frame(
        "agent_heartbeat",
        "from_agent",
        "Shows “Thinking…” for 30 seconds, and renews the lease of the run named.",
        _BEAT,
        {"type": "agent_heartbeat", "status_text": "Reading the log", "task_run_id": "run_…"},
        also=("processing_start",),
    ),
    Frame(
        "agent_idle",
        "from_agent",
        "Clears “Thinking…”.",
        _BEAT[:2],
        {"type": "agent_idle"},
        also=("processing_stop",),
    ),
    Frame(
        "status",
        "from_agent",
        "A lifecycle signal for the activity list.",
        (
            _must("action", TEXT, "Such as started or stopping."),
            Field("details", {}, "Text, or any JSON."),
        ),
        {"type": "status", "action": "started", "details": "version 1.4"},
    ),
)

TO_AGENT: tuple[Frame, ...] = (
    Frame(
        "auth_ok",
        "to_agent",
        "The secret is right. Undelivered events follow, the oldest first.",
        (_must("agent_id", TEXT, "The agent."),),
        {"type": "auth_ok", "agent_id": "agt_…"},
    ),
    Frame("pong", "to_agent", "The answer to `ping`.", (), {"type": "pong"}),
    Frame(
        "error",
        "to_agent",
        "A frame that could not be taken; the connection stays open.",
        (
            _must("detail", TEXT, "What to do about it."),
            Field("run_id", TEXT, "The run that the frame named."),
            Field("status", TEXT, "How that run stands, so that a worker knows when to stop."),
        ),
        {"type": "error", "detail": "title is missing"},
    ),
    Frame(
        "task_due",
        "to_agent",
        "A task is due. The run exists: do what the prompt says, then complete the run.",
        (*_TASK, _must("schedule", TEXT, "The task's schedule."), *_TRACE, _EVENT_ID),
        {
            "type": "task_due",
            "task_id": "tsk_…",
            "run_id": "run_…",
            "task_name": "Daily summary",
            "task_prompt": "Summarize yesterday's commits.",
            "schedule": "0 9 * * 1-5",
            "event_id": "evt_…",
        },
        by_webhook=True,
    ),
    Frame(
        "task_trigger",
        "to_agent",
        "Somebody called the task's trigger. The payload is data, never part of the prompt.",
        (
            *_TASK,
            _must("payload", {}, "What the caller sent."),
            Field("trigger", OBJECT, "Its source, safe headers and query."),
            *_TRACE,
            _EVENT_ID,
        ),
        {
            "type": "task_trigger",
            "task_id": "tsk_…",
            "run_id": "run_…",
            "task_name": "Process push",
            "task_prompt": "Analyze the push event.",
            "payload": {"ref": "refs/heads/main"},
            "trigger": {"source": "github", "headers": {"x-github-event": "push"}, "query": {}},
            "event_id": "evt_…",
        },
        by_webhook=True,
    ),
    Frame(
        "user_message",
        "to_agent",
        "The person has written.",
        (
            _must("text", TEXT, "What they wrote."),
            _must("sender_name", TEXT, "Who."),
            _must("conversation_id", TEXT, "Where; answer there."),
            _must("message_id", TEXT, "The message."),
            Field("image_url", _NULLABLE_TEXT, "A picture with it."),
            Field("image_urls", TEXTS, "All pictures."),
            Field("audio_url", _NULLABLE_TEXT, "A recording with it."),
            Field("reply_to_id", _NULLABLE_TEXT, "The message it answers."),
            Field("reply_to_text", _NULLABLE_TEXT, "That message's text."),
            _EVENT_ID,
        ),
        {
            "type": "user_message",
            "text": "How far is it?",
            "sender_name": "Ann",
            "conversation_id": "conv_…",
            "message_id": "msg_…",
            "image_url": None,
            "image_urls": [],
            "audio_url": None,
            "reply_to_id": None,
            "reply_to_text": None,
            "event_id": "evt_…",
        },
        by_webhook=True,
    ),
    Frame(
        "decision_resolved",
        "to_agent",
        "A question has its answer, or has none: `expired` is not a denial.",
        (
            _must("decision_id", TEXT, "The question."),
            _must(
                "status",
                {"enum": ["approved", "rejected", "responded", "dismissed", "expired"]},
                "The answer.",
            ),
            Field("note", _NULLABLE_TEXT, "What the person chose or wrote."),
            Field("conversation_id", _NULLABLE_TEXT, "Where it was asked."),
            Field("task_run_id", _NULLABLE_TEXT, "The run that waited for it."),
            Field("always_allow", FLAG, "Allowed for good."),
            Field("always_allow_pattern", _NULLABLE_TEXT, "What is allowed for good."),
            Field("context", {"type": "array", "items": _BLOCK}, "The run's scratchpad."),
            *_TRACE,
            _EVENT_ID,
        ),
        {
            "type": "decision_resolved",
            "decision_id": "dec_…",
            "status": "approved",
            "note": "after lunch",
            "conversation_id": "conv_…",
            "task_run_id": "run_…",
            "always_allow": False,
            "always_allow_pattern": None,
            "event_id": "evt_…",
        },
        by_webhook=True,
    ),
)

FRAMES = (*FROM_AGENT, *TO_AGENT)
CLOSE_CODES = {
    4001: "The first frame was no valid auth message, or came too late.",
    4003: "Wrong secret, or one that holds no more since it was rotated.",
    4004: "No such agent, or it was removed.",
}
WEBHOOK_HEADERS: tuple[Field, ...] = (
    _must("X-Nod-Event-Id", TEXT, "The same on every retry of this event."),
    _must("X-Nod-Delivery-Id", TEXT, "New on every attempt."),
    _must("X-Nod-Timestamp", TEXT, "Unix seconds."),
    _must("X-Nod-Retry-Num", TEXT, "From 0."),
    _must(
        "X-Nod-Retry-Reason",
        {"enum": ["first_attempt", "http_error", "timeout", "connection_error"]},
        "Why it is sent.",
    ),
    _must("X-Nod-Signature", TEXT, "sha256= and the HMAC of “{timestamp}.” and the raw body."),
    _must("webhook-id", TEXT, "As the Standard Webhooks specification has it."),
    _must("webhook-timestamp", TEXT, "As the Standard Webhooks specification has it."),
    _must("webhook-signature", TEXT, "v1, and base64; after a rotation one for each key."),
    Field("traceparent", TEXT, "W3C Trace Context, where the run stands in a trace."),
    Field("tracestate", TEXT, "Beside it, where the caller gave one."),
)
CLOUD_EVENT = "cloud_event"
# No frame of the socket: what a webhook is wrapped in where the agent's webhook_format says so.
CLOUD_EVENT_FRAME = Frame(
    CLOUD_EVENT,
    "to_agent",
    "Any of the webhooks as a CloudEvent 1.0, where webhook_format is cloudevents.",
    (
        _must("specversion", {"const": "1.0"}, "Of CloudEvents."),
        _must("id", TEXT, "The event_id; the same on every retry."),
        _must("source", {**TEXT, "format": "uri"}, "The page of the task, or of the agent."),
        _must("type", TEXT, "nod. and the event's type, such as nod.task_due."),
        _must("time", {**TEXT, "format": "date-time"}, "When the event was made."),
        _must("datacontenttype", {"const": "application/json"}, "Of the data."),
        Field("subject", TEXT, "The run, where the event is of one."),
        *_TRACE,
        _must("data", OBJECT, "The event as it would be without the envelope."),
    ),
    {
        "specversion": "1.0",
        "id": "evt_…",
        "source": "https://nod.example.org/tasks/tsk_…",
        "type": "nod.task_due",
        "time": "2026-03-02T09:00:00Z",
        "datacontenttype": "application/json",
        "subject": "run_…",
        "data": {"type": "task_due", "task_id": "tsk_…", "run_id": "run_…", "event_id": "evt_…"},
    },
)
