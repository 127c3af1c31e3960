"""Gemini CLI without a terminal, github.com/google-gemini/gemini-cli: docs/cli/headless.md.

The lines are packages/core/src/output/types.ts, the options docs/cli/cli-reference.md. A prompt
that comes on standard input needs no `--prompt`.
"""

from nod.worker.recipes.recipe import Call, Heard, Line, Recipe, about, count_at, text_at, within


def _argv(call: Call) -> list[str]:
    argv = ["gemini", "--output-format", "stream-json"]
    if call.session:
        argv += ["--resume", call.session]
    return [*argv, *call.extra]


def _hear(heard: Heard, line: Line) -> None:
    match text_at(line, "type"):
        case "init":
            heard.session = text_at(line, "session_id") or heard.session
        case "message" if text_at(line, "role") == "assistant":
            heard.say(text_at(line, "content"))
        case "tool_use":
            heard.act(text_at(line, "tool_name"), about(within(line, "parameters")))
        case "error" if text_at(line, "severity") == "error":
            heard.error = text_at(line, "message") or "it failed"
        case "result":
            _result(heard, line)


def _result(heard: Heard, line: Line) -> None:
    heard.ended = True
    if text_at(line, "status") != "success":
        heard.error = text_at(line, "error", "message") or heard.error or "it failed"
    if within(line, "stats") is not None:
        heard.usage = {
            "input_tokens": count_at(line, "stats", "input_tokens"),
            "output_tokens": count_at(line, "stats", "output_tokens"),
        }


GEMINI_CLI = Recipe("gemini-cli", "gemini", _argv, _hear)
