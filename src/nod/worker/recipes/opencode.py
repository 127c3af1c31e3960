"""OpenCode: `opencode run --format json`, https://opencode.ai/docs/cli.

The lines are what `emit` writes in github.com/sst/opencode: packages/opencode/src/cli/cmd/run.ts;
it appends standard input to the message.
"""

from nod.client.types import Usage
from nod.worker.recipes.recipe import Call, Heard, Line, Recipe, about, count_at, text_at, within


def _argv(call: Call) -> list[str]:
    argv = ["opencode", "run", "--format", "json"]
    if call.session:
        argv += ["--session", call.session]
    return [*argv, *call.extra]


def _hear(heard: Heard, line: Line) -> None:
    heard.session = text_at(line, "sessionID") or heard.session
    part = within(line, "part")
    match text_at(line, "type"):
        case "step_start":
            heard.step()
        case "text":
            heard.say(text_at(part, "text"))
        case "tool_use":
            about_it = text_at(part, "state", "title") or about(within(part, "state", "input"))
            heard.act(text_at(part, "tool"), about_it)
        case "step_finish":
            heard.ended = True
            heard.usage = _with(heard.usage, part)
        case "error":
            said = text_at(line, "error", "data", "message") or text_at(line, "error", "name")
            heard.error = said or "it failed"


def _with(used: Usage, part: object) -> Usage:
    """The usage of the steps so far and of one more."""
    cache = count_at(part, "tokens", "cache", "read") + count_at(part, "tokens", "cache", "write")
    came_in = count_at(part, "tokens", "input") + cache
    went_out = count_at(part, "tokens", "output") + count_at(part, "tokens", "reasoning")
    cost = within(part, "cost")
    return {
        "input_tokens": used.get("input_tokens", 0) + came_in,
        "output_tokens": used.get("output_tokens", 0) + went_out,
        "cost_usd": used.get("cost_usd", 0.0) + (cost if isinstance(cost, int | float) else 0),
    }


OPENCODE = Recipe("opencode", "opencode", _argv, _hear)
