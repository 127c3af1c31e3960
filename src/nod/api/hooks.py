"""Inbound triggers, `POST /api/webhooks/{trigger_id}`: a call from anywhere becomes a run.

Its address is its permission: whoever has the 256 random bits may fire the task. The answer comes
once the run is durable, because most callers never send again.
"""

import contextlib
import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import parse_qsl

import msgspec
from litestar import HttpMethod, MediaType, Request, Response, post, route
from litestar.exceptions import MethodNotAllowedException
from litestar.openapi import ResponseSpec
from litestar.params import FromPath

from nod.actions.calls import may_write_refusal, why_refused, write_refusal
from nod.api.auth import nod_of
from nod.app import Nod
from nod.domain import inbound
from nod.domain.callers import Caller, sender
from nod.domain.errors import InvalidInput, NodError, NotFound, TooLarge, Unavailable
from nod.domain.inbound_verify import VerifyKind, verify
from nod.domain.limits import Limits
from nod.domain.model import Task
from nod.domain.payload_shape import shape_of
from nod.domain.tracing import read_trace
from nod.engine.trigger import Call, accept_call
from nod.store.store import Tx
from nod.store.tasks import TriggerCall

Receive = Callable[[], Awaitable[Any]]

_TRIGGER_ID = re.compile(r"[0-9a-f]{64}")


class Accepted(msgspec.Struct):
    """The run that the call made, or that the same call made before."""

    status: str
    event_id: str
    run_id: str


@dataclass(frozen=True, slots=True)
class Inbound:
    """A call as it came. Header names are in lower case, values decoded as Latin-1; `address` is
    the caller's, or what a trusted proxy says it is."""

    headers: dict[str, str]
    query: dict[str, Any]
    body: bytes
    address: str | None = None


_PATH = "/api/webhooks/{trigger_id:str}"


@post(
    _PATH,
    status_code=202,
    tags=["Triggers"],
    operation_id="CallTrigger",
    responses={
        200: ResponseSpec(
            str,
            media_type=MediaType.TEXT,
            generate_examples=False,
            description="The answer to a service that checks the address",
        ),
        202: ResponseSpec(Accepted, generate_examples=False, description="The run is stored"),
    },
)
async def call_trigger(trigger_id: FromPath[str], request: Request[Any, Any, Any]) -> Response[Any]:
    """Fires the task with this trigger. Any body up to 1 MiB; it reaches the agent as `payload`.

    A call that repeats an Idempotency-Key, webhook-id, X-GitHub-Delivery or Stripe event id within
    a day is answered with the first run.
    """
    nod = nod_of(request)
    task = await find_task(nod, trigger_id)
    headers = _headers(request.scope["headers"])
    size: int | None = _announced(headers)
    try:
        body = await read_body(request.receive, headers, nod.limits)
        size = len(body)
        query = _query(request.scope["query_string"], nod.limits)
        address = None if request.client is None else request.client.host
        call = Inbound(headers, query, body, address)
        answered = await take(nod, task, call)
    except NodError as error:
        await _keep_refused(nod, task, error, headers, size)
        raise
    if isinstance(answered, inbound.UrlCheck):
        # The text is the caller's own; no browser is to take it for a page.
        safe = {"X-Content-Type-Options": "nosniff"}
        return Response(
            answered.body, status_code=200, media_type=answered.content_type, headers=safe
        )
    return Response(Accepted("accepted", answered.event_id, answered.run_id), status_code=202)


@route(_PATH, http_method=HttpMethod.OPTIONS, include_in_schema=False, sync_to_thread=False)
def refuse_options() -> None:
    """Refused like every method but POST; without this, the framework would answer by itself."""
    raise MethodNotAllowedException(headers={"allow": "POST"})


async def find_task(nod: Nod, trigger_id: str) -> Task:
    """The task of a trigger. Raises NotFound, also where the agent was removed."""
    task = None
    if _TRIGGER_ID.fullmatch(trigger_id):
        task = await nod.store.read(lambda tx: tx.tasks.by_trigger(trigger_id))
    if task is None:
        raise NotFound("there is no trigger at this address; it may have been replaced or removed")
    return task


