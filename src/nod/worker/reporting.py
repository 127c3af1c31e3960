"""Bringing a report to the server, through its restarts and for as long as it takes."""

import asyncio
from itertools import count
from typing import TypeVar

from nod.client import requests
from nod.client.async_client import AsyncClient
from nod.client.conversation import backoff_s
from nod.client.errors import ApiError, Conflict, RateLimited, ServerError, TooLarge
from nod.client.requests import Request
from nod.client.types import RunDone
from nod.worker.capture import shorten
from nod.worker.report import Report

T = TypeVar("T")

# How often an internal error of the server is tried again; a server that is down, for ever.
_INTERNAL_ERRORS = 10
_SMALLEST_OUTPUT_BYTES = 4 * 1024


async def answered(client: AsyncClient, request: Request[T]) -> T:
    """The server's answer to a repeatable request. Raises ApiError only when it is final."""
    for attempt in count():
        try:
            return await client.call(request, retries=requests.PATIENT)
        except RateLimited as error:
            await asyncio.sleep(error.retry_after)
        except ServerError as error:
            if attempt >= _INTERNAL_ERRORS or not error.retryable:
                raise
            await asyncio.sleep(backoff_s(attempt, 0.5, 30))
    raise RuntimeError("counting has ended")


async def deliver(client: AsyncClient, run_id: str, report: Report) -> str:
    """Stores the output, then the result. Returns in words what came of it."""
    try:
        if report.output is not None:
            await _store_output(client, run_id, report.output)
        done = await answered(client, _completion(run_id, report))
    except Conflict as error:
        return f"{report.result}, but Nod had closed the run: {error.detail}"
    except ApiError as error:
        return f"{report.result}, but Nod refused the report: {error.detail}"
    return done["status"]


def _completion(run_id: str, report: Report) -> Request[RunDone]:
    return requests.complete_run(run_id, report.result, report.summary or None, usage=report.usage)


async def _store_output(client: AsyncClient, run_id: str, text: str) -> None:
    """Puts the output. A server that takes less than usual gets its beginning and end."""
    limit_bytes = len(text.encode())
    while True:
        try:
            await answered(client, requests.put_output(run_id, shorten(text, limit_bytes)))
        except TooLarge:
            limit_bytes //= 2
            if limit_bytes < _SMALLEST_OUTPUT_BYTES:
                raise
        else:
            return
