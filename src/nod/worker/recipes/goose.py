"""goose: `goose run`, github.com/block/goose: documentation/docs/guides/goose-cli-commands.md.

The lines are `StreamEvent` in crates/goose-cli/src/session/mod.rs. They do not name the session, so
it gets a name when it begins.
"""

from nod.client.types import Usage
from nod.worker.recipes.recipe import Call, Heard, Line, Recipe, about, list_at, text_at, within


def _argv(call: Call) -> list[str]:
    argv = ["goose", "run", "--instructions", "-", "--output-format", "stream-json"]
    if call.session:
        argv += ["--resume", "--name", call.session]
    else:
        argv += ["--name", call.name]
    return [*argv, *call.extra]


def _hear(heard: Heard, line: Line) -> None:
    match text_at(line, "type"):
        case "message" if text_at(line, "message", "role") == "assistant":
            for part in list_at(line, "message", "content"):
                _part(heard, part)
        case "error":
            heard.error = text_at(line, "error") or "it failed"
        case "complete":
            heard.ended = True
            heard.usage = _usage(line)


def _part(heard: Heard, part: object) -> None:
    """A part of a message; a text may come in several."""
    match text_at(part, "type"):
        case "text":
            heard.say(text_at(part, "text"))
        case "toolRequest":
            call = within(part, "toolCall", "value")
            heard.act(text_at(call, "name"), about(within(call, "arguments")))


def _usage(line: Line) -> Usage:
    """What has been used since the session began; older versions say only the sum, which is not
    input and not output.
    """
    used: Usage = {}
    came_in, went_out = within(line, "input_tokens"), within(line, "output_tokens")
    cost = within(line, "cost_usd")
    if isinstance(came_in, int) and isinstance(went_out, int):
        used["input_tokens"], used["output_tokens"] = came_in, went_out
    if isinstance(cost, int | float):
        used["cost_usd"] = float(cost)
    return used


GOOSE = Recipe("goose", "goose", _argv, _hear, named=True, usage_of_session=True)
