"""goose without a terminal.

Flags: github.com/block/goose, documentation/docs/guides/goose-cli-commands.md. Lines: `StreamEvent`
in crates/goose-cli/src/session/mod.rs, and its tokens since
github.com/aaif-goose/goose/pull/8870.
"""

import argparse
import sys

from support.programs.common import noted, say


def main() -> int:
    flags = argparse.ArgumentParser(allow_abbrev=False)
    flags.add_argument("run", choices=["run"])
    flags.add_argument("--instructions", "-i", required=True)
    flags.add_argument("--output-format", choices=["text", "json", "stream-json"], required=True)
    flags.add_argument("--name", "-n", required=True)
    flags.add_argument("--resume", "-r", action="store_true")
    flags.add_argument("--model")
    given = flags.parse_args()
    assert given.instructions == "-"
    turn = noted("goose", given.name if given.resume else None)
    if turn.wants("fail") is not None:
        say({"type": "error", "error": "Authentication error: no API key"})
        return 1
    message("m1", type="text", text="Let me ")
    message("m1", type="text", text="look.")
    value = {"name": "developer__shell", "arguments": {"command": "df -h"}}
    message("m1", type="toolRequest", id="r1", toolCall={"status": "success", "value": value})
    message("m2", type="text", text=turn.act())
    turns = 2 if given.resume else 1
    used = {"input_tokens": 900 * turns, "output_tokens": 40 * turns}
    say({"type": "complete", "total_tokens": 940 * turns, **used})
    return 0


def message(name: str, **part: object) -> None:
    content = {"id": name, "role": "assistant", "created": 1785046041, "content": [part]}
    say({"type": "message", "message": content})


if __name__ == "__main__":
    sys.exit(main())
