"""Nothing is left out: whatever a user can set, call or meet is in the documentation."""

import re
from dataclasses import fields
from typing import get_args

import click
import pytest

import nod
from docs.book import ROOT, everything, page
from docs.drawings import commands, routes
from nod.api.frames_table import CLOSE_CODES, FRAMES
from nod.api.problems import _STATUS
from nod.cli.main import COMMANDS
from nod.client.errors import ApiError
from nod.config import Settings
from nod.domain.inbound_verify import VerifyKind
from nod.domain.limits import Limits
from nod.domain.model import NoticeKind, NoticeState
from nod.domain.policy import CatchUp, Overlap
from nod.domain.task_fields import TaskFields
from nod.notify.apprise_sender import REFUSED_SCHEMAS

_NAME = re.compile(r"\bNOD_[A-Z][A-Z_]*[A-Z]\b")
# Between `nod work` and `nod-task-output`, of no use to anybody else.
_OURS_ALONE = {"NOD_OUTPUT_MARKER"}


def _settings() -> list[str]:
    return [f"NOD_{each.name.upper()}" for each in fields(Settings) if each.name != "limits"]


def _limits() -> set[str]:
    return {f"NOD_LIMIT_{each.name.upper()}" for each in fields(Limits)}


def _in_the_program() -> set[str]:
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "src/nod").rglob("*.py"))
    return set(_NAME.findall(source)) - {"NOD_LIMIT"}


@pytest.mark.parametrize("variable", _settings())
def test_every_setting_of_the_server_is_in_the_configuration(variable: str) -> None:
    assert f"| `{variable}` |" in page("docs/configuration.md")


def test_every_flag_of_the_server_is_in_the_configuration() -> None:
    serve = dict(commands())["nod serve"]
    flags = [each.opts[0] for each in serve.params if isinstance(each, click.Option)]
    text = page("docs/configuration.md")
    assert [flag for flag in flags if f"`{flag}`" not in text] == []


def test_every_variable_that_the_program_reads_is_documented() -> None:
    named = set(_NAME.findall(everything()))
    examples = {"NOD_LIMIT_BODY_BYTES", "NOD_RUN_ID"}
    assert _in_the_program() - _OURS_ALONE - examples - named == set()


# Which browser and which PostgreSQL the tests use: read by their own set-up, not by the program.
_OF_THE_TESTS = {
    f"NOD_TEST_{of}" for of in ("BROWSER", "POSTGRES_URL", "CLUSTER_TASKS", "CLUSTER_AGENTS")
}


def test_no_variable_is_documented_that_the_program_does_not_read() -> None:
    known = _in_the_program() | set(_settings()) | _limits() | _OF_THE_TESTS
    assert set(_NAME.findall(everything())) - known == set()


@pytest.mark.parametrize("variable", sorted(_limits()))
def test_every_limit_is_in_the_table_of_limits(variable: str) -> None:
    assert f"| `{variable}` |" in page("docs/limits.md")


def test_every_command_has_its_section() -> None:
    text = page("docs/cli.md")
    assert [name for name, _ in commands() if f"### `{name}`\n" not in text] == []
    assert [name for name in COMMANDS if f"### `nod {name}`\n" not in text] == []


def test_every_option_of_every_command_is_listed_in_its_section() -> None:
    sections = dict(re.findall(r"^### `(.+?)`\n(.*?)(?=^###|\Z)", page("docs/cli.md"), re.M | re.S))
    missing = [
        f"{name} {option}"
        for name, command in commands()
        for each in command.params
        if isinstance(each, click.Option)
        for option in each.opts
        if option not in sections[name]
    ]
    assert missing == []


def test_every_route_is_listed() -> None:
    text = page("docs/http-api.md")
    found = routes()
    assert [f"{m} {path}" for m, path, _ in found if f"| `{m} {path}` |" not in text] == []
    assert len(found) > 50


@pytest.mark.parametrize("status", [*_STATUS.values(), 405, 500])
def test_every_status_of_an_error_is_explained(status: int) -> None:
    assert f"| {status} |" in page("docs/http-api.md")


@pytest.mark.parametrize("kind", get_args(VerifyKind))
def test_every_way_to_verify_a_caller_is_explained(kind: str) -> None:
    assert f"| `{kind}` |" in page("docs/triggers.md")


@pytest.mark.parametrize("choice", [*get_args(Overlap), *get_args(CatchUp)])
def test_every_policy_is_explained(choice: str) -> None:
    assert f"| `{choice}` |" in page("docs/concepts.md")


@pytest.mark.parametrize("name", TaskFields.__struct_fields__)
def test_every_field_of_a_task_is_explained(name: str) -> None:
    if name not in ("name", "prompt", "schedule"):
        assert f"`{name}`" in page("docs/concepts.md")


def test_every_frame_and_close_code_is_explained() -> None:
    text = page("docs/websocket.md")
    frames = [each.type for each in FRAMES if f"### `{each.type}`\n" not in text]
    codes = [code for code in CLOSE_CODES if f"| `{code}` |" not in text]
    assert (frames, codes) == ([], [])


def test_every_error_of_the_package_is_explained() -> None:
    text = page("docs/python.md")
    assert [name for name in nod.__all__ if name != "__version__" and f"{name}" not in text] == []
    assert issubclass(nod.Conflict, ApiError)


def test_every_method_of_the_clients_is_named() -> None:
    text = page("docs/python.md")
    names = {
        name
        for kind in (nod.Client, nod.AsyncClient)
        for name in vars(kind)
        if not name.startswith("_")
    }
    assert [name for name in sorted(names) if f"`{name}`" not in text] == []


def test_every_decision_is_listed() -> None:
    folder = ROOT / "docs/decisions"
    listed = page("docs/decisions/README.md")
    records = [path.name for path in folder.glob("0*.md")]
    assert [name for name in records if f"({name})" not in listed] == []


def test_every_kind_of_notice_and_every_refused_service_is_explained() -> None:
    text = page("docs/notifications.md")
    kinds = [kind for kind in get_args(NoticeKind) if f"| `{kind}` |" not in text]
    states = [state for state in get_args(NoticeState) if f"`{state}`" not in text]
    refused = [schema for schema in REFUSED_SCHEMAS if f"`{schema}`" not in text]
    assert (kinds, states, refused) == ([], [], [])
