"""Codex without a terminal.

Flags: github.com/openai/codex, codex-rs/exec/src/cli.rs. Lines: codex-rs/exec/src/exec_events.rs.
"""

import argparse
import sys

from support.programs.common import noted, say

SESSION = "0199a213-81c0-7800-8aa1-bbab2a035a53"


def main() -> int:
    flags = argparse.ArgumentParser(allow_abbrev=False)
    flags.add_argument("exec", choices=["exec"])
    flags.add_argument("--json", action="store_true", required=True)
    flags.add_argument("--skip-git-repo-check", action="store_true")
    flags.add_argument("--sandbox", choices=["read-only", "workspace-write"])
    flags.add_argument("rest", nargs="+")  # `-`, or `resume SESSION -`
    given = flags.parse_args()
    session = None
    if given.rest != ["-"]:
        word, session, prompt = given.rest
        assert (word, prompt) == ("resume", "-")
    turn = noted("codex", session)
    say({"type": "thread.started", "thread_id": session or SESSION})
    say({"type": "turn.started"})
    if turn.wants("fail") is not None:
        say({"type": "error", "message": "stream disconnected"})
        say({"type": "turn.failed", "error": {"message": "unexpected status 401 Unauthorized"}})
        return 1
    item("item.started", "item_1", type="command_execution", command="df -h", status="in_progress")
    item("item.completed", "item_1", type="command_execution", command="df -h", exit_code=0)
    item("item.completed", "item_2", type="agent_message", text="I have looked.")
    item("item.completed", "item_3", type="agent_message", text=turn.act())
    used = {"input_tokens": 24763, "cached_input_tokens": 24448, "output_tokens": 122}
    say({"type": "turn.completed", "usage": used})
    return 0


def item(kind: str, name: str, **fields: object) -> None:
    say({"type": kind, "item": {"id": name, **fields}})


if __name__ == "__main__":
    sys.exit(main())
