"""The card of a question as a link that a client shows its user: elicitation by URL.

Only the link goes through the client, never the answer: what an agent has asked cannot be answered
with its own credentials. Who follows the link answers on Nod's own page, signed in.
"""

import asyncio
from collections.abc import Awaitable
from contextlib import suppress

from mcp.shared.exceptions import MCPError
from mcp.types import ElicitRequestURLParams

from nod.mcp.calling import Call, Caller, Request, caller_of
from nod.mcp.shapes import Answer


def can_show(request: Request) -> bool:
    """Whether the client says that it can show its user a link."""
    can = request.session.client_capabilities
    return can is not None and can.elicitation is not None and can.elicitation.url is not None


def link(caller: Caller, decision_id: str, title: str) -> ElicitRequestURLParams:
    """What a client is to show its user: the question, and where it is answered."""
    return ElicitRequestURLParams(message=title, url=f"{caller.url}/requests/{decision_id}")


async def with_link(call: Call, decision_id: str, title: str, answer: Awaitable[Answer]) -> Answer:
    """The answer. While it is awaited, a client that can be asked shows the link to the card.

    Whatever its user does with the link, only the answer, given anywhere, ends the waiting.
    """
    if not (call.session.can_send_request and can_show(call.request_context)):
        return await answer
    showing = asyncio.create_task(_show(call, decision_id, title))
    try:
        found = await answer
    finally:
        showing.cancel()
        await asyncio.wait([showing])
    if found.status != "pending":
        await call.session.send_elicit_complete(decision_id, call.request_id)
    return found


async def _show(call: Call, decision_id: str, title: str) -> None:
    shown = link(caller_of(call.request_context), decision_id, title)
    with suppress(MCPError):  # a client that will not: the card is on the phone all the same
        await call.session.elicit_url(shown.message, shown.url, decision_id, call.request_id)
