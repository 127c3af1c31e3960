"""What runs use up, and what of it a day may: budgets of tasks and agents. Pure.

A day is one of the owner's zone. A run counts on the day on which it ends, its tokens and its cost
on the day on which the agent reports them; what is under way counts as it is now.
"""

from collections.abc import Iterator
from dataclasses import astuple, dataclass
from fractions import Fraction
from typing import Final, Literal

import msgspec

from nod.domain.errors import InvalidInput
from nod.domain.instant import MINUTE, Instant
from nod.domain.model import Run

MOST: Final = 10**12
"""Of tokens, and of millionths of a dollar, what is counted of one run."""

_MICRO: Final = 1_000_000
_MOST_USD: Final = 1_000_000
# A person is asked when so much of a budget is used.
_ASK: Final = Fraction(4, 5)

Measure = Literal["runs", "tokens", "cost_usd", "minutes"]
MEASURES: tuple[Measure, ...] = ("runs", "tokens", "cost_usd", "minutes")
Today = Literal["go_on", "stop"]
"""What a person has said of a budget, for one day."""

Verdict = Literal["free", "ask", "over", "lifted", "stopped"]


@dataclass(frozen=True, slots=True)
class Used:
    """What was used: runs, tokens, millionths of a dollar, milliseconds of work."""

    runs: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_microusd: int = 0
    work_ms: int = 0

    def __add__(self, other: "Used") -> "Used":
        return Used(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))

    def __sub__(self, other: "Used") -> "Used":
        return Used(*(a - b for a, b in zip(astuple(self), astuple(other), strict=True)))

    @property
    def cost_usd(self) -> float:
        """In dollars."""
        return self.cost_microusd / _MICRO

    @property
    def minutes(self) -> float:
        """Of work."""
        return self.work_ms / MINUTE


NOTHING: Final = Used()


def work_ms(run: Run, now: Instant) -> int:
    """How long the agent has worked on the run; it does not work while it waits for a person."""
    if run.started_at is None:
        return 0
    still = now if run.waiting_since is None else run.waiting_since
    until = still if run.finished_at is None else run.finished_at
    return max(0, until - run.started_at - run.waited_ms)


def used_by(run: Run) -> Used:
    """What the run has used up so far, as it is counted: its time, and that it was, at its end."""
    was = run.finished_at is not None and (run.started_at is not None or run.status == "completed")
    return Used(
        runs=int(was),
        input_tokens=min(run.input_tokens or 0, MOST),
        output_tokens=min(run.output_tokens or 0, MOST),
        cost_microusd=min(round((run.cost_usd or 0) * _MICRO), MOST),
        work_ms=0 if run.finished_at is None else work_ms(run, run.finished_at),
    )


class Budget(msgspec.Struct, frozen=True, omit_defaults=True):
    """What may be used up in a day, of each that is named; nothing named is no budget."""

    runs: int | None = None
    tokens: int | None = None
    cost_usd: float | None = None
    minutes: int | None = None


@dataclass(frozen=True, slots=True)
class Share:
    """How much of one thing is used, and how much of it there is: in its smallest unit."""

    measure: Measure
    used: int
    most: int

    @property
    def unit(self) -> int:
        """How many of its smallest unit are one of those that people count in."""
        return {"cost_usd": _MICRO, "minutes": MINUTE}.get(self.measure, 1)

    @property
    def part(self) -> Fraction:
        return Fraction(self.used, self.most)

    @property
    def percent(self) -> int:
        """Whole, and 100 only when all is used."""
        return max(0, self.used) * 100 // self.most


def check_budget(budget: Budget) -> Budget | None:
    """The budget, None for one that names nothing. Raises InvalidInput."""
    for measure in MEASURES:
        value = getattr(budget, measure)
        least, most = (0.01, _MOST_USD) if measure == "cost_usd" else (1, MOST)
        if value is not None and not least <= value <= most:
            problem = f"must be between {least} and {most}; got {value}"
            raise InvalidInput(problem, field=f"budget.{measure}")
    return None if budget == Budget() else budget


def written(budget: Budget | None) -> str | None:
    """The budget as it is stored."""
    return None if budget is None else msgspec.json.encode(budget).decode()


def read_budget(stored: str | None) -> Budget | None:
    """The same back."""
    return None if stored is None else msgspec.json.decode(stored, type=Budget)


def is_tighter(new: Budget | None, old: Budget) -> bool:
    """Whether the new one lets through nothing that the old one would not."""

    def holds(measure: Measure) -> bool:
        before, after = getattr(old, measure), None if new is None else getattr(new, measure)
        return before is None or (after is not None and after <= before)

    return all(holds(measure) for measure in MEASURES)


def shares(budget: Budget, used: Used) -> Iterator[Share]:
    """What is used of each thing that the budget names."""
    if budget.runs is not None:
        yield Share("runs", used.runs, budget.runs)
    if budget.tokens is not None:
        yield Share("tokens", used.input_tokens + used.output_tokens, budget.tokens)
    if budget.cost_usd is not None:
        yield Share("cost_usd", used.cost_microusd, round(budget.cost_usd * _MICRO))
    if budget.minutes is not None:
        yield Share("minutes", used.work_ms, budget.minutes * MINUTE)


def fullest(budget: Budget, used: Used) -> Share:
    """Of what the budget names that of which the largest part is used."""
    return max(shares(budget, used), key=lambda each: each.part)


def verdict(budget: Budget, used: Used, today: Today | None) -> Verdict:
    """Whether one more run may begin: not when it is `over` or `stopped`.

    `today` is what the person has said. `ask`: enough is used that they are to be asked.
    """
    if today is not None:
        return "lifted" if today == "go_on" else "stopped"
    part = fullest(budget, used).part
    if part >= 1:
        return "over"
    return "ask" if part >= _ASK else "free"


def share_words(share: Share) -> str:
    """`8 of 10 runs`, `$4.10 of $5.00`."""
    match share.measure:
        case "cost_usd":
            return f"{dollars(share.used)} of {dollars(share.most)}"
        case "minutes":
            return f"{share.used // MINUTE:,} of {share.most // MINUTE:,} minutes"
        case _:
            return f"{share.used:,} of {share.most:,} {share.measure}"


def dollars(microusd: int) -> str:
    """`$4.10`; more digits where it is less than a cent."""
    usd = microusd / _MICRO
    return f"${usd:,.2f}" if usd == 0 or abs(usd) >= 0.01 else f"${usd:.4f}"


def budget_words(budget: Budget) -> str:
    """What it allows, in a line: `10 runs, $5.00 a day`."""
    parts = (_limit_words(each) for each in shares(budget, NOTHING))
    return f"{', '.join(parts)} a day"


def _limit_words(share: Share) -> str:
    match share.measure:
        case "cost_usd":
            return dollars(share.most)
        case "minutes":
            count = share.most // MINUTE
        case _:
            count = share.most
    return f"{count:,} {share.measure if count > 1 else share.measure[:-1]}"


def refusal_words(whose: str, share: Share, verdict: Verdict) -> str | None:
    """Why a fire does not run, where the verdict is that it does not."""
    match verdict:
        case "over":
            return f"budget of {whose} for today used up: {share_words(share)}"
        case "stopped":
            return f"budget of {whose}: stopped for today by a person, at {share_words(share)}"
        case _:
            return None
