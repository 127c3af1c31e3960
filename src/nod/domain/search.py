"""What a person looks for, as words, and the part of a text that has them. Pure.

A word is letters and digits; upper case and accents make no difference, as in the database's index.
All words have to be there, and the last one may go on: one finds while one types.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple
from unicodedata import normalize

_WORD = re.compile(r"[^\W_]+")
_REST_OF_WORD = re.compile(r"[^\W_]*\s*")
# Of Markdown what would be in the way on one line. An underscore within a name stays.
_MARKS = re.compile(
    r"^[ \t]*(?:#{1,6}[ \t]+|[-*+][ \t]+|>[ \t]?|```.*$|[|:-][|: \t-]*$)"
    r"|[*`~]{1,3}|(?<![^\W_])_{1,3}|_{1,3}(?![^\W_])|!?\[([^\]\n]*)\]\([^)\n]*\)",
    re.MULTILINE,
)
_LEAD_CHARS = 40  # shown before the first word that was found
_MOST_HITS = 200  # looked at to find the part with the most of the words
_SPARE = 3  # so many times as long is what is cut out before its marks go
_COMMON = 0x10000  # characters below it are remembered as they are compared


class Piece(NamedTuple):
    """A part of a text; `is_hit` where it is one of the words looked for."""

    text: str
    is_hit: bool


class _Folded(dict[int, str]):
    """Characters as they are compared: small, without accents, and each still one character."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        base = normalize("NFD", character)[0].casefold()
        folded = base if len(base) == 1 else character
        if code < _COMMON:
            self[code] = folded
        return folded


_FOLDED = _Folded()


def words_of(text: str, most: int) -> tuple[str, ...]:
    """The words of what was typed, as they are compared; at most so many, the first ones."""
    return tuple(_words(text)[:most])


def typed_words(text: str, most: int) -> tuple[str, ...]:
    """The same words as they were typed, for an index that has its own way to compare: SQLite's
    keeps what are no accents to it, as in й."""
    return tuple(_WORD.findall(normalize("NFC", text))[:most])


def has_words(text: str, words: Sequence[str]) -> bool:
    """Whether a short text has all the words, of which there is at least one."""
    found = _words(text)
    has_last = any(each.startswith(words[-1]) for each in found)
    return has_last and set(words[:-1]) <= set(found)


def snippet(text: str, words: Sequence[str], chars: int) -> tuple[Piece, ...]:
    """At most so many characters of the text, on one line and without Markdown's marks, around
    where most of the words stand; its beginning where none of them does."""
    whole = normalize("NFC", text)
    pattern = _pattern(tuple(words))
    start = _start(whole, _best(whole, pattern, chars))
    end = start + chars * _SPARE
    part = " ".join(_MARKS.sub(r"\1", whole[start:end]).split())
    shown = part if len(part) <= chars else part[:chars].rsplit(" ", 1)[0]
    goes_on = len(shown) < len(part) or end < len(whole)
    return _pieces(f"{'…' if start else ''}{shown}{'…' if goes_on else ''}", pattern)


def _words(text: str) -> list[str]:
    return _WORD.findall(_fold(normalize("NFC", text)))


def _fold(text: str) -> str:
    """The text as it is compared, character for character."""
    return text.translate(_FOLDED)


@lru_cache(maxsize=256)
def _pattern(words: tuple[str, ...]) -> re.Pattern[str]:
    """Where one of the words stands in a folded text; the last one with the rest of its word."""
    *whole, last = (re.escape(each) for each in words)
    choices = "|".join([*(rf"{each}(?![^\W_])" for each in whole), rf"{last}[^\W_]*"])
    return re.compile(rf"(?<![^\W_])(?:{choices})")


def _best(text: str, pattern: re.Pattern[str], chars: int) -> int:
    """Where the part begins that has the most different words; 0 where there are none."""
    hits: list[tuple[int, str]] = []
    for match in pattern.finditer(_fold(text)):
        hits.append((match.start(), match.group()))
        if len(hits) == _MOST_HITS:
            break

    def words_near(number: int) -> int:
        end = hits[number][0] + chars - 2 * _LEAD_CHARS
        return len({word for at, word in hits[number:] if at < end})

    return hits[max(range(len(hits)), key=words_near)][0] if hits else 0


def _start(text: str, hit: int) -> int:
    """Where to begin so that the hit has some words before it, the first of them whole."""
    rest = None if hit <= 2 * _LEAD_CHARS else _REST_OF_WORD.match(text, hit - _LEAD_CHARS)
    return 0 if rest is None else rest.end()


def _pieces(text: str, pattern: re.Pattern[str]) -> tuple[Piece, ...]:
    found: list[Piece] = []
    done = 0
    for match in pattern.finditer(_fold(text)):
        found.append(Piece(text[done : match.start()], is_hit=False))
        found.append(Piece(text[match.start() : match.end()], is_hit=True))
        done = match.end()
    found.append(Piece(text[done:], is_hit=False))
    return tuple(each for each in found if each.text)
