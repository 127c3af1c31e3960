"""What a text must be to be stored at all."""

from nod.domain.errors import InvalidInput


def storable(text: str, field: str) -> str:
    """The text as it is. Raises InvalidInput for a NUL, which PostgreSQL stores in no text."""
    if "\0" in text:
        raise InvalidInput("holds a NUL character, which cannot be stored; remove it", field=field)
    return text
