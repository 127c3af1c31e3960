"""What one run of one contestant gives: named figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Sample = Mapping[str, float]


def percentile(ordered: Sequence[float], share: float) -> float:
    """The value below which `share` (0 to 1) of the ordered values lie (nearest rank)."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def spread(values: Sequence[float], *, scale: float = 1.0) -> dict[str, float]:
    """First, median, 99th percentile and last of some durations, each times `scale`."""
    ordered = sorted(values)
    return {
        "first": ordered[0] * scale,
        "p50": percentile(ordered, 0.50) * scale,
        "p99": percentile(ordered, 0.99) * scale,
        "max": ordered[-1] * scale,
    }


def herd_sample(lateness_s: Sequence[float], ids: Sequence[object], due: int) -> dict[str, float]:
    """The figures of a herd: how late `ids` came, out of `due` that should have come once each."""
    if not ids:
        raise TimeoutError("none of the herd came")
    different = len(set(ids))
    figures = spread(lateness_s)
    return {
        **figures,
        "rate": len(lateness_s) / max(figures["max"], 1e-9),
        "lost": due - different,
        "doubled": len(ids) - different,
    }
