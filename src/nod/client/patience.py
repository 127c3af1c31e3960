"""Calls that have nothing better to do than to outlast whatever ails the server."""

import asyncio
from dataclasses import replace
from itertools import count
from typing import TypeVar

from nod.client import requests
from nod.client.async_client import AsyncClient
from nod.client.conversation import backoff_s
from nod.client.errors import RateLimited, ServerError
from nod.client.requests import Request

T = TypeVar("T")

# How often an internal error of the server is tried again; a server that is down, for ever.
_INTERNAL_ERRORS = 10


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


async def brought(client: AsyncClient, request: Request[T]) -> T:
    """`answered` for what does more when it is sent twice: it is, when the connection breaks before
    the answer. That is better than not to have said it.
    """
    return await answered(client, replace(request, repeatable=True))
