"""NATS as a bus: who hears whom, how a node proves itself, and what is never said."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from io import StringIO
from pathlib import Path

import pytest

from nod.bus.hints import Hints
from nod.bus.line import LineBus
from nod.bus.nats import NatsLines
from nod.telemetry.logs import setup_logging
from support.certificates import certificate
from support.inprocess import until
from support.nats import NatsServer, nats_server


@pytest.fixture(scope="module")
def server() -> Iterator[NatsServer]:
    with nats_server() as made:
        yield made


class Node:
    """A bus and what it has heard, other than that anything may have changed."""

    def __init__(self, url: str, subject: str) -> None:
        self.bus = LineBus(NatsLines(url, subject))
        self.heard = Hints()
        self.began = asyncio.Event()

    def hear(self, hints: Hints) -> None:
        if hints.everything:
            self.began.set()  # the first that is heard is that the line is there
        else:
            self.heard.add(hints)


@asynccontextmanager
async def node(url: str, subject: str = "nod.1") -> AsyncIterator[Node]:
    made = Node(url, subject)
    made.bus.start(made.hear)
    try:
        async with asyncio.timeout(20):
            await made.began.wait()
        yield made
    finally:
        await made.bus.close()


def agents(*names: str) -> Hints:
    return Hints(agents=set(names))


async def test_nodes_of_one_installation_hear_each_other_and_not_themselves(
    server: NatsServer,
) -> None:
    async with node(server.url) as one, node(server.url) as other:
        one.bus.tell(agents("agt_1"))
        await until(lambda: other.heard == agents("agt_1"))
        other.bus.tell(agents("agt_2"))
        await until(lambda: one.heard == agents("agt_2"))


async def test_two_installations_on_one_server_do_not_mix(server: NatsServer) -> None:
    async with (
        node(server.url) as one,
        node(server.url, "nod.2") as stranger,
        node(server.url) as other,
    ):
        stranger.bus.tell(agents("agt_9"))
        one.bus.tell(agents("agt_1"))
        await until(lambda: other.heard == agents("agt_1"))
        assert stranger.heard == Hints()


async def test_more_than_one_message_holds_is_told_in_several(server: NatsServer) -> None:
    many = agents(*(f"agt_{number:016}" for number in range(10_000)))
    async with node(server.url) as one, node(server.url) as other:
        one.bus.tell(many)
        await until(lambda: other.heard == many)


async def test_what_is_told_last_goes_out_before_the_end(server: NatsServer) -> None:
    async with node(server.url) as other:
        async with node(server.url) as one:
            one.bus.tell(agents("agt_1"))
        await until(lambda: other.heard == agents("agt_1"))


@pytest.mark.parametrize(
    ("options", "who"),
    [
        (("--user", "nod", "--pass", "hunter@2"), "nod:hunter%402@"),
        (("--auth", "hunter@2"), "hunter%402@"),
    ],
)
async def test_a_node_proves_itself_by_what_stands_in_the_address(
    options: tuple[str, ...], who: str
) -> None:
    with nats_server(*options) as server:
        url = server.url.replace("//", f"//{who}")
        async with node(url) as one, node(f"{url},nats://127.0.0.1:1") as other:
            one.bus.tell(agents("agt_1"))
            await until(lambda: other.heard == agents("agt_1"))


async def test_a_server_that_lets_nobody_in_is_told_once_without_the_secret() -> None:
    log = StringIO()
    setup_logging(log_json=False, stream=log)
    with nats_server("--auth", "right") as server:
        refused = Node(server.url.replace("//", "//hunter2@"), "nod.1")
        refused.bus.start(refused.hear)
        await until(refused.began.is_set)  # it goes on by itself, looking anew every few seconds
        await refused.bus.close()
    assert log.getvalue().count("\n") == 1
    assert "the bus is away" in log.getvalue()
    assert "Authorization Violation" in log.getvalue()
    assert "hunter2" not in log.getvalue()


async def test_an_encrypted_line_is_to_a_server_whose_certificate_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pem = str(certificate(tmp_path, "localhost").pem)
    with nats_server("--tls", "--tlscert", pem, "--tlskey", pem) as server:
        url = f"tls://localhost:{server.port}"
        assert "certificate verify failed" in await refusal(url)
        monkeypatch.setenv("SSL_CERT_FILE", pem)
        async with node(url) as one, node(url) as other:
            one.bus.tell(agents("agt_1"))
            await until(lambda: other.heard == agents("agt_1"))


async def test_nothing_goes_out_in_the_clear_where_the_line_is_to_be_encrypted(
    server: NatsServer,
) -> None:
    said = await refusal(f"tls://token@127.0.0.1:{server.port}")
    assert said == "the server takes no encrypted lines"


async def refusal(url: str) -> str:
    """Why there is no line to that address."""
    lines = NatsLines(url, "nod.1")
    with pytest.raises(Exception) as refused:  # noqa: PT011 - whichever it is, it has a reason
        async with lines.open(lambda _: None, lambda: None):
            pass
    return lines.reason(refused.value) or ""


async def test_an_address_where_nobody_is_says_so() -> None:
    assert "Connect call failed" in await refusal("nats://127.0.0.1:1")
    assert NatsLines("nats://127.0.0.1:1", "nod.1").reason(ValueError("ours")) is None
