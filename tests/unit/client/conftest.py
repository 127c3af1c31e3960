"""The server that misbehaves as a test says."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest
import uvicorn

from support.scripted import Scripted


@pytest.fixture
async def scripted() -> AsyncIterator[Scripted]:
    listener = socket.create_server(("127.0.0.1", 0))
    app = Scripted(f"http://127.0.0.1:{listener.getsockname()[1]}")
    config = uvicorn.Config(
        app,
        log_level="critical",
        lifespan="off",
        ws="websockets-sansio",
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    yield app
    server.should_exit = True
    await serving
    listener.close()
