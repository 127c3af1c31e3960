"""Tasks that are declared in a file beside a project, and what is wrong with such a file."""

import difflib
import os
import tomllib
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from nod.cli.failure import Misuse
from nod.client.types import TaskChanges

FILES = ("nod.toml", "nod.yaml", "nod.yml")
"""Where they are looked for, in this order."""

_OURS = ("prompt_file", "verify_secret_env")
_KNOWN = (*TaskChanges.__annotations__, *_OURS)

Fields = dict[str, Any]


def declared_file(given: Path | None) -> Path:
    """The file that was named, or the one that is there. Raises Misuse."""
    if given is not None:
        return given
    found = [Path(name) for name in FILES if Path(name).exists()]
    if len(found) == 1:
        return found[0]
    if not found:
        raise Misuse(f"there is no {FILES[0]} or {FILES[1]} here; name the file, or write one")
    raise Misuse(f"there are {' and '.join(map(str, found))} here; name the one that counts")


def read_declared(path: Path) -> list[Fields]:
    """The tasks of the file as the server takes them, in its order.

    A prompt may stand in a file of its own (`prompt_file`, beside this one), and a secret in the
    environment (`verify_secret_env`). Raises Misuse that says which task and what is wrong.
    """
    document = _document(path)
    listed = document.get("tasks")
    if set(document) != {"tasks"} or not isinstance(listed, list):
        raise Misuse(f"{path} has to consist of tasks: [[tasks]] in TOML, a list `tasks:` in YAML")
    tasks = [_task(path, number, each) for number, each in enumerate(listed, start=1)]
    names = [task["name"] for task in tasks]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise Misuse(f"{path} has two tasks named {twice!r}; a name is what tells tasks apart")
    return tasks


def _document(path: Path) -> Mapping[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        found = _yaml_loader()(text) if path.suffix in (".yaml", ".yml") else tomllib.loads(text)
    except OSError as error:
        raise Misuse(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:  # not UTF-8, or not TOML
        raise Misuse(f"{path}: {error}") from error
    return found if isinstance(found, dict) else {}


def _yaml_loader() -> Callable[[str], Any]:
    try:
        import yaml
    except ModuleNotFoundError as error:
        raise Misuse(
            "to read YAML, PyYAML is needed: pip install 'nod-tasks[yaml]', or write nod.toml"
        ) from error

    def load(text: str) -> Any:
        try:
            return yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ValueError(str(error)) from error

    return load


def _task(path: Path, number: int, given: Any) -> Fields:
    if not isinstance(given, dict) or not isinstance(given.get("name"), str):
        raise Misuse(f"{path}: task {number} has no name")
    fields = dict(given)
    fields["name"] = name = " ".join(given["name"].split())
    where = f"{path}: {name}:"
    for field in fields:
        if field not in _KNOWN:
            raise Misuse(f"{where} there is no field {field!r}{_near(field)}")
    if "prompt_file" in fields:
        fields["prompt"] = _prompt(path.parent / str(fields.pop("prompt_file")), where)
    if "verify_secret_env" in fields:
        fields["verify_secret"] = _secret(str(fields.pop("verify_secret_env")), where)
    return {field: _plain(value, f"{where} {field}") for field, value in fields.items()}


def _near(field: str) -> str:
    near = difflib.get_close_matches(str(field), _KNOWN, 1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _prompt(file: Path, where: str) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise Misuse(f"{where} cannot read its prompt from {file}: {error}") from error


def _secret(variable: str, where: str) -> str:
    value = os.environ.get(variable)
    if not value:
        raise Misuse(f"{where} its secret is to be in {variable}, which is not set")
    return value


def _plain(value: Any, where: str) -> Any:
    """The value as JSON has it: times become RFC 3339."""
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise Misuse(f"{where} needs a zone: {value.isoformat()}Z, or an offset")
        return value.isoformat().replace("+00:00", "Z")
    if where.endswith(" budget") and isinstance(value, dict):
        return value
    if not isinstance(value, str | int | bool | None):
        raise Misuse(f"{where} must be text, a number, true or false")
    return value
