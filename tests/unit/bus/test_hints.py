"""Hints between processes: told in pieces, heard as a whole, and never more than enough."""

from typing import Any

import pytest

from nod.bus.hints import Hints, pieces, read_piece
from nod.engine.hints import hints_of, timers_of
from nod.engine.outbox import make_event
from nod.store.effects import Effects, Outgoing


def heard(hints: Hints, most_bytes: int = 7_900) -> Hints:
    """What comes of hints on the other side."""
    whole = Hints()
    for piece in pieces(hints, most_bytes):
        assert len(piece.encode()) <= most_bytes
        whole.add(read_piece(piece))
    return whole


def fact(name: str, **fields: Any) -> Hints:
    hints = Hints()
    hints.fact(name, fields)
    return hints


def test_what_is_told_is_heard_in_one_piece_or_in_many() -> None:
    hints = Hints(
        timers={"fire": 17, "rescue": 5},
        agents={f"agt_{number}" for number in range(100)},
        changed={f"run_{number}" for number in range(100)},
        much=True,
    )
    hints.add(fact("fired", run_id="run_1", task_id="tsk_1"))
    assert len(list(pieces(hints, 7_900))) == 1
    assert len(list(pieces(hints, 200))) > 10
    assert heard(hints) == heard(hints, 200) == hints


def test_nothing_is_told_by_no_piece() -> None:
    assert list(pieces(Hints(), 100)) == []


def test_of_what_happened_only_the_ids_are_told() -> None:
    told = heard(fact("run_ended", run_id="run_1", agent_id="agt_1", error="no such file", n_id=7))
    assert list(told.happened()) == [("run_ended", {"run_id": "run_1", "agent_id": "agt_1"})]


def test_more_than_is_told_one_by_one_is_told_as_much() -> None:
    many = Hints()
    for number in range(600):
        many.add(Hints(changed={f"run_{number}"}))
    assert many.much
    assert not heard(many).changed - {f"run_{number}" for number in range(600)}
    assert len(many.changed) < 600


def test_the_earliest_time_counts() -> None:
    hints = Hints(timers={"fire": 17})
    hints.add(Hints(timers={"fire": 20, "rescue": 3}))
    assert hints.timers == {"fire": 17, "rescue": 3}


@pytest.mark.parametrize("text", ["", "{}", "[1]", "[", '["from a newer Nod"]', '["t fire soon"]'])
def test_what_cannot_be_understood_may_say_anything(text: str) -> None:
    assert read_piece(text).everything


def test_of_a_commit_others_hear_what_they_have_to_look_at() -> None:
    effects = Effects()
    effects.timer("fire", 17)
    effects.timer("deliver", 18)  # who has tried to deliver tries again itself
    effects.change("run_1")
    effects.fact("fired", run_id="run_1", seconds=3)
    hints = heard(hints_of(effects, delivers=True))
    assert timers_of(hints) == {"fire": 17}
    assert hints.changed == {"run_1"}
    assert list(hints.happened()) == [("fired", {"run_id": "run_1"})]


def test_what_a_process_does_not_deliver_itself_it_leaves_to_the_others() -> None:
    effects = Effects(outbox=[Outgoing(make_event(1, "agt_1", "user_message", {}))])
    hints = heard(hints_of(effects, delivers=False))
    assert timers_of(hints) == {"deliver": 0}
    assert hints.agents == {"agt_1"}
    retried = Effects(timers={"deliver": 18})
    assert timers_of(heard(hints_of(retried, delivers=False))) == {"deliver": 18}


def test_a_stage_of_a_newer_process_is_none_of_ours() -> None:
    assert timers_of(Hints(timers={"dream": 1, "fire": 2})) == {"fire": 2}
