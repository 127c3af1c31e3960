"""Codex: `codex exec --json`, github.com/openai/codex: docs/exec.md.

The lines are codex-rs/exec/src/exec_events.rs, the options codex-rs/exec/src/cli.rs.
"""

from nod.worker.recipes.recipe import Call, Heard, Line, Recipe, count_at, list_at, text_at, within


def _argv(call: Call) -> list[str]:
    # A folder for a task is seldom a Git repository.
    argv = ["codex", "exec", "--json", "--skip-git-repo-check", *call.extra]
    return [*argv, "resume", call.session, "-"] if call.session else [*argv, "-"]


def _hear(heard: Heard, line: Line) -> None:
    match text_at(line, "type"):
        case "thread.started":
            heard.session = text_at(line, "thread_id") or heard.session
        case "item.started" | "item.completed" as kind:
            _item(heard, within(line, "item"), done=kind == "item.completed")
        case "turn.completed":
            heard.ended = True
            heard.usage = {
                "input_tokens": count_at(line, "usage", "input_tokens"),
                "output_tokens": count_at(line, "usage", "output_tokens"),
            }
        case "turn.failed":
            heard.ended = True
            heard.error = text_at(line, "error", "message") or "the turn failed"
        case "error":
            # Also said of a connection that is tried again: the turn's own end decides.
            heard.doing = text_at(line, "message") or heard.doing


def _item(heard: Heard, item: object, *, done: bool) -> None:
    match text_at(item, "type"):
        case "agent_message" if done:
            heard.step()
            heard.say(text_at(item, "text"))
        case "command_execution" if not done:
            heard.act("Run", text_at(item, "command"))
        case "file_change" if done:
            heard.act("Edit", ", ".join(text_at(each, "path") for each in list_at(item, "changes")))
        case "mcp_tool_call" if not done:
            heard.act(text_at(item, "server"), text_at(item, "tool"))
        case "web_search":
            heard.act("Search", text_at(item, "query"))


CODEX = Recipe("codex", "codex", _argv, _hear)
