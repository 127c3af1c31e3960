"""A TCP proxy that can go silent without closing anything, as a network does, or cut the line."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class Proxy:
    """Forwards bytes both ways until it is frozen."""

    port: int = 0
    open: asyncio.Event = field(default_factory=asyncio.Event)
    whole: bool = True
    sides: set[asyncio.StreamWriter] = field(default_factory=set)

    def cut(self) -> None:
        """Every connection is closed, and so is each new one, until `mend`."""
        self.whole = False
        for side in self.sides:
            side.transport.abort()

    def mend(self) -> None:
        """New connections go through again."""
        self.whole = True

    def freeze(self) -> None:
        """From now on every byte is lost, and no connection closes."""
        self.open.clear()

    async def forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            if self.open.is_set():
                writer.write(data)
                await writer.drain()
        await self.open.wait()


@asynccontextmanager
async def proxying(target: int) -> AsyncIterator[Proxy]:
    """A proxy in front of a port of this machine."""
    proxy = Proxy()
    proxy.open.set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not proxy.whole:
            writer.transport.abort()
            return
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", target)
        proxy.sides |= {writer, there_writer}
        ways = [
            asyncio.create_task(proxy.forward(reader, there_writer)),
            asyncio.create_task(proxy.forward(there_reader, writer)),
        ]
        with suppress(ConnectionError):
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for each in ways:
            each.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        proxy.sides -= {writer, there_writer}
        for side in (writer, there_writer):
            side.close()
            with suppress(ConnectionError):
                await side.wait_closed()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    async with server:
        yield proxy
        proxy.open.set()
