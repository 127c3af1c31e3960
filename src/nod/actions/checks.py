"""Texts from outside: how long they may be, and which there have to be."""

from nod.domain.errors import InvalidInput
from nod.domain.texts import storable


def required(text: str, field: str, most: int) -> str:
    """The text without surrounding space. Raises InvalidInput when nothing is left or too much."""
    found = limited(text.strip(), field, most)
    if not found:
        raise InvalidInput("is missing; give it at least one character", field=field)
    return found


def limited(text: str, field: str, most: int) -> str:
    """The text as it is. Raises InvalidInput when it has more than `most` characters."""
    if len(text) > most:
        raise InvalidInput(f"has {len(text)} characters; at most {most} fit", field=field)
    return storable(text, field)
