"""Tools for runs: what waits, taking it up, notes, and the result."""

from collections.abc import Iterable
from contextlib import suppress
from typing import Annotated, Any

from pydantic import Field

from nod.client.async_client import AsyncClient
from nod.client.errors import NodError
from nod.client.requests import LONG_POLL_S
from nod.client.types import Context as Scratchpad
from nod.client.types import Event, RunResult
from nod.client.types import Run as WireRun
from nod.mcp.calling import Call, RunId, TaskId, act, client_of, look
from nod.mcp.shapes import (
    OUTSIDE,
    SHOWN,
    Answer,
    Ended,
    Inbox,
    Message,
    Note,
    Noted,
    Notes,
    Run,
    Waiting,
    Work,
)
from nod.worker.job import ENDED, Job, job_of


async def inbox(
    call: Call,
    wait_s: Annotated[
        int,
        Field(ge=0, le=LONG_POLL_S, description="Seconds to wait for something; 0 looks only."),
    ] = 0,
) -> Inbox:
    """What waits for you: runs that are due, calls from outside, messages and answers.

    Look here first, and again when a piece of work is done. Runs stay until `take_up`; messages and
    answers are shown once.
    """
    client = client_of(call)
    found = Inbox(runs=[], messages=[], answers=[])
    for event in await client.events(wait_s=wait_s):
        job = job_of(event)
        if job is not None:
            found.runs.append(_waiting(job))
        elif _put(found, event):
            with suppress(NodError):  # then it is shown again, which is better than not at all
                await client.ack_event(event["event_id"])
    return found


def _waiting(job: Job) -> Waiting:
    source = (job.trigger or {}).get("source") or "a call from outside"
    return Waiting(
        run_id=job.run_id,
        task_id=job.task_id,
        task_name=job.name,
        called_by=source if job.triggered else None,
    )


def _put(found: Inbox, event: Event) -> bool:
    """Whether the event is one that is shown, and has its place now."""
    if event.get("type") == "user_message":
        found.messages.append(Message.model_validate(event))
    elif event.get("type") == "decision_resolved":
        found.answers.append(Answer.of(event["decision_id"], event))
    else:
        return False
    return True


async def take_up(call: Call, run_id: RunId) -> Work:
    """Begin a run that waits, or go on with one of yours: its prompt, your notes, its payload.

    Do what the prompt says, then `complete` it. From here on each note, question or message of the
    run is a sign of life. A payload is shown this one time, so note what you need of it.
    """
    client = client_of(call)
    waiting = await client.events()  # before taking up: after it the run's event is done with
    run = await client.run(run_id)
    if run["status"] in ENDED:
        raise NodError(f"run {run_id} is {run['status']}; there is nothing to take up")
    return await _work(client, run, waiting)


async def start_task(call: Call, task_id: TaskId) -> Work:
    """Do a task now, whatever its schedule: takes up its oldest run that waits, or makes one."""
    client = client_of(call)
    waiting = await client.events()
    started = await client.start_run(task_id)
    return await _work(client, await client.run(started["run_id"]), waiting)


async def _work(client: AsyncClient, run: WireRun, waiting: Iterable[Event]) -> Work:
    """Takes the run up, by reading its scratchpad, and says what is to be done."""
    scratchpad = await client.context(run["id"])
    task = await client.task(run["task_id"])
    work = Work(
        run_id=run["id"],
        task_id=task["id"],
        task_name=task["name"],
        prompt=task["prompt"],
        notes=_notes(scratchpad),
    )
    if run["trigger"] == "event":
        work.warning = SHOWN
    for job in filter(None, map(job_of, waiting)):
        if job.run_id == run["id"] and job.triggered:
            work.warning, work.payload, work.trigger = OUTSIDE, job.payload, job.trigger
    return work


async def note(
    call: Call,
    run_id: RunId,
    text: Annotated[str, Field(description="What you would need to go on from here.")],
) -> Noted:
    """Add a note to the run's scratchpad: what you found and did, in case you are interrupted.

    Notes last until the run ends. Each is a sign of life too: on a long run, add one now and then.
    """
    added = await client_of(call).add_context(run_id, text)
    return Noted(run_id=run_id, note_id=added["block_id"])


async def read_notes(call: Call, run_id: RunId) -> Notes:
    """The notes of a run, the oldest first; none after its end. Reading them takes the run up."""
    return Notes(run_id=run_id, notes=_notes(await client_of(call).context(run_id)))


def _notes(scratchpad: Scratchpad) -> list[Note]:
    return [Note.model_validate(each) for each in scratchpad["blocks"]]


async def set_output(
    call: Call,
    run_id: RunId,
    text: Annotated[str, Field(description="The whole result, Markdown, at most 1 MiB.")],
) -> Ended:
    """Set the run's full result, for anything that a summary is too short for.

    The person reads it as the result. Setting it again replaces it, also after `complete`.
    """
    done: Any = await client_of(call).put_output(run_id, text)
    return Ended(run_id=run_id, status=done["status"])


async def complete(
    call: Call,
    run_id: RunId,
    status: Annotated[RunResult, Field(description="Whether what was asked for is done.")],
    summary: Annotated[
        str,
        Field(description="What came out, or why not, in Markdown of at most 1,000 characters."),
    ],
) -> Ended:
    """End a run with its result, once. Every run that was taken up ends with this.

    Say `failed` when it could not be done. What is longer goes into `set_output` before.
    """
    done = await client_of(call).complete_run(run_id, status, summary)
    return Ended(run_id=run_id, status=done["status"])


async def show_run(call: Call, run_id: RunId) -> Run:
    """How a run stands, and its whole result. Looking changes nothing."""
    return Run.model_validate(await client_of(call).run(run_id))


TOOLS = (
    act(inbox),
    act(take_up, again=True),
    act(start_task),
    act(note),
    act(read_notes, again=True),
    act(set_output, again=True),
    act(complete, again=True),
    look(show_run),
)
