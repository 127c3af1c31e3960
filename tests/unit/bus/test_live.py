"""Hints for open pages: each person's page hears of their things, and of what it missed."""

from typing import Any

from nod.bus.live import RESYNC, Live

MADE = 1_000


def live(*facts: dict[str, Any], at: int = MADE) -> Live:
    made = Live(started_at=0)
    made.record(facts, at)
    return made


def test_a_page_hears_the_ids_of_a_fact_and_their_kinds() -> None:
    hub = live()
    with hub.subscribe("usr_ann", ["agt_ada"], MADE) as stream:
        hub.record([{"agent_id": "agt_ada", "run_id": "run_1", "text": "no id"}], MADE + 1)
        assert stream.take() == {"agt_ada", "agents", "run_1", "runs"}
        assert stream.take() == frozenset()


def test_nobody_hears_of_somebody_elses_agents() -> None:
    hub = live()
    with (
        hub.subscribe("usr_ann", ["agt_ada"], MADE) as ann,
        hub.subscribe("usr_eve", ["agt_bob"], MADE) as eve,
    ):
        hub.record([{"agent_id": "agt_ada"}, {"agent_id": "agt_unknown"}], MADE + 1)
        assert ann.take()
        assert not eve.take()


def test_a_new_agent_is_heard_of_at_once_and_from_then_on() -> None:
    hub = live()
    with hub.subscribe("usr_ann", [], MADE) as stream:
        hub.record([{"agent_id": "agt_new", "user_id": "usr_ann"}], MADE + 1)
        assert "agt_new" in stream.take()
        hub.record([{"agent_id": "agt_new", "run_id": "run_1"}], MADE + 2)
        assert "run_1" in stream.take()


def test_what_happened_between_the_page_and_its_stream_makes_it_look_again() -> None:
    hub = live({"agent_id": "agt_ada"}, at=MADE)
    with hub.subscribe("usr_ann", ["agt_ada"], MADE + 1) as after:
        assert not after.take()
    with hub.subscribe("usr_ann", ["agt_ada"], MADE) as during:
        assert during.take() == RESYNC


def test_a_page_older_than_the_process_looks_again() -> None:
    hub = Live(started_at=MADE)
    with hub.subscribe("usr_ann", ["agt_ada"], MADE - 1) as stream:
        assert stream.take() == RESYNC


def test_when_anything_may_have_changed_every_page_looks_again() -> None:
    hub = live()
    with hub.subscribe("usr_ann", ["agt_ada"], MADE + 1) as stream:
        assert not stream.take()
        hub.resync(MADE + 2)
        assert stream.take() == RESYNC
    with hub.subscribe("usr_eve", [], MADE + 1) as late:
        assert late.take() == RESYNC
    with hub.subscribe("usr_eve", [], MADE + 2) as newer:
        assert not newer.take()


def test_a_herd_is_one_hint() -> None:
    hub = live()
    with hub.subscribe("usr_ann", ["agt_ada"], MADE) as stream:
        runs = [{"agent_id": "agt_ada", "run_id": f"run_{n}"} for n in range(10_000)]
        hub.record(runs, MADE + 1)
        assert stream.take() == RESYNC


async def test_a_stream_ends_with_its_process() -> None:
    hub = live()
    with hub.subscribe("usr_ann", [], MADE) as stream:
        hub.close()
        await stream.wait()
        assert stream.closed


def test_a_page_that_is_closed_leaves_nothing_behind() -> None:
    hub = live()
    with hub.subscribe("usr_ann", ["agt_ada"], MADE):
        assert len(hub) == 1
    hub.record([{"agent_id": "agt_ada"}], MADE + 1)
    assert len(hub) == 0
