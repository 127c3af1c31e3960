"""Bringing a report to the server, through its restarts and for as long as it takes."""

from nod.client import requests
from nod.client.async_client import AsyncClient
from nod.client.errors import ApiError, Conflict, TooLarge
from nod.client.patience import answered
from nod.client.requests import Request
from nod.client.types import RunDone
from nod.worker.capture import shorten
from nod.worker.report import Report

_SMALLEST_OUTPUT_BYTES = 4 * 1024


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
