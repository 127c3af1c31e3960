"""Two sides have the same digest when they have the same rows, and not otherwise."""

from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from nod.store.digest import Digest

VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.text(),
    st.binary(),
)
ROWS = st.lists(st.tuples(VALUES, VALUES, VALUES), max_size=20)


def digest(rows: list[tuple[Any, ...]]) -> tuple[int, str]:
    found = Digest()
    for row in rows:
        found.add(row)
    return found.rows, found.hash


def exactly(rows: list[tuple[Any, ...]]) -> list[str]:
    """The rows in an order, with what `==` does not tell apart: 1, 1.0 and True."""
    return sorted(map(repr, rows))


@given(ROWS, st.randoms())
def test_the_order_of_rows_makes_no_difference(rows: list[tuple[Any, ...]], luck: Any) -> None:
    other = list(rows)
    luck.shuffle(other)
    assert digest(rows) == digest(other)


@given(ROWS, ROWS)
def test_other_rows_have_another_digest(
    rows: list[tuple[Any, ...]], other: list[tuple[Any, ...]]
) -> None:
    assume(exactly(rows) != exactly(other))
    assert digest(rows) != digest(other)


@given(ROWS.filter(bool), st.data())
def test_one_value_that_is_changed_lost_or_moved_is_seen(
    rows: list[tuple[Any, ...]], data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(rows) - 1))
    column = data.draw(st.integers(0, 2))
    value = data.draw(VALUES)
    assume(repr(value) != repr(rows[place][column]))
    changed = (*rows[place][:column], value, *rows[place][column + 1 :])
    assert digest([*rows[:place], changed, *rows[place + 1 :]]) != digest(rows)
    assert digest([*rows[:place], *rows[place + 1 :]]) != digest(rows)
    assert digest([*rows, rows[place]]) != digest(rows)


def test_values_that_stand_side_by_side_do_not_run_into_each_other() -> None:
    assert digest([("ab", "c")]) != digest([("a", "bc")])
    assert digest([("a", None)]) != digest([("a", "")])
    assert digest([(b"a",)]) != digest([("a",)])
    assert digest([(True,)]) != digest([(1,)]) != digest([(1.0,)])


def test_the_hash_of_nothing_and_its_length() -> None:
    assert digest([]) == (0, "0" * 64)
    assert len(digest([("a",)])[1]) == 64