async def take(nod: Nod, task: Task, call: Inbound) -> TriggerCall | inbound.UrlCheck:
    """Check who calls, and make the run, or answer what the caller wants to know of the URL.

    Raises NotAuthenticated, InvalidInput, TooLarge, Conflict (paused), TooMany and NotFound.
    """
    kind = cast("VerifyKind", task.verify)
    secret = None if task.verify_secret is None else nod.vault.open(task.verify_secret).decode()
    now, limits = nod.clock.now(), nod.limits
    query = {name: value for name, value in call.query.items() if isinstance(value, str)}
    asked = inbound.url_check(kind, secret, call.headers, query, call.body, now, limits)
    if asked is not None:
        return asked
    verify(kind, secret, call.headers, call.body, now, limits)
    payload = inbound.read_payload(call.body, call.headers.get("content-type", ""), limits)
    key = inbound.dedupe_key(call.headers, payload)
    caller = _caller(task, call, payload, limits) if task.quarantine else None
    trace = read_trace(call.headers)
    made = Call(payload.decode(), _circumstances(call), key, caller, trace)
    trigger_id = task.trigger_id or ""
    return await nod.store.write(lambda tx: _accept(tx, trigger_id, made))


async def _keep_refused(
    nod: Nod, task: Task, error: NodError, headers: dict[str, str], size: int | None
) -> None:
    """Keep the refused call for the person. The caller gets its answer whatever becomes of it."""
    why = why_refused(error)
    if why is None:
        return
    with contextlib.suppress(Unavailable):
        if await nod.store.read(lambda tx: may_write_refusal(tx, task)):
            await nod.store.write(
                lambda tx: write_refusal(tx, task, why, error.detail, headers, size)
            )


def _announced(headers: dict[str, str]) -> int | None:
    """The size of the body by its header, as far as that is a size at all."""
    length = headers.get("content-length", "")
    return int(length) if length.isdecimal() and len(length) < 16 else None


async def read_body(receive: Receive, headers: dict[str, str], limits: Limits) -> bytes:
    """The body; TooLarge as soon as it is known to be, without keeping more than fits."""
    most = limits.body_bytes
    announced = headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > most:
        raise _too_large(most)
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise InvalidInput("the connection closed before the body was complete")
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size > most:
            raise _too_large(most)
        chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks)


async def _accept(tx: Tx, trigger_id: str, call: Call) -> TriggerCall:
    """Read the task again: it may have been paused, changed or removed while the body came."""
    task = await tx.tasks.by_trigger(trigger_id)
    if task is None:
        raise NotFound("this trigger has just been removed")
    return await accept_call(tx, task, call)


def _circumstances(call: Inbound) -> str:
    shown = {
        "source": inbound.source(call.headers),
        "headers": inbound.safe_headers(call.headers),
        "query": call.query,
    }
    return msgspec.json.encode(shown).decode()


def _caller(task: Task, call: Inbound, payload: bytes, limits: Limits) -> Caller:
    """Who calls, and what the payload looks like."""
    declared = call.headers.get("content-type", "")
    media_type = inbound.media_type(call.body, declared, payload)
    shape = shape_of(msgspec.json.decode(payload), call.query, media_type, limits)
    kind = cast("VerifyKind", task.verify)
    return Caller(sender(kind, inbound.source(call.headers), call.address), shape)


def _headers(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in raw}


def _query(raw: bytes, limits: Limits) -> dict[str, Any]:
    """The query's fields; one that comes more than once is a list."""
    if not raw:
        return {}
    if raw.count(b"&") >= limits.form_fields:
        raise TooLarge(f"the address has more than {limits.form_fields} query fields")
    grouped: dict[str, list[str]] = {}
    for name, value in parse_qsl(raw.decode("latin-1"), keep_blank_values=True, errors="replace"):
        grouped.setdefault(name, []).append(value)
    return {name: each if len(each) > 1 else each[0] for name, each in grouped.items()}


def _too_large(most: int) -> TooLarge:
    return TooLarge(f"the body is larger than the {most} bytes that a trigger takes")


# In this order: a route whose first handler leaves OPTIONS open gets the framework's own for it.
routes = [refuse_options, call_trigger]
