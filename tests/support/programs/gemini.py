"""Gemini CLI without a terminal.

Flags: github.com/google-gemini/gemini-cli, docs/cli/cli-reference.md. Lines:
packages/core/src/output/types.ts. Exit statuses: docs/cli/headless.md.
"""

import argparse
import sys

from support.programs.common import noted, say

SESSION = "b1c6ae4c-4a2a-4a44-8a3c-1fd1b8b1d2c3"
AT = {"timestamp": "2026-08-21T16:16:56.000Z"}


def main() -> int:
    flags = argparse.ArgumentParser(allow_abbrev=False)
    flags.add_argument("--output-format", "-o", choices=["stream-json"], required=True)
    flags.add_argument("--resume", "-r")
    flags.add_argument("--approval-mode", choices=["default", "auto_edit", "yolo", "plan"])
    given = flags.parse_args()
    turn = noted("gemini", given.resume)
    say({"type": "init", **AT, "session_id": given.resume or SESSION, "model": "gemini-3-pro"})
    say({"type": "message", **AT, "role": "user", "content": turn.prompt})
    if turn.wants("fail") is not None:
        error = {"type": "FatalTurnLimitedError", "message": "Reached max session turns"}
        say({"type": "result", **AT, "status": "error", "error": error})
        return 53
    delta("Let me ")
    delta("look.\n")
    tool = {"tool_name": "list_directory", "tool_id": "t1", "parameters": {"path": "/var"}}
    say({"type": "tool_use", **AT, **tool})
    say({"type": "tool_result", **AT, "tool_id": "t1", "status": "success", "output": "log"})
    for word in turn.act().partition(" "):
        delta(word)
    stats = {"total_tokens": 310, "input_tokens": 300, "output_tokens": 10, "cached": 100}
    stats |= {"input": 200, "duration_ms": 900, "tool_calls": 1}
    say({"type": "result", **AT, "status": "success", "stats": {**stats, "models": {}}})
    return 0


def delta(text: str) -> None:
    say({"type": "message", **AT, "role": "assistant", "content": text, "delta": True})


if __name__ == "__main__":
    sys.exit(main())
