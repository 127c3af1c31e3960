"""A task's last entries at a glance: each cell says in words what its colour says."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nod.domain.instant import DAY, SECOND
from nod.domain.runs import make_run
from nod.domain.strip import STATES, outcome_words, strip
from support.clock import MONDAY_9
from support.values import make_task

RUN = make_run(make_task(), MONDAY_9, MONDAY_9, "schedule")


@pytest.mark.parametrize(
    ("status", "more", "words"),
    [
        ("pending", {}, "waiting to be taken up"),
        ("running", {}, "working"),
        ("waiting", {}, "waiting for you"),
        (
            "completed",
            {"started_at": MONDAY_9, "finished_at": MONDAY_9 + 150 * SECOND},
            "done in 2 min 30 s",
        ),
        ("completed", {"finished_at": MONDAY_9}, "done"),
        ("failed", {"error": "timeout"}, "failed: timeout"),
        ("cancelled", {}, "cancelled"),
        ("skipped", {"reason": "paused"}, "skipped: paused"),
    ],
)
def test_an_outcome_in_words(status: Any, more: dict[str, Any], words: str) -> None:
    assert outcome_words(replace(RUN, status=status, **more)) == words


def test_a_cell_says_when_and_what_in_the_persons_zone() -> None:
    (cell,) = strip([RUN], "Asia/Tokyo")
    assert (cell.run_id, cell.state, cell.at) == (RUN.id, "pending", MONDAY_9)
    assert cell.label.startswith("Mon ")
    assert cell.label.endswith(": waiting to be taken up")
    assert cell.label != strip([RUN], "UTC")[0].label


@given(st.lists(st.sampled_from(sorted(STATES)), max_size=40))
def test_the_oldest_comes_first_and_none_is_lost(statuses: list[Any]) -> None:
    runs = [
        replace(RUN, id=f"run_{i}", status=status, scheduled_for=MONDAY_9 - i * DAY)
        for i, status in enumerate(statuses)
    ]
    cells = strip(runs, "UTC")
    assert [each.run_id for each in cells] == [each.id for each in reversed(runs)]
    assert [each.at for each in cells] == sorted(each.at for each in cells)
