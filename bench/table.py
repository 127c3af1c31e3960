"""Tables a person reads: the median of the runs, and from the least to the most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

from bench.contest import Column, Measurement, Outcome


def rendered(measurement: Measurement, outcomes: Mapping[str, Outcome]) -> str:
    """The measurement's table with its title above and its notes below."""
    runs = max((len(outcome.samples) for outcome in outcomes.values()), default=0)
    heading = f"{measurement.title}; median (least-most) of {runs}"
    rows = [["", *(column.heading for column in measurement.columns)]]
    failures = []
    for name, outcome in outcomes.items():
        if outcome.samples:
            rows.append([name, *(cell(column, outcome) for column in measurement.columns)])
        if outcome.failure:
            failures.append(f"{name}: not measured ({outcome.failure})")
    notes = [*failures, *measurement.notes]
    return "\n".join([heading, "", *aligned(rows), "", *notes]).rstrip() + "\n"


def cell(column: Column, outcome: Outcome) -> str:
    """One figure over all runs."""
    values = [sample[column.key] for sample in outcome.samples if column.key in sample]
    if not values:
        return "-"
    middle, least, most = (
        f"{value:,.{column.decimals}f}" for value in (median(values), min(values), max(values))
    )
    return middle if least == most else f"{middle} ({least}-{most})"


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines: the first column to the left, the others to the right."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    return ["  " + "  ".join(justified(row, widths)).rstrip() for row in rows]


def justified(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    """A row's cells, each as wide as its column."""
    first, *rest = row
    return [first.ljust(widths[0]), *(c.rjust(w) for c, w in zip(rest, widths[1:], strict=True))]
