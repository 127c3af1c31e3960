"""What holds for budgets whatever is used: nothing is counted twice, and more use frees nothing."""

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nod.domain.budget import (
    MEASURES,
    MOST,
    NOTHING,
    Budget,
    Used,
    budget_words,
    check_budget,
    fullest,
    is_tighter,
    read_budget,
    refusal_words,
    shares,
    used_by,
    verdict,
    written,
)
from nod.domain.model import Run
from nod.domain.runs import at_end, make_run, paused, resumed
from support.clock import MONDAY_9
from support.values import make_task

_COUNTS = st.none() | st.integers(1, MOST)
_USED = st.integers(0, 10 * MOST)
BUDGETS = st.builds(
    Budget,
    runs=_COUNTS,
    tokens=_COUNTS,
    cost_usd=st.none() | st.floats(0.01, 1_000_000),
    minutes=_COUNTS,
).filter(lambda each: each != Budget())
USED = st.builds(Used, _USED, _USED, _USED, _USED, _USED)
_RANKS = {"free": 0, "ask": 1, "over": 2}

# A second in the life of a run: what is reported then, and whether it asks, goes on or ends.
_MOMENTS = st.lists(
    st.tuples(
        st.integers(0, 10_000),
        st.sampled_from(("work", "report", "ask", "go on", "end")),
        st.none() | st.integers(0, 2**53 - 1),
        st.none() | st.floats(0, 1e9),
    ),
    max_size=20,
)


def _after(run: Run, what: str, tokens: int | None, cost: float | None, now: int) -> Run:
    match what:
        case "report":
            return replace(run, input_tokens=tokens, output_tokens=tokens, cost_usd=cost)
        case "ask" if run.waiting_since is None and run.finished_at is None:
            return paused(run, now)
        case "go on" if run.waiting_since is not None:
            return resumed(run, now)
        case "end":  # also a second time: the result that came late
            return at_end(run, now)
        case _:
            return run


@given(_MOMENTS)
def test_what_is_counted_bit_by_bit_is_what_the_run_used(
    moments: list[tuple[int, str, int | None, float | None]],
) -> None:
    now = MONDAY_9
    run = replace(make_run(make_task(), now, now, "manual"), started_at=now)
    counted, waited = NOTHING, 0
    for passed, what, tokens, cost in moments:
        waited += passed if run.waiting_since is not None else 0
        now += passed
        after = _after(run, what, tokens, cost, now)
        counted += used_by(after) - used_by(run)
        run = after
    assert counted == used_by(run)
    assert run.waited_ms <= waited
    assert 0 <= counted.work_ms <= now - MONDAY_9
    assert max(counted.input_tokens, counted.cost_microusd) <= MOST
    assert counted.runs == (0 if run.finished_at is None else 1)


@given(BUDGETS, USED, USED)
def test_more_use_never_frees(budget: Budget, used: Used, more: Used) -> None:
    before, after = verdict(budget, used, None), verdict(budget, used + more, None)
    assert _RANKS[before] <= _RANKS[after]


@given(BUDGETS, USED)
def test_one_full_share_is_enough_and_the_person_is_asked_from_four_fifths_on(
    budget: Budget, used: Used
) -> None:
    parts = [each.part for each in shares(budget, used)]
    found = verdict(budget, used, None)
    assert (found == "over") == any(part >= 1 for part in parts)
    assert (found == "free") == all(part < Fraction(4, 5) for part in parts)
    assert (refusal_words("it", fullest(budget, used), found) is None) == (found != "over")
    assert (fullest(budget, used).percent >= 100) == (found == "over")


@given(BUDGETS, USED)
def test_what_the_person_said_goes_before_what_is_used(budget: Budget, used: Used) -> None:
    assert verdict(budget, used, "go_on") == "lifted"
    assert verdict(budget, used, "stop") == "stopped"


@given(BUDGETS, BUDGETS, USED)
def test_a_tighter_budget_lets_nothing_through_that_the_former_would_not(
    new: Budget, old: Budget, used: Used
) -> None:
    if is_tighter(new, old):
        assert _RANKS[verdict(new, used, None)] >= _RANKS[verdict(old, used, None)]
    assert is_tighter(old, old)
    assert not is_tighter(None, old)


@given(BUDGETS)
def test_a_budget_comes_back_as_it_was_stored(budget: Budget) -> None:
    assert read_budget(written(check_budget(budget))) == budget


def test_a_budget_that_names_nothing_is_none() -> None:
    assert check_budget(Budget()) is None
    assert written(None) is None
    assert read_budget(None) is None


@pytest.mark.parametrize(
    ("budget", "words"),
    [
        (Budget(runs=1), "1 run a day"),
        (
            Budget(runs=10, tokens=200_000, cost_usd=4.5, minutes=1),
            "10 runs, 200,000 tokens, $4.50, 1 minute a day",
        ),
    ],
)
def test_a_budget_in_words(budget: Budget, words: str) -> None:
    assert budget_words(budget) == words
    assert {each.measure for each in shares(budget, NOTHING)} <= set(MEASURES)
