"""The JSON objects of the wire, as they are. An answer may carry more fields than named here."""

from typing import Any, Literal, NotRequired, TypedDict

RunResult = Literal["completed", "failed"]
DecisionKind = Literal["approval", "choice", "question", "permission"]
Event = dict[str, Any]
"""What the agent is told; `type` says what it is: `task_due`, `task_trigger`, `error` and so on."""


class Budget(TypedDict, total=False):
    """What a day may use up, of each that is named."""

    runs: int
    tokens: int
    cost_usd: float
    minutes: int


class Task(TypedDict):
    """A prompt and a schedule."""

    id: str
    name: str
    prompt: NotRequired[str]
    schedule: str
    trigger_type: Literal["scheduled", "once", "event"]
    next_run_at: NotRequired[str | None]
    last_run_status: NotRequired[str | None]
    enabled: bool
    trigger_id: NotRequired[str | None]
    timezone: NotRequired[str]
    pause_reason: NotRequired[str | None]
    budget: NotRequired[Budget | None]


class TaskFields(TypedDict, total=False):
    """What a task may say beyond name, prompt and schedule."""

    run_at: str
    timezone: str
    overlap: Literal["skip", "queue", "allow", "cancel_previous"]
    catch_up: Literal["latest", "all", "skip"]
    catch_up_window_s: int
    useful_until: str
    timeout_s: int
    max_attempts: int
    idempotent: bool
    pause_after_failures: int
    spread_s: int
    starts_at: str
    ends_at: str
    description: str
    enabled: bool
    verify: str
    verify_secret: str
    notify: Literal["always", "failures", "changes", "silent"]
    budget: Budget | None
    quarantine: bool


class TaskChanges(TaskFields, total=False):
    """What of a task may be changed: all of it. `when` are words for a schedule."""

    when: str
    name: str
    prompt: str
    schedule: str


class PendingTrigger(TypedDict):
    """A trigger event that arrived while the agent could not be reached."""

    id: str
    task_id: str
    task_name: str
    task_prompt: str
    payload: Any
    run_id: str
    received_at: str
    traceparent: NotRequired[str]
    tracestate: NotRequired[str]


class RunStarted(TypedDict):
    """The run that was taken up."""

    run_id: str


class RunDone(TypedDict):
    """The result that stands."""

    status: str
    run_id: str


class Run(TypedDict):
    """One fire of a task; `summary` is the full deliverable."""

    id: str
    task_id: str
    agent_id: str
    status: str
    summary: str | None
    started_at: str | None
    finished_at: str | None
    created_at: NotRequired[str]
    scheduled_for: NotRequired[str]
    trigger: NotRequired[str]
    delivery: NotRequired[str]
    usage: NotRequired[dict[str, Any]]
    error: NotRequired[str | None]
    reason: NotRequired[str | None]


class Usage(TypedDict, total=False):
    """What a run has used so far."""

    input_tokens: int
    output_tokens: int
    cost_usd: float


class UsedOnDay(TypedDict):
    """What was used up on a day."""

    day: str
    runs: int
    input_tokens: int
    output_tokens: int
    cost_usd: float
    minutes: float


class BudgetToday(TypedDict):
    """A budget today. `state` is free, ask, over, lifted or stopped."""

    of: Literal["task", "agent"]
    budget: Budget
    words: str
    used: list[dict[str, Any]]
    state: str


class UsageReport(TypedDict):
    """What was used up by day, the oldest first, and the budgets that hold."""

    timezone: str
    days: list[UsedOnDay]
    budgets: list[BudgetToday]


class BlockAdded(TypedDict):
    """The number of the block that was added, from 1."""

    status: str
    block_id: int


class ContextBlock(TypedDict):
    """One entry of a run's scratchpad."""

    id: int
    text: str
    created_at: str


class Context(TypedDict):
    """A run's scratchpad, oldest block first."""

    run_id: str
    blocks: list[ContextBlock]


class Decision(TypedDict):
    """A question to a person, and its answer."""

    id: str
    status: str
    note: NotRequired[str | None]
    always_allow: NotRequired[bool]
    always_allow_pattern: NotRequired[str | None]


class Sent(TypedDict):
    """What an event to a person became."""

    status: str
    message_id: NotRequired[str]
    decision_id: NotRequired[str]


class AlwaysAllow(TypedDict):
    """One pattern a person may allow for good."""

    pattern: str
    label: str


class QuestionFields(TypedDict, total=False):
    """What a question may say beyond its title."""

    description: str
    kind: DecisionKind
    options: list[str]
    conversation_id: str
    allows_always: bool
    always_allow_label: str
    always_allow_options: list[AlwaysAllow]
    expires_in_s: int


class DecisionFields(QuestionFields, total=False):
    """What a decision may say beyond its title."""

    task_run_id: str


class MessageFields(TypedDict, total=False):
    """What a message may say beyond its text."""

    conversation_id: str
    task_run_id: str
    report_title: str
    report_description: str
    image_base64: str


class Preview(TypedDict):
    """A schedule in words and its next fires: `next` in UTC, `local` with the zone's offset."""

    schedule: str
    timezone: str
    description: str
    next: list[str]
    local: list[str]
    notes: list[str]


class Why(TypedDict):
    """One sentence that explains what happened to a task at a time, and the run behind it."""

    why: str
    run: NotRequired[Run | None]
