"""Claude Code without a terminal.

Flags: https://code.claude.com/docs/en/cli-reference and https://code.claude.com/docs/en/headless.
Lines: https://code.claude.com/docs/en/agent-sdk/typescript#message-types.
Hooks: https://code.claude.com/docs/en/hooks#pretooluse.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

from support.programs.common import Turn, noted, say

SESSION = "3f0c6a52-9f0e-4f57-8e0c-6b1f6f1f0a01"
USAGE = {
    "input_tokens": 10,
    "cache_creation_input_tokens": 200,
    "cache_read_input_tokens": 1000,
    "output_tokens": 45,
}


def main() -> int:
    flags = argparse.ArgumentParser(allow_abbrev=False)
    flags.add_argument("-p", "--print", action="store_true", required=True)
    flags.add_argument("--output-format", choices=["text", "json", "stream-json"], required=True)
    flags.add_argument("--verbose", action="store_true", required=True)
    flags.add_argument("--resume")
    flags.add_argument("--settings", type=json.loads, default={})
    flags.add_argument("--model")
    given = flags.parse_args()
    turn = noted("claude", given.resume)
    if given.resume not in (None, SESSION):
        end("", subtype="error_during_execution", errors=["No conversation found"])
        return 1
    say({"type": "system", "subtype": "init", "session_id": SESSION, "tools": ["Bash"]})
    if turn.wants("fail") is not None:
        end("API Error: 529 Overloaded", is_error=True)
        return 1
    spoken("I look at the disk first.\n")
    if (command := turn.wants("tool") or again(turn)) is not None:
        return tool(turn, command, given.settings)
    end(turn.act())
    return 0


def again(turn: Turn) -> str | None:
    """The tool that was about to be used when the session was broken off."""
    if "You were interrupted" not in turn.prompt:
        return None
    notes = Path(os.environ["NOD_TEST_NOTES"]).read_text().splitlines()
    return Turn(None, json.loads(notes[0])["prompt"]).wants("tool")


def tool(turn: Turn, command: str, settings: dict[str, object]) -> int:
    """A tool is used, and the hook that the settings name is asked first."""
    block = {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {"command": command}}
    say({"type": "assistant", "message": {"content": [block]}, "session_id": SESSION})
    decided = hook(settings, command)
    end(f"{decided}: {turn.act()}")
    return 0


def hook(settings: dict[str, object], command: str) -> str:
    hooks: list[dict[str, list[dict[str, str]]]] = settings["hooks"]["PreToolUse"]  # type: ignore[index]
    asked = {
        "session_id": SESSION,
        "transcript_path": "/tmp/transcript.jsonl",
        "cwd": "/tmp",
        "permission_mode": "default",
        "hook_event_name": "PreToolUse",
        "tool_name": "Bash",
        "tool_input": {"command": command, "description": "Clean up"},
        "tool_use_id": "toolu_1",
    }
    program = hooks[0]["hooks"][0]["command"]
    done = subprocess.run(
        ["/bin/sh", "-c", program], input=json.dumps(asked), capture_output=True, text=True
    )
    answer = json.loads(done.stdout)["hookSpecificOutput"]
    assert answer["hookEventName"] == "PreToolUse"
    return f"{answer['permissionDecision']} ({answer['permissionDecisionReason']})"


def spoken(text: str) -> None:
    block = {"type": "text", "text": text}
    message = {"role": "assistant", "content": [block], "usage": USAGE}
    say({"type": "assistant", "message": message, "session_id": SESSION})


def end(text: str, subtype: str = "success", *, is_error: bool = False, **more: object) -> None:
    say(
        {
            "type": "result",
            "subtype": subtype,
            "is_error": is_error or subtype != "success",
            "duration_ms": 1200,
            "num_turns": 2,
            "result": text,
            "session_id": SESSION,
            "total_cost_usd": 0.0125,
            "usage": USAGE,
            "permission_denials": [],
            **more,
        }
    )


if __name__ == "__main__":
    sys.exit(main())
