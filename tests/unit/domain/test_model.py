"""The nouns as values."""

from nod.domain.model import new_id
from support.clock import MONDAY_9


def test_ids_are_as_long_as_each_other_and_grow_with_time() -> None:
    ids = [new_id("run", MONDAY_9 + ms) for ms in range(100)]
    assert len(set(ids)) == 100
    assert {len(each) for each in ids} == {len("run_") + 12 + 14}
    assert ids == sorted(ids)
    assert {each[-14:-12] for each in ids} != {"00"}
