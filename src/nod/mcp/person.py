"""Tools for the person: messages, questions, and waiting for their answers."""

import math
import time
from contextlib import suppress
from typing import Annotated, Any

from pydantic import BaseModel, Field

from nod.client.async_client import AsyncClient
from nod.client.errors import NodError
from nod.client.types import DecisionKind
from nod.mcp.calling import Call, act, client_of, given
from nod.mcp.link import with_link
from nod.mcp.shapes import Answer, Sent

# Most clients give a call up after 60 seconds, unless they are told that it makes progress.
_PATIENCE_S = 45
_LONGEST_S = 600
# How often a waiting call says that it is alive.
_STEP_S = 10

OfRun = Annotated[str | None, Field(description="The run this belongs to, if there is one: run_…")]
DecisionId = Annotated[str, Field(description="The question, as `ask` or `propose_task` names it.")]


class Pattern(BaseModel):
    """One thing that the person may allow for good."""

    pattern: str = Field(description="Exactly what is done, such as the command.")
    label: str = Field(description="How it reads on the button.")


async def ask(
    call: Call,
    title: Annotated[str, Field(description='The question: "Delete 40 old branches?"')],
    description: Annotated[
        str, Field(description="What the person should know to decide, Markdown.")
    ] = "",
    kind: Annotated[
        DecisionKind | None,
        Field(
            description="approval: yes or no. permission: yes or no to something you want to do."
            " choice: one of `options`. question: words. Choice with options, else approval."
        ),
    ] = None,
    options: Annotated[
        list[str] | None, Field(description="What can be chosen, for a choice.")
    ] = None,
    run_id: OfRun = None,
    always_allow: Annotated[
        list[Pattern] | None,
        Field(description="Of a permission: what can be allowed for good."),
    ] = None,
    expires_in_s: Annotated[
        int | None, Field(description="Seconds until the question expires; 72 hours.")
    ] = None,
    wait_s: Annotated[
        int, Field(ge=0, le=_LONGEST_S, description="Seconds to wait for the answer.")
    ] = _PATIENCE_S,
) -> Answer:
    """Ask the person, who may be away: a card on their phone. Ask before what cannot be undone.

    Waits for the answer; if it is still `pending` then, go on with other work and look with
    `check_answer`. Do not ask again. With `run_id` the run waits too, and does not time out.
    """
    fields = given(
        description=description,
        kind=kind or ("choice" if options else "approval"),
        options=options,
        task_run_id=run_id,
        always_allow_options=always_allow and [each.model_dump() for each in always_allow],
        expires_in_s=expires_in_s,
    )
    decision_id = (await client_of(call).ask(title, **fields))["decision_id"]
    try:
        answer = _awaited(call, decision_id, wait_s)
        return await (with_link(call, decision_id, title, answer) if wait_s else answer)
    except NodError as error:
        raise NodError(
            f"{error.detail}. The question is asked all the same: do not ask again, look for the"
            f" answer with check_answer and {decision_id}"
        ) from error


async def check_answer(
    call: Call,
    decision_id: DecisionId,
    wait_s: Annotated[
        int, Field(ge=0, le=_LONGEST_S, description="Seconds to wait for the answer.")
    ] = 0,
) -> Answer:
    """What became of a question or a proposal: the answer, or that there is none yet."""
    return await _awaited(call, decision_id, wait_s)


async def _awaited(call: Call, decision_id: str, wait_s: int) -> Answer:
    """The answer, or the open question when the time is over; says meanwhile that it waits.

    A server that is about to end lets go of who waits before the time; so does this.
    """
    client, began = client_of(call), time.monotonic()
    while True:
        looked = time.monotonic()
        waited_s = looked - began
        left_s = max(0, math.ceil(wait_s - waited_s))
        await call.report_progress(waited_s, wait_s, "Waiting for the person's answer")
        found: Any = await client.decision(decision_id, wait_s=min(_STEP_S, left_s))
        if found["status"] != "pending":
            await heard(client, decision_id)
        elif left_s > _STEP_S and time.monotonic() - looked >= _STEP_S - 1:
            continue
        return Answer.of(decision_id, found)


async def heard(client: AsyncClient, decision_id: str) -> None:
    """The agent has the answer, so the inbox need not bring it again."""
    with suppress(NodError):
        for event in await client.events():
            if event.get("decision_id") == decision_id:
                await client.ack_event(event["event_id"])


async def message(
    call: Call,
    text: Annotated[str, Field(description="Markdown.")],
    run_id: OfRun = None,
    conversation_id: Annotated[
        str | None, Field(description="The conversation of the message that this answers.")
    ] = None,
    report_title: Annotated[
        str | None, Field(description="Makes it a report: a card with this title.")
    ] = None,
    report_description: Annotated[
        str | None, Field(description="One line below the report's title.")
    ] = None,
) -> Sent:
    """Write to the person, or with `report_title` send a report. Needs no answer; else `ask`.

    A run's result is shown by `complete`; do not send it as well.
    """
    fields = given(
        task_run_id=run_id,
        conversation_id=conversation_id,
        report_title=report_title,
        report_description=report_description,
    )
    sent = await client_of(call).message(text, **fields)
    return Sent(message_id=sent["message_id"])


ASK = act(ask)
TOOLS = (ASK, act(check_answer, again=True), act(message))
