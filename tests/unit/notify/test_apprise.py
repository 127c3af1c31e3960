"""Apprise: what it brings to a real receiver, and what its URLs cannot reach."""

import json
import logging
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import pytest

from nod.delivery.address_guard import AddressGuard
from nod.domain.errors import InvalidInput
from nod.domain.limits import Limits
from nod.notify.apprise_sender import (
    REFUSED_SCHEMAS,
    AppriseSender,
    Words,
    check_apprise,
    masked,
)
from nod.notify.confined import confined, refusal
from nod.notify.outcome import Outcome
from support.receiver import HANG, answer, receiving

LOCAL = AddressGuard([ip_network("127.0.0.0/8")])
NOWHERE = AddressGuard([])
WORDS = Words("failure", "Backup failed", "disk full", "https://nod.example.org/runs/run_1")


async def send(url: str, guard: AddressGuard = LOCAL, limits: Limits | None = None) -> Outcome:
    sender = AppriseSender(guard, limits or Limits())
    try:
        return await sender.send(url, WORDS)
    finally:
        sender.close()


async def test_a_notice_arrives_with_its_link() -> None:
    async with receiving() as receiver:
        outcome = await send(f"json://127.0.0.1:{receiver.port}/x")
    assert outcome.result == "ok"
    (call,) = receiver.calls
    said = json.loads(call.body)
    assert (said["title"], said["type"]) == ("Backup failed", "failure")
    assert said["message"] == "disk full\nhttps://nod.example.org/runs/run_1"


async def test_why_a_service_did_not_take_it_is_said() -> None:
    async with receiving(answer(500)) as receiver:
        outcome = await send(f"json://127.0.0.1:{receiver.port}/x")
    assert outcome.result == "failed"
    assert "500" in (outcome.error or "")


async def test_a_service_that_does_not_answer_is_waited_for_no_longer_than_the_limit() -> None:
    limits = replace(Limits(), notify_timeout_s=1)
    async with receiving(HANG) as receiver:
        outcome = await send(f"json://127.0.0.1:{receiver.port}/x?rto=60", limits=limits)
    assert outcome.result == "failed"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433"])
async def test_a_service_inside_is_not_reached_by_any_name(host: str) -> None:
    async with receiving() as receiver:
        outcome = await send(f"json://{host}:{receiver.port}/x", NOWHERE)
    assert receiver.calls == []
    assert outcome.result == "failed"


async def test_a_refused_address_names_the_setting() -> None:
    outcome = await send("ntfy://10.0.0.1/topic")
    assert "NOD_ALLOW_WEBHOOK_NETS" in (outcome.error or "")


async def test_a_redirect_is_not_followed() -> None:
    async with receiving() as inside, receiving(answer(307, f"Location: {inside.url}")) as outside:
        outcome = await send(f"json://127.0.0.1:{outside.port}/x")
    assert outcome.result == "failed"
    assert inside.calls == []


async def test_what_is_no_url_any_more_fails() -> None:
    assert (await send("nonsense")).result == "failed"


async def test_apprise_says_nothing_in_our_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        await send("ntfy://10.0.0.1/a-secret-topic")
    assert "a-secret-topic" not in caplog.text


@pytest.mark.parametrize("schema", sorted(REFUSED_SCHEMAS))
def test_services_of_this_machine_are_refused(schema: str) -> None:
    with pytest.raises(InvalidInput, match="this machine"):
        check_apprise(f"{schema}://x", Limits())


@pytest.mark.parametrize(
    "url",
    [
        "ntfys://ntfy.sh/topic",
        "tgram://123456789:abcdefg_hijklmnop/12315544/",
        "mailtos://ann:secret@example.org?smtp=mail.example.org",
        "https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ",
    ],
)
def test_services_that_people_use_are_taken_and_shown_without_their_secrets(url: str) -> None:
    assert check_apprise(url, Limits()) == url
    assert masked(url) == f"{url.partition(':')[0]}://…"


@pytest.mark.parametrize("url", ["", "nonsense", "nosuch://x", "http://example.org"])
def test_what_apprise_does_not_know_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput, match="Apprise URL"):
        check_apprise(url, Limits())


def test_a_url_has_a_length() -> None:
    limits = replace(Limits(), webhook_url_chars=30)
    assert check_apprise("json://example.org/" + "x" * 11, limits)
    with pytest.raises(InvalidInput, match="31 characters; 30 fit"):
        check_apprise("json://example.org/" + "x" * 12, limits)


# the confinement


@contextmanager
def refused(why: str) -> Iterator[None]:
    with confined(NOWHERE):
        with pytest.raises(PermissionError, match=why):
            yield
        assert why in (refusal() or "")


def test_no_file_of_the_machine_is_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x")
    with refused("local file"):
        secret.read_text()
    assert secret.read_text() == "x"


def test_files_of_python_itself_are_read() -> None:
    with confined(NOWHERE):
        assert Path(json.__file__).read_text()
        assert refusal() is None


def test_no_program_is_started() -> None:
    with refused("start a program"):
        subprocess.run([sys.executable, "--version"], check=True)


def test_no_socket_of_the_machine_is_used(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as local, refused("internet address"):
        local.connect(str(tmp_path / "bus"))
    with socket.socket(type=socket.SOCK_DGRAM) as line, refused("loopback"):
        line.sendto(b"x", ("127.0.0.1", 514))
    with socket.socket() as line, refused("internet address"):
        line.connect(("localhost", 80))


def test_other_threads_are_free(tmp_path: Path) -> None:
    def reads() -> str:
        (tmp_path / "x").write_text("free")
        return (tmp_path / "x").read_text()

    with ThreadPoolExecutor(1) as other:
        other.submit(reads).result()
        with confined(NOWHERE):
            assert other.submit(reads).result() == "free"
