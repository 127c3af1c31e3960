"""OpenCode without a terminal.

Flags: https://opencode.ai/docs/cli. Lines: `emit` in github.com/sst/opencode,
packages/opencode/src/cli/cmd/run.ts.
"""

import argparse
import sys

from support.programs.common import noted, say

SESSION = "ses_062f6fafdffeazh6ywwvMxsbNW"


def main() -> int:
    flags = argparse.ArgumentParser(allow_abbrev=False)
    flags.add_argument("run", choices=["run"])
    flags.add_argument("--format", choices=["default", "json"], required=True)
    flags.add_argument("--session", "-s")
    flags.add_argument("--model", "-m")
    given = flags.parse_args()
    turn = noted("opencode", given.session)
    if turn.wants("fail") is not None:
        error = {"name": "ProviderAuthError", "data": {"message": "No API key"}}
        event("error", error=error)
        return 1
    event("step_start", part={"type": "step-start"})
    state = {"status": "completed", "input": {"command": "df -h"}, "title": "Look at the disk"}
    event("tool_use", part={"type": "tool", "tool": "bash", "callID": "c1", "state": state})
    event("text", part={"type": "text", "text": "I have looked.", "time": {"end": 1}})
    finish("tool-calls")
    event("step_start", part={"type": "step-start"})
    event("text", part={"type": "text", "text": turn.act(), "time": {"end": 2}})
    finish("stop")
    return 0


def finish(reason: str) -> None:
    tokens = {"input": 5, "output": 20, "reasoning": 3, "cache": {"read": 100, "write": 10}}
    part = {"type": "step-finish", "reason": reason, "tokens": tokens, "cost": 0.002}
    event("step_finish", part=part)


def event(kind: str, **data: object) -> None:
    say({"type": kind, "timestamp": 1785046041858, "sessionID": SESSION, **data})


if __name__ == "__main__":
    sys.exit(main())
