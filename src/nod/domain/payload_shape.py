"""What a payload looks like whatever its values: which fields it has, and of which type. Pure.

Two payloads have the same shape when values of the same types stand in the same places. The order
of keys, the values themselves and how many items a list has do not matter; a key that was not there
before, or another type, does.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from nod.domain.limits import Limits

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*", re.ASCII)
_MEDIA_TYPE = re.compile(r"[a-z0-9.+-]{1,60}/[a-z0-9.+-]{1,60}", re.ASCII)
_ROOT = "$"
# A place with a longer name is not compared.
_PLACE_CHARS = 300


@dataclass(frozen=True, slots=True)
class Shape:
    """The places of a payload with the type found there, such as `commits[].id: string`, sorted.

    `whole` is False when there are more places, or deeper ones, than are compared: what the rest
    looks like is not known, so such a payload is never like another.
    """

    parts: tuple[str, ...]
    whole: bool = True


def shape_of(payload: Any, query: Iterable[str], media_type: str, limits: Limits) -> Shape:
    """The shape of a call: what it brought as JSON, the names in the query of its address, and,
    where its body was no JSON, the type that the body was declared as (else empty)."""
    found = {f"?{_key(name)}: string" for name in query}
    if media_type:
        kind = media_type if _MEDIA_TYPE.fullmatch(media_type) else "of no known type"
        found.add(f"(body): {kind}")
    level = [(_ROOT, payload)]
    whole = True
    for _ in range(limits.shape_depth):
        deeper: list[tuple[str, Any]] = []
        for place, value in level:
            found.add(f"{place}: {_type(value)}")
            deeper += _inside(place, value)
            whole = whole and len(place) <= _PLACE_CHARS
            if not whole or len(found) > limits.shape_places:
                return Shape(tuple(sorted(found)[: limits.shape_places]), whole=False)
        level = deeper
    fits = len(found) <= limits.shape_places
    return Shape(tuple(sorted(found)[: limits.shape_places]), whole=fits and not level)


def news(shape: Shape, known: Shape) -> tuple[str, ...]:
    """What of the shape was not there before."""
    before = set(known.parts)
    return tuple(part for part in shape.parts if part not in before)


def merged(one: Shape, other: Shape) -> Shape:
    """All that either of them has."""
    return Shape(tuple(sorted({*one.parts, *other.parts})), one.whole and other.whole)


def _inside(place: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        before = "" if place == _ROOT else place
        for key, inner in value.items():
            name = _key(key)
            dot = "." if before and not name.startswith("[") else ""
            yield f"{before}{dot}{name}", inner
    elif isinstance(value, list):
        for inner in value:
            yield f"{place}[]", inner


def _key(key: str) -> str:
    """The key as it stands in a place; one that could be taken for something else is quoted."""
    return key if _PLAIN_KEY.fullmatch(key) else f"[{msgspec.json.encode(key).decode()}]"


def _type(value: Any) -> str:
    match value:
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "string"
        case None:
            return "null"
        case dict():
            return "object"
        case _:
            return "array"
