"""What one looks for as words, and the part of a text that has them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nod.domain.search import Piece, has_words, snippet, typed_words, words_of


def marked(text: str, query: str, chars: int = 200) -> str:
    """The part of the text, with the words in brackets."""
    pieces = snippet(text, words_of(query, 12), chars)
    return "".join(f"[{text}]" if is_hit else text for text, is_hit in pieces)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Café  CRÈME", ("cafe", "creme")),
        ("cafe\u0301", ("cafe",)),
        ('"quoted" *', ("quoted",)),
        ("retry_with_jitter", ("retry", "with", "jitter")),
        ("3.12", ("3", "12")),
        ("AND OR", ("and", "or")),
        ("中文 straße", ("中文", "straße")),
        ("\0", ()),
        ("!?*\"'()", ()),
        ("", ()),
    ],
)
def test_words_are_letters_and_digits_without_case_and_accents(
    text: str, words: tuple[str, ...]
) -> None:
    assert words_of(text, 12) == words


def test_the_first_words_count_and_more_are_left_out() -> None:
    assert words_of("a b c d", 4) == ("a", "b", "c", "d")
    assert words_of("a b c d", 3) == ("a", "b", "c")


@pytest.mark.parametrize(
    ("name", "query", "found"),
    [
        ("Morning briefing", "brief", True),
        ("Morning briefing", "briefing morn", True),
        ("Morning briefing", "morn briefing", False),
        ("Morning briefing", "orning", False),
        ("Été", "ete", True),
        ("", "a", False),
    ],
)
def test_all_words_have_to_be_there_and_the_last_may_go_on(
    name: str, query: str, found: bool
) -> None:
    assert has_words(name, words_of(query, 12)) is found


@pytest.mark.parametrize(
    ("text", "query", "shown"),
    [
        ("The Café is open", "cafe", "The [Café] is open"),
        ("The cafe\u0301 is open", "café op", "The [café] is [open]"),
        ("open opener opened", "opene", "open [opener] [opened]"),
        ("op open", "op x", "[op] open"),
        ("a_b a-b", "b", "a_[b] a-[b]"),
        ("nothing here", "zebra", "nothing here"),
        ("", "zebra", ""),
    ],
)
def test_the_words_are_marked_whole(text: str, query: str, shown: str) -> None:
    assert marked(text, query) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("# Three **pull requests**", "Three [pull] requests"),
        ("- one\n- _pull_ it\n\n> said", "one [pull] it said"),
        ("`pull` ~~this~~", "[pull] this"),
        ("[pull](https://example.org/x) ![a](b)", "[pull] a"),
        ("| a | pull |\n|---|:--|\n| 1 | 2 |", "| a | [pull] | | 1 | 2 |"),
        ("```python\npull()\n```", "[pull]()"),
        ("drop_pull_table", "drop_[pull]_table"),
        ("a\t\n  pull", "a [pull]"),
    ],
)
def test_marks_of_markdown_are_not_shown(text: str, shown: str) -> None:
    assert marked(text, "pull x") == shown


def test_of_a_long_text_the_part_with_most_of_the_words_is_shown() -> None:
    text = f"{'needle and so on ' * 9}{'lorem ipsum ' * 90}a needle in the hay {'dolor ' * 90}"
    shown = marked(text, "hay needle")
    assert "a [needle] in the [hay] dolor" in shown
    assert shown.startswith("…lorem")
    assert shown.endswith("dolor…")
    assert len(shown) <= 206


def test_of_a_word_that_stands_everywhere_the_first_part_is_shown() -> None:
    assert marked("so on " * 300, "so", 20) == "[so] on [so] on [so] on…"


def test_a_long_text_without_the_words_shows_its_beginning() -> None:
    assert marked("lorem " * 90, "zebra", 20) == "lorem lorem lorem…"


def test_a_word_that_is_longer_than_the_part_is_cut() -> None:
    assert marked("x" * 300, "zebra", 100) == f"{'x' * 100}…"


@given(st.text(max_size=600), st.text(min_size=1, max_size=30))
def test_any_text_and_any_words_give_a_part_of_bounded_length(text: str, query: str) -> None:
    words = words_of(query, 12)
    if not words:
        return
    has_words(text, words)
    pieces = snippet(text, words, 100)
    assert len("".join(each.text for each in pieces)) <= 102
    assert all(each.text for each in pieces)
    assert all(words_of(each.text, 1) for each in pieces if each.is_hit)


def test_the_pieces_are_the_text_in_order() -> None:
    assert snippet("one two three", ("two",), 50) == (
        Piece("one ", is_hit=False),
        Piece("two", is_hit=True),
        Piece(" three", is_hit=False),
    )


def test_the_index_gets_the_words_as_they_were_typed() -> None:
    assert typed_words("Cafe\u0301, Йод_2 и соль", 3) == ("Café", "Йод", "2")
