"""A budget as a form has it, with a field for each thing that a day may use up."""

from collections.abc import Mapping

from nod.domain.budget import MEASURES, Budget, Measure, check_budget, read_budget
from nod.domain.errors import InvalidInput

LABELS: Mapping[str, str] = {
    "budget_cost_usd": "Dollars a day",
    "budget_tokens": "Tokens a day",
    "budget_runs": "Runs a day",
    "budget_minutes": "Minutes a day",
}
FIELDS = tuple(LABELS)
_DIGITS = 16


def budget_typed(stored: str | None) -> dict[str, str]:
    """The fields of a budget that is there."""
    budget = read_budget(stored)
    found = {each: None if budget is None else getattr(budget, each) for each in MEASURES}
    return {
        f"budget_{each}": "" if value is None else f"{value:.15g}" for each, value in found.items()
    }


def read_typed(typed: Mapping[str, str]) -> Budget | None:
    """What the fields say; None for no budget. Raises InvalidInput naming the field."""
    found = {each: _number(typed[f"budget_{each}"], each) for each in MEASURES}
    try:
        return check_budget(Budget(**found))  # type: ignore[arg-type]
    except InvalidInput as error:
        field = (error.field or "").replace(".", "_")
        raise InvalidInput(error.problem, field=field) from error


def _number(text: str, measure: Measure) -> float | int | None:
    plain = text.strip().removeprefix("$").replace(",", "").replace(" ", "")
    if not plain:
        return None
    whole, point, part = plain.partition(".")
    digits = whole + part
    if digits.isascii() and digits.isdecimal() and len(digits) <= _DIGITS:
        if measure == "cost_usd":
            return float(plain)
        if not point:
            return int(plain)
    kind = "an amount such as 2.50" if measure == "cost_usd" else "a whole number"
    problem = f"takes {kind}; got {text.strip()[:40]!r}"
    raise InvalidInput(problem, field=f"budget_{measure}")
