"""Tools for tasks: what the agent is woken for, and when."""

from typing import Annotated, Literal

from pydantic import Field

from nod.client.types import Task as WireTask
from nod.mcp.calling import Call, act, caller_of, client_of, given, look
from nod.mcp.shapes import Asked, Preview, Task, Tasks

Name = Annotated[str, Field(description="A short name, as the person will see it.")]
Prompt = Annotated[
    str,
    Field(
        description="What to do each time, complete in itself: whoever runs it does not know this"
        " conversation."
    ),
]
Schedule = Annotated[
    str,
    Field(
        description='Five fields of cron ("0 9 * * 1-5"), "once" with run_at, or "event" for a task'
        " that a call of its trigger_url starts."
    ),
]
RunAt = Annotated[
    str | None, Field(description='When, for "once": RFC 3339, such as 2026-09-01T09:00:00Z.')
]
Zone = Annotated[
    str | None,
    Field(description="IANA name, such as Europe/Berlin. The agent's or its person's if left out."),
]


async def list_tasks(call: Call) -> Tasks:
    """All tasks of this agent: schedules, next fires, last results. Look here before adding one."""
    return Tasks(tasks=[_task(call, each) for each in await client_of(call).tasks()])


async def create_task(
    call: Call,
    name: Name,
    prompt: Prompt,
    schedule: Schedule,
    run_at: RunAt = None,
    timezone: Zone = None,
    description: Annotated[str | None, Field(description="What the task is for.")] = None,
    overlap: Annotated[
        Literal["skip", "queue", "allow", "cancel_previous"] | None,
        Field(description="What a fire does while the run before is still going."),
    ] = None,
    useful_until: Annotated[
        str | None,
        Field(
            description="After which a run is no longer wanted: a duration (2h) or a time of day."
        ),
    ] = None,
    timeout_s: Annotated[
        int | None,
        Field(description="Seconds without a sign of life after which a run has failed; 3600."),
    ] = None,
    notify: Annotated[
        Literal["always", "failures", "changes", "silent"] | None,
        Field(description="Which results the person is notified of."),
    ] = None,
) -> Task:
    """Add a task: be woken at a time, again and again, or when a service calls.

    Use it when the person has asked for it; otherwise `propose_task` lets them decide. Look at
    `preview_schedule` first. It cannot be used while you work on a run that a call from outside
    started.
    """
    fields = given(
        run_at=run_at,
        timezone=timezone,
        description=description,
        overlap=overlap,
        useful_until=useful_until,
        timeout_s=timeout_s,
        notify=notify,
    )
    return _task(call, await client_of(call).create_task(name, prompt, schedule, **fields))


async def propose_task(
    call: Call,
    title: Annotated[str, Field(description='The card\'s question: "A summary each morning?"')],
    name: Name,
    prompt: Prompt,
    schedule: Schedule,
    run_at: RunAt = None,
    timezone: Zone = None,
) -> Asked:
    """Propose a task to the person: a card with its schedule in words; approving it creates it.

    Use it for a task that was your idea. `check_answer` tells what became of it.
    """
    sent = await client_of(call).propose_task(
        title, name, prompt, schedule, run_at=run_at, timezone=timezone
    )
    return Asked(decision_id=sent["decision_id"])


async def preview_schedule(
    call: Call,
    schedule: Annotated[str, Field(description='Five fields of cron, such as "0 9 * * 1-5".')],
    timezone: Zone = None,
    count: Annotated[int, Field(ge=1, le=100, description="How many fires to show.")] = 5,
) -> Preview:
    """Say in words what a schedule means and when it fires next. Changes nothing."""
    found = await client_of(call).preview_schedule(schedule, timezone=timezone, count=count)
    return Preview.model_validate(found)


def _task(call: Call, task: WireTask) -> Task:
    trigger_id = task.get("trigger_id")
    nod = caller_of(call.request_context).url
    url = f"{nod}/api/webhooks/{trigger_id}" if trigger_id else None
    return Task.model_validate({**task, "trigger_url": url})


TOOLS = (look(list_tasks), act(create_task), act(propose_task), look(preview_schedule))
