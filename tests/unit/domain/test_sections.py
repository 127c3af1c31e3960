"""A result is read by its headings, so that a section is found again on another day."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nod.domain.sections import Section, sections


def shown(text: str) -> list[list[str]]:
    return [[line.text for line in each.lines] for each in sections(text)]


def titles(text: str) -> list[tuple[str, ...]]:
    return [each.path for each in sections(text)]


def compared(text: str) -> list[str]:
    (found,) = sections(text)
    return [each.compared for each in found.lines]


def test_each_heading_begins_a_section_inside_the_one_above() -> None:
    text = "Hello\n\n# News\nOne\n\n## Local\nTwo\n\n## Far\n\n# Weather\nSun\n"
    assert titles(text) == [
        (),
        ("News",),
        ("News", "Local"),
        ("News", "Far"),
        ("Weather",),
    ]
    assert shown(text) == [
        ["Hello"],
        ["# News", "One"],
        ["## Local", "Two"],
        ["## Far"],
        ["# Weather", "Sun"],
    ]


def test_a_text_without_headings_is_one_section_and_an_empty_one_is_none() -> None:
    assert titles("Just this.") == [()]
    assert titles("") == titles(" \n\n") == []


def test_a_sharp_in_code_a_quotation_or_a_list_is_no_heading() -> None:
    assert titles("```\n# no\n```\n\n> # no\n\n- # no\n\nYes\n===\n") == [(), ("Yes",)]


def test_a_heading_is_shown_without_marks() -> None:
    assert titles("# **Bold** `code` [link](https://a.example) snake_case _it_") == [
        ("Bold code link snake_case it",)
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("# Monday, 23 November 2026", "# Tuesday, 24 November 2026"),
        ("# Report 2026-11-23", "# Report 2026-11-24"),
        ("# Nov 3rd at 09:00", "# Dec 4th at 10:30"),
        ("# Status 1.12.2026", "# Status 2.12.2026"),
        ("# Status", "# Status 2026-12-02"),
    ],
)
def test_a_heading_that_differs_by_its_date_is_the_same(one: str, other: str) -> None:
    assert compared(one) == compared(other)
    assert sections(one)[0].key == sections(other)[0].key


@pytest.mark.parametrize(
    ("one", "other"), [("# 3 decisions", "# 4 decisions"), ("# 2 markets", "# 5 markets")]
)
def test_a_count_in_a_heading_finds_the_same_section_and_is_a_change(one: str, other: str) -> None:
    assert sections(one)[0].key == sections(other)[0].key
    assert compared(one) != compared(other)


def test_sections_of_one_name_are_told_apart_by_their_order() -> None:
    keys = [each.key for each in sections("# A\n## B\n# A\n## B\n## B\n")]
    assert len(set(keys)) == len(keys) == 5


def test_layout_and_the_numbers_of_links_are_not_compared() -> None:
    one = "See [this][1]   and that.\n\n[1]: https://a.example\n"
    other = "See [this][7] and that.  \n\n\n[7]: https://a.example\n"
    assert compared(one) == compared(other) == ["See [this] and that."]


def test_a_list_is_shown_as_deep_as_it_was_written() -> None:
    assert shown("- outer\n  - inner  \n") == [["- outer", "  - inner"]]


def test_all_kinds_of_line_ends_are_read() -> None:
    assert shown("# A\r\nx\ry\n# B\r\nz") == [["# A", "x", "y"], ["# B", "z"]]


@pytest.mark.parametrize("part", ["[", "[](", "[a][", "_", "*", "#\n", "> ", "1 ", "][", "`"])
def test_no_text_takes_long_to_read(part: str) -> None:
    text = f"# a{part * (20_000 // len(part))}b"
    start = time.process_time()
    sections(text)
    assert time.process_time() - start < 5


@given(st.text("# ab[]\n`>-_1", max_size=60))
def test_every_section_has_its_own_key_and_lines(text: str) -> None:
    found: list[Section] = sections(text)
    assert len({each.key for each in found}) == len(found)
    assert all(len(each.key) == len(each.path) and each.lines for each in found)
