"""As much of n8n as the template in examples/n8n uses, to run it node by node, over sockets.

Parameters are those of n8n's own node descriptions: Webhook 2, Filter 2, Edit Fields (Set) 3.4 and
HTTP Request 4.2 in n8n-io/n8n, packages/nodes-base. An expression is a text that begins with `=`;
in its `{{ … }}` stands `$json.a.b` or `$('Node').item.json.a.b`. One item goes through at a time.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

Item = dict[str, Any]
_EXPRESSION = re.compile(r"\{\{ (?:\$json|\$\('([^']+)'\)\.item\.json)((?:\.\w+)*) \}\}")


class NodeFailed(Exception):
    """What a node failed with."""


@dataclass
class Workflow:
    """An imported workflow. `credentials` are the headers of its Custom Auth credential."""

    nodes: dict[str, Any]
    connections: dict[str, Any]
    credentials: Mapping[str, str]
    given: dict[str, Item] = field(default_factory=dict)
    """What each node has given, in the execution under way."""
    ended: list[str] = field(default_factory=list)
    """The last node of each execution."""

    @classmethod
    def load(cls, file: Path, credentials: Mapping[str, str]) -> "Workflow":
        raw = json.loads(file.read_text(encoding="utf-8"))
        return cls({each["name"]: each for each in raw["nodes"]}, raw["connections"], credentials)

    def set(self, name: str, field_name: str, value: str) -> None:
        """Type a value into a node of the kind Edit Fields."""
        (found,) = [each for each in _fields(self.nodes[name]) if each["name"] == field_name]
        found["value"] = value

    def call(self, body: Item, headers: Mapping[str, str]) -> None:
        """A call of the workflow's webhook has come: run it to its end."""
        (start,) = [each for each in self.nodes.values() if each["type"].endswith(".webhook")]
        self.given = {}
        name, item = start["name"], {"body": body, "headers": dict(headers)}
        while True:
            self.given[name] = item
            outputs = self.connections.get(name, {}).get("main", [])
            following = self._next(item, outputs)
            if following is None:
                self.ended.append(name)
                return
            name, item = following

    def _next(self, item: Item, outputs: Any) -> tuple[str, Item] | None:
        """The node after this one, and what comes out of it."""
        if not outputs:
            return None
        (target,) = outputs[0]
        node = self.nodes[target["node"]]
        try:
            found = self._run(node, item)
        except NodeFailed as error:
            if node.get("onError") != "continueErrorOutput":
                self.ended.append(f"{node['name']}: {error}")
                raise
            (failed,) = self.connections[node["name"]]["main"][1]
            self.given[node["name"]] = {"error": str(error)}
            after = self.nodes[failed["node"]]
            return after["name"], self._run(after, {"error": str(error)}) or {}
        return None if found is None else (node["name"], found)

    def _run(self, node: Any, item: Item) -> Item | None:
        parameters = node["parameters"]
        match node["type"].removeprefix("n8n-nodes-base."), node["typeVersion"]:
            case "filter", 2:
                return item if self._keeps(parameters["conditions"], item) else None
            case "set", 3.4:
                return {each["name"]: self._value(each["value"], item) for each in _fields(node)}
            case "httpRequest", 4.2:
                return self._request(parameters, item)
            case other:
                raise AssertionError(f"{other} is none of the nodes that are known here")

    def _keeps(self, conditions: Any, item: Item) -> bool:
        assert conditions["combinator"] == "or"
        found = []
        for each in conditions["conditions"]:
            assert each["operator"] == {"type": "string", "operation": "equals"}
            found.append(self._value(each["leftValue"], item) == each["rightValue"])
        return any(found)

    def _request(self, parameters: Any, item: Item) -> Item:
        assert parameters["authentication"] == "genericCredentialType"
        assert parameters["genericAuthType"] == "httpCustomAuth"
        body = None
        if parameters.get("sendBody"):
            given = parameters["bodyParameters"]["parameters"]
            body = {each["name"]: self._value(each["value"], item) for each in given}
        url = self._value(parameters["url"], item)
        method = parameters["method"]
        answer = httpx.request(method, url, json=body, headers=dict(self.credentials))
        if answer.is_error:
            raise NodeFailed(f"{answer.status_code} - {answer.text}")
        found: Item = answer.json()
        return found

    def _value(self, text: str, item: Item) -> str:
        if not text.startswith("="):
            return text
        found = _EXPRESSION.sub(lambda each: self._looked_up(each[1], each[2], item), text[1:])
        assert "{{" not in found, f"an expression that is not known here: {found}"
        return found

    def _looked_up(self, node: str | None, path: str, item: Item) -> str:
        value: Any = item if node is None else self.given[node]
        for key in path.removeprefix(".").split("."):
            if not isinstance(value, dict) or key not in value:
                raise NodeFailed(f"there is no {path}")
            value = value[key]
        return str(value)


def _fields(node: Any) -> list[Any]:
    found: list[Any] = node["parameters"]["assignments"]["assignments"]
    return found
