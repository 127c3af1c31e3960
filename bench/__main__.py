"""`python -m bench`: measure Nod and its peers side by side, and print the tables.

Progress goes to standard error, tables to standard output, everything measured to `--json FILE`.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.contest import Measurement, Outcome, hold
from bench.machine import described
from bench.measurements import measurements
from bench.postgres import databases
from bench.table import rendered

NAMES = (
    *("herd", "trigger", "throughput", "idle", "chat", "streams", "search"),
    *("cluster", "between", "size", "start"),
)


def main() -> int:
    """Run what was asked for. 1 if a contestant could not be measured, else 0."""
    asked = arguments()
    print(described(), flush=True)
    record: dict[str, Mapping[str, Outcome]] = {}
    with databases() as made, tempfile.TemporaryDirectory(prefix="nod-bench-") as directory:
        for measurement in measurements(made, Path(directory), quick=asked.quick):
            if measurement.name in asked.only:
                chosen = narrowed(measurement, asked.who)
                outcomes = hold(chosen, 1 if asked.quick else asked.runs, progress)
                record[measurement.name] = outcomes
                print("\n" + rendered(chosen, outcomes), flush=True)
    if asked.json:
        asked.json.write_text(json.dumps(plain(record), indent=2) + "\n")
    return int(any(outcome.failure for table in record.values() for outcome in table.values()))


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="runs of each contestant (3)")
    parser.add_argument(
        "--only", type=listed, default=NAMES, help=f"some of {','.join(NAMES)}, with commas"
    )
    parser.add_argument(
        "--who", type=listed, default=(), help="only contestants whose name has one of these words"
    )
    parser.add_argument("--quick", action="store_true", help="one run of a tenth of the work")
    parser.add_argument("--json", type=Path, metavar="FILE", help="every sample, as JSON")
    asked = parser.parse_args()
    if unknown := set(asked.only) - set(NAMES):
        parser.error(f"no such measurement: {', '.join(sorted(unknown))}")
    return asked


def listed(text: str) -> tuple[str, ...]:
    """`a,b` as its parts."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def narrowed(measurement: Measurement, words: Sequence[str]) -> Measurement:
    """The measurement with only the contestants one of the words names; all without words."""
    if not words:
        return measurement
    names = [word.lower() for word in words]
    kept = [c for c in measurement.contestants if any(n in c.name.lower() for n in names)]
    return measurement.among(kept)


def progress(line: str) -> None:
    """Say on standard error what is being done."""
    print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)


def plain(record: Mapping[str, Mapping[str, Outcome]]) -> dict[str, object]:
    """What was measured, as JSON takes it."""
    return {
        name: {
            who: {"samples": list(outcome.samples), "failure": outcome.failure}
            for who, outcome in outcomes.items()
        }
        for name, outcomes in record.items()
    }


if __name__ == "__main__":
    sys.exit(main())
