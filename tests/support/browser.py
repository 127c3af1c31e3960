"""A browser in which a person is signed in, without the pages for that."""

from collections.abc import Callable, Coroutine
from typing import Any

import httpx

from nod.actions import accounts
from nod.actions.sessions import open_session
from nod.clock import SystemClock
from nod.config import load
from nod.opening import open_database
from nod.store.store import Store, Tx
from support.inprocess import PATIENCE_S, InProcess
from support.server import RunningServer

OWNER = "ann@example.org"

SignIn = Callable[[Tx], Coroutine[Any, Any, str]]


async def signed_in(server: RunningServer | InProcess, email: str = OWNER) -> httpx.AsyncClient:
    """A client with the cookie of a new session; who has no account yet gets one.

    What it sends comes from Nod's own pages, as a browser says it. To be closed by the test.
    """

    async def sign_in(tx: Tx) -> str:
        user = await tx.people.user_by_email(email)
        if user is None:
            user = await accounts.create_user(tx, email, "no password", email.split("@")[0])
        return (await open_session(tx, user, "Firefox")).token

    cookies = httpx.Cookies()
    cookies.set("nod", await _write(server, sign_in), domain="127.0.0.1", path="/")
    return httpx.AsyncClient(
        base_url=server.url,
        cookies=cookies,
        headers={"Sec-Fetch-Site": "same-origin"},
        timeout=PATIENCE_S,
    )


async def _write(server: RunningServer | InProcess, sign_in: SignIn) -> str:
    if isinstance(server, InProcess):
        return await server.nod.store.write(sign_in)
    settings = load({"NOD_DATA_DIR": str(server.data_dir)}, {})
    store = Store(open_database(settings, exclusive=False), SystemClock(), settings.limits)
    await store.start()
    try:
        return await store.write(sign_in)
    finally:
        await store.close()
