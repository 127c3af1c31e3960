"""Claude Code: `claude -p`, https://code.claude.com/docs/en/headless.

The lines are described in https://code.claude.com/docs/en/agent-sdk/typescript#message-types.
"""

import json
from typing import Any

from nod.client.types import Usage
from nod.worker.recipes.recipe import Call, Heard, Line, Recipe, about, list_at, text_at, within

# Tools that change something or reach out. What only reads is not asked about.
_ASKED_TOOLS = "Bash|Edit|MultiEdit|Write|NotebookEdit|WebFetch|WebSearch|mcp__.*"
# Beyond the longest time a decision may stay open, so that Nod's expiry is what ends the wait.
_HOOK_TIMEOUT_S = 31 * 86_400


def _argv(call: Call) -> list[str]:
    argv = ["claude", "-p", "--output-format", "stream-json", "--verbose"]
    if call.session:
        argv += ["--resume", call.session]
    if call.ask:
        argv += ["--settings", json.dumps(settings())]
    return [*argv, *call.extra]


def settings() -> dict[str, Any]:
    """Settings of Claude Code that ask Nod's person before a tool is used."""
    hook = {"type": "command", "command": "nod hook pretooluse", "timeout": _HOOK_TIMEOUT_S}
    return {"hooks": {"PreToolUse": [{"matcher": _ASKED_TOOLS, "hooks": [hook]}]}}


def _hear(heard: Heard, line: Line) -> None:
    heard.session = text_at(line, "session_id") or heard.session
    match text_at(line, "type"):
        case "assistant":
            for block in list_at(line, "message", "content"):
                _block(heard, block)
        case "result":
            _result(heard, line)


def _block(heard: Heard, block: object) -> None:
    if text := text_at(block, "text"):
        heard.step()
        heard.say(text)
    elif text_at(block, "type") == "tool_use":
        heard.act(text_at(block, "name"), about(within(block, "input")))


def _result(heard: Heard, line: Line) -> None:
    heard.ended = True
    heard.usage = _usage(line)
    text = text_at(line, "result")
    if within(line, "is_error") or text_at(line, "subtype") != "success":
        errors = [each for each in list_at(line, "errors") if isinstance(each, str)]
        heard.error = text or "; ".join(errors) or text_at(line, "subtype") or "it failed"
    else:
        heard.text = text


def _usage(line: Line) -> Usage:
    used: Usage = {}
    reported = within(line, "usage")
    if isinstance(reported, dict):
        read = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
        used["input_tokens"] = sum(reported.get(name) or 0 for name in read)
        used["output_tokens"] = reported.get("output_tokens") or 0
    cost = within(line, "total_cost_usd")
    if isinstance(cost, int | float):
        used["cost_usd"] = float(cost)
    return used


CLAUDE_CODE = Recipe("claude-code", "claude", _argv, _hear, asks=True)
