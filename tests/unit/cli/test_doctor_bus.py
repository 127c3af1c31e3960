"""What `nod doctor` says of the bus between servers, and of what this one does."""

import sys
from pathlib import Path

import pytest

from nod.cli import doctor_bus
from nod.config import Settings, load
from support.nats import nats_server
from support.server import free_port


def settings(folder: Path, **given: str) -> Settings:
    postgres = {"NOD_DATABASE_URL": "postgresql://nod@db.example.org/nod"}
    named = {f"NOD_{name}": value for name, value in given.items()}
    return load({"NOD_DATA_DIR": str(folder), **postgres, **named}, {})


async def test_a_bus_that_answers_is_named_without_its_secret(tmp_path: Path) -> None:
    with nats_server("--auth", "hunter2") as server:
        url = server.url.replace("//", "//hunter2@")
        found = await doctor_bus.bus(settings(tmp_path, BUS_URL=url))
    assert (found.state, found.check) == ("ok", "bus")
    assert f"nats://127.0.0.1:{server.port}" in found.seen
    assert "hunter2" not in found.seen


async def test_a_bus_that_does_not_answer_has_failed_with_the_reason(tmp_path: Path) -> None:
    url = f"nats://hunter2@127.0.0.1:{free_port()}"
    found = await doctor_bus.bus(settings(tmp_path, BUS_URL=url))
    assert found.state == "failed"
    assert "Connect call failed" in found.seen
    assert "NOD_BUS_URL" in found.do
    assert "hunter2" not in found.seen + found.do


async def test_a_bus_that_lets_nobody_in_has_failed(tmp_path: Path) -> None:
    with nats_server("--auth", "right") as server:
        url = server.url.replace("//", "//wrong@")
        found = await doctor_bus.bus(settings(tmp_path, BUS_URL=url))
    assert found.state == "failed"
    assert "Authorization Violation" in found.seen


async def test_a_driver_that_is_missing_is_to_be_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "nod.bus.nats", None)
    found = await doctor_bus.bus(settings(tmp_path, BUS_URL="nats://127.0.0.1"))
    assert found.state == "failed"
    assert "pip install" in found.seen


async def test_without_a_bus_of_its_own_the_database_tells(tmp_path: Path) -> None:
    found = await doctor_bus.bus(settings(tmp_path))
    assert (found.state, found.seen) == ("ok", "the database tells the nodes (NOTIFY)")
    (file,) = [await doctor_bus.bus(load({"NOD_DATA_DIR": str(tmp_path)}, {}))]
    assert (file.state, file.seen.split(":")[0]) == ("ok", "not needed")


@pytest.mark.parametrize(
    ("role", "word"),
    [
        ("all", "it serves and fires; told to end, it goes on for 7 s"),
        ("api", "there has to be an engine"),
        ("engine", "there has to be an api"),
    ],
)
def test_what_a_server_does_among_others_is_told(tmp_path: Path, role: str, word: str) -> None:
    (found,) = doctor_bus.role(settings(tmp_path, ROLE=role, LIMIT_DRAIN_S="7"))
    assert found.state == "ok"
    assert word in found.seen


def test_a_file_has_one_server_whose_role_is_no_question(tmp_path: Path) -> None:
    assert doctor_bus.role(load({"NOD_DATA_DIR": str(tmp_path)}, {})) == []
