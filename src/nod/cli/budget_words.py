"""Budgets as the agent's commands say them; a client's install has no domain to ask."""

from collections.abc import Mapping
from typing import Any


def budget_words(budget: Mapping[str, Any] | None) -> str | None:
    """`20 runs, $2.50 a day`; None for none."""
    if not budget:
        return None
    return ", ".join(map(_limit, budget.items())) + " a day"


def _limit(each: tuple[str, Any]) -> str:
    measure, most = each
    return f"${most:,.2f}" if measure == "cost_usd" else f"{most:,} {measure}"
