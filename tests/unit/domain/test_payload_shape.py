"""The shape of a payload: what is the same whatever the values, and what is not."""

import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nod.domain.limits import Limits
from nod.domain.payload_shape import Shape, merged, news, shape_of

LIMITS = Limits()
KEYS = st.text(max_size=6)
SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4)
)


def shape(payload: Any, **more: Any) -> Shape:
    return shape_of(payload, more.get("query", ()), more.get("media_type", ""), LIMITS)


def test_each_place_is_named_with_its_type() -> None:
    payload = {"ref": "main", "commits": [{"id": 1}, {"id": None, "a.b": True}], "": 1.5}
    assert set(shape(payload).parts) == {
        "$: object",
        '[""]: number',
        "commits: array",
        'commits[]["a.b"]: boolean',
        "commits[].id: null",
        "commits[].id: number",
        "commits[]: object",
        "ref: string",
    }


def test_names_in_the_address_and_the_type_of_a_body_that_is_no_json_count() -> None:
    found = shape({"body": "x"}, query=["to", "a b"], media_type="text/plain")
    assert found.parts == (
        "$: object",
        "(body): text/plain",
        '?["a b"]: string',
        "?to: string",
        "body: string",
    )
    odd = shape({"body": "x"}, media_type="<script>")
    assert "(body): of no known type" in odd.parts


def shuffled(value: Any, rnd: random.Random) -> Any:
    """The same with other values of the same types and another order of its keys."""
    match value:
        case dict():
            keys = list(value)
            rnd.shuffle(keys)
            return {key: shuffled(value[key], rnd) for key in keys}
        case list():
            again = [shuffled(each, rnd) for each in value + value[:1]]
            rnd.shuffle(again)
            return again
        case bool():
            return not value
        case int():
            return value + 0.5
        case str():
            return value + "!"
        case _:
            return value


@given(JSON, st.randoms(use_true_random=False))
def test_order_values_and_counts_do_not_matter(payload: Any, rnd: random.Random) -> None:
    assert shape(shuffled(payload, rnd)) == shape(payload)


@given(st.dictionaries(KEYS, JSON, max_size=4), KEYS, JSON)
def test_a_new_key_does_and_is_named(payload: dict[str, Any], key: str, value: Any) -> None:
    before = {name: each for name, each in payload.items() if name != key}
    new = news(shape({**before, key: value}), shape(before))
    assert new
    assert all(part not in shape(before).parts for part in new)
    assert news(shape(before), shape({**before, key: value})) == ()


@given(st.lists(KEYS, min_size=1, max_size=5), SCALARS, SCALARS)
def test_another_type_does_at_any_depth(path: list[str], one: Any, other: Any) -> None:
    def at_the_end(value: Any) -> Any:
        for key in path:
            value = {key: [value]}
        return value

    number = (int, float)
    same = type(one) is type(other) or (
        isinstance(one, number)
        and isinstance(other, number)
        and bool not in {type(one), type(other)}
    )
    assert (shape(at_the_end(one)) == shape(at_the_end(other))) == same


@given(JSON, JSON)
def test_a_payload_is_known_from_all_that_was_seen(one: Any, other: Any) -> None:
    known = merged(shape(one), shape(other))
    assert news(shape(one), known) == news(shape(other), known) == ()


def test_keys_cannot_be_made_to_look_like_other_places() -> None:
    tricks = [{"a": {"b": 1}}, {"a.b": 1}, {"a": [{"b": 1}]}, {"a[].b": 1}, {"a": 1, "b": 1}]
    assert len({shape(each) for each in tricks}) == len(tricks)
    assert shape({"?x": ""}) != shape({}, query=["x"])
    assert shape({"(body)": "text/plain"}) != shape({}, media_type="text/plain")


@pytest.mark.parametrize("extra", [0, 1])
def test_too_many_places_are_not_compared(extra: int) -> None:
    most = LIMITS.shape_places
    found = shape({f"k{number}": 1 for number in range(most - 1 + extra)})
    assert (found.whole, len(found.parts)) == (extra == 0, most)


def test_names_in_the_address_count_among_the_places() -> None:
    limits = replace(LIMITS, shape_places=3)
    assert not shape_of({}, ["a", "b", "c"], "", limits).whole
    assert shape_of({}, ["a", "b"], "", limits).whole


@pytest.mark.parametrize("extra", [0, 1])
def test_what_is_too_deep_is_not_compared(extra: int) -> None:
    payload: Any = 1
    for _ in range(LIMITS.shape_depth - 1 + extra):
        payload = [payload]
    assert shape(payload).whole == (extra == 0)


def test_a_key_of_any_length_is_not_kept() -> None:
    found = shape({"k" * 100_000: 1})
    assert not found.whole
    assert shape({"k" * 200: 1}).whole
