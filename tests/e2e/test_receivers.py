"""An agent inside a web application: Nod's webhooks reach its handlers through real frameworks."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import flask
import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.routing import Route
from werkzeug.serving import make_server

from nod import Agent, Message, Run
from nod.client import agent as agent_module
from nod.client import serving as serving_module
from nod.webhooks import BODY_BYTES, Receive, Scope, Send, asgi, wsgi
from support.cli import Person, Shell
from support.inprocess import until
from support.server import RunningServer, free_port


@contextmanager
def starlette_app(agent: Agent, port: int) -> Iterator[None]:
    hook = asgi(agent)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await hook.close()

    with serving(
        Starlette(routes=[Route("/nod", hook, methods=["POST"])], lifespan=lifespan), port
    ):
        yield


@contextmanager
def fastapi_app(agent: Agent, port: int) -> Iterator[None]:
    hook = asgi(agent)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await hook.close()

    app = FastAPI(lifespan=lifespan)
    app.router.routes.append(Route("/nod", hook, methods=["POST"]))
    with serving(app, port):
        yield


@contextmanager
def bare_asgi(agent: Agent, port: int) -> Iterator[None]:
    hook = asgi(agent)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await hook.close()
            await send({"type": "lifespan.shutdown.complete"})
        else:
            await hook(scope, receive, send)

    with serving(app, port):
        yield


@contextmanager
def serving(app: Any, port: int) -> Iterator[None]:
    """An ASGI application on a real port, in a thread."""
    config = uvicorn.Config(app, port=port, log_config=None, ws="none", loop="asyncio")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def flask_app(agent: Agent, port: int) -> Iterator[None]:
    app, hook = flask.Flask("app"), wsgi(agent)
    app.post("/nod", endpoint="nod")(lambda: hook)
    server = make_server("127.0.0.1", port, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        hook.close()


App = Callable[[Agent, int], AbstractContextManager[None]]


@dataclass
class Site:
    """An application with an agent in it, and the agent's other side."""

    url: str
    agent: Agent
    shell: Shell
    person: Person


@pytest.fixture(params=[starlette_app, fastapi_app, bare_asgi, flask_app])
async def site(request: pytest.FixtureRequest, server: RunningServer) -> AsyncIterator[Site]:
    port = free_port()
    url = f"http://127.0.0.1:{port}/nod"
    made = await server.add_agent(webhook_url=url)
    agent = Agent(server.url, made.agent.id, made.secret)
    person = Person.log_in(server)
    app: App = request.param
    with app(agent, port), person.http:
        await asyncio.to_thread(_answers, url)
        yield Site(url, agent, Shell(server.url, made.agent.id, made.secret), person)


def _answers(url: str) -> None:
    """Waits until the application listens."""
    while True:
        try:
            httpx.get(url)
        except httpx.ConnectError:
            continue
        return


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent_module, "FIRST_BACKOFF_S", 0.01)
    monkeypatch.setattr(serving_module, "_REST_HEARTBEAT_S", 0.02)


async def test_a_run_that_comes_by_webhook_is_done_with_its_question(site: Site) -> None:
    @site.agent.task()
    async def deploy(run: Run) -> str:
        answer = await run.ask("Deploy?")
        return f"{run.payload['ref']} {answer.status}"

    with site.shell.client() as client:
        task = client.create_task("Deploy", "Deploy it.", "event")
        site.person.call_trigger(str(task["trigger_id"]), {"ref": "main"})
        (run,) = client.runs(task["id"])
        asked = await asyncio.to_thread(site.person.next_question, site.shell.agent_id)
        site.person.answer(asked, "approved")
        await until(lambda: client.run(run["id"])["finished_at"])
        assert client.run(run["id"])["summary"] == "main approved"


async def test_a_message_that_comes_by_webhook_is_answered(site: Site) -> None:
    @site.agent.on_message
    def chat(message: Message) -> str:
        return f"You wrote {message.text}"

    http = site.person.http
    conversations = http.get("/api/conversations").json()
    (own,) = [each["id"] for each in conversations if each["agent_id"] == site.shell.agent_id]
    http.post(f"/api/conversations/{own}/messages", json={"text": "this"}).raise_for_status()

    def replied() -> bool:
        found = http.get(f"/api/conversations/{own}/messages").json()
        return any("You wrote this" in str(each["text"]) for each in found)

    await until(lambda: asyncio.to_thread(replied))


async def test_who_is_not_nod_is_refused(site: Site) -> None:
    got: list[str] = []
    site.agent.on_message(lambda message: got.append(message.text))
    body = json.dumps({"type": "user_message", "text": "no"}).encode()
    async with httpx.AsyncClient() as http:
        headers = {"X-Nod-Timestamp": "1", "X-Nod-Signature": "sha256=00"}
        for given in ({}, headers):
            refused = await http.post(site.url, content=body, headers=given)
            assert refused.status_code == 401
            assert "no signature fits" in refused.text
        assert (await http.get(site.url)).status_code == 405
        large = await http.post(site.url, content=b" " * (BODY_BYTES + 1))
        assert large.status_code == 413
    assert got == []
