"""What changed between two results is told by section, and small whatever the texts are."""

import time
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from nod.domain.changes import Changes, compare
from nod.domain.limits import Limits
from nod.domain.sections import sections

OLD = "# Daily, Monday\n\nAll well.\n\n## Merged\n- one\n- two\n\n## Attention\n- a\n"
TEXTS = st.lists(
    st.sampled_from(["# A", "# B", "## A", "## C", "one", "two", "", "[x][1]", "three"]),
    max_size=14,
).map("\n".join)


def changes(older: str, newer: str, **limits: int) -> Changes:
    return compare(older, newer, replace(Limits(), **limits))


def told(older: str, newer: str) -> list[tuple[str, str]]:
    return [(each.kind, each.title) for each in changes(older, newer).sections]


def lines(found: Changes, number: int = 0) -> list[tuple[str, str]]:
    return [(each.kind, each.text) for each in found.sections[number].lines or ()]


def test_a_changed_section_shows_its_lines_in_order() -> None:
    found = changes(OLD, OLD.replace("- one", "- new"))
    assert [(each.kind, each.path) for each in found.sections] == [
        ("changed", ("Daily, Monday", "Merged"))
    ]
    assert lines(found) == [
        ("same", "## Merged"),
        ("removed", "- one"),
        ("added", "- new"),
        ("same", "- two"),
    ]


def test_another_day_and_another_order_are_no_change() -> None:
    assert told(OLD, OLD.replace("Monday", "Tuesday")) == []
    assert told("# A\nx\n# B\ny", "# B\ny\n# A\nx") == []


def test_a_new_section_is_told_once_with_all_that_is_inside() -> None:
    newer = OLD + "\n# More\nm\n## Inner\ni\n# Last\n"
    found = changes(OLD, newer)
    assert [each.title for each in found.sections] == ["More", "Last"]
    assert lines(found) == [
        ("added", "# More"),
        ("added", "m"),
        ("added", "## Inner"),
        ("added", "i"),
    ]
    assert told(newer, OLD) == [("removed", "More"), ("removed", "Last")]


def test_the_part_before_the_first_heading_comes_and_goes_by_itself() -> None:
    assert told("# A", "Hello\n# A\n# B") == [("added", "Opening"), ("added", "B")]
    assert told("Hello\n# A", "# A") == [("removed", "Opening")]


def test_the_summary_names_three_sections_and_counts_the_rest() -> None:
    assert changes(OLD, OLD).summary("Friday") == "No changes since Friday"
    one = changes(OLD, OLD + "## New\n")
    assert one.summary("Friday") == "1 change since Friday: “New” added"
    three = changes("", "# A\n# B\n# C\n")
    assert three.summary("Friday") == ("3 changes since Friday: “A” added, “B” added, “C” added")
    many = changes("", "# A\n# B\n# C\n# D\n# E\n")
    assert many.summary("09:00") == (
        "5 changes since 09:00: “A” added, “B” added, “C” added, 2 more"
    )


def test_the_summary_of_a_text_without_headings_counts_its_lines() -> None:
    assert changes("a\nb", "a\nc\nd").summary("Friday") == "2 lines added, 1 removed since Friday"
    assert changes("a\nb", "a").summary("Friday") == "1 line removed since Friday"
    unread = changes("a\nb", "a\nc", diff_lines=3)
    assert unread.summary("Friday") == "Changed since Friday"


def test_a_result_over_the_limit_is_not_compared() -> None:
    fits, over = "a" * 20, "a" * 21
    assert not changes("b", fits, diff_chars=20).too_large
    found = changes("b", over, diff_chars=20)
    assert (found.too_large, found.sections) == (True, ())
    assert found.summary("Friday") == "Too large to compare with the result of Friday"
    assert not changes(over, over, diff_chars=20).too_large


def test_sections_over_the_limit_are_told_without_lines() -> None:
    older, newer = "# A\n1\n# B\n1", "# A\n2\n# B\n2"
    exact = changes(older, newer, diff_lines=8)
    assert [each.lines is None for each in exact.sections] == [False, False]
    short = changes(older, newer, diff_lines=7)
    assert [each.lines is None for each in short.sections] == [False, True]


def test_many_sections_are_compared_in_a_moment() -> None:
    many = "".join(f"# {chr(97 + i % 26)}{chr(97 + i // 26 % 26)}x\n" for i in range(10_000))
    start = time.process_time()
    assert len(compare("", many, Limits()).sections) == 10_000
    assert time.process_time() - start < 20


@given(TEXTS)
def test_equal_texts_have_no_changes(text: str) -> None:
    assert changes(text, text) == Changes(())


@given(TEXTS, TEXTS)
def test_swapping_the_sides_swaps_added_and_removed(older: str, newer: str) -> None:
    swap = {"added": "removed", "removed": "added", "changed": "changed"}
    there = sorted((each.kind, each.path) for each in changes(older, newer).sections)
    back = sorted((swap[each.kind], each.path) for each in changes(newer, older).sections)
    assert there == back


@given(TEXTS, TEXTS)
def test_the_lines_of_a_change_hold_both_sides(older: str, newer: str) -> None:
    def shown(text: str) -> set[tuple[str, ...]]:
        return {tuple(line.text for line in each.lines) for each in sections(text)}

    for each in changes(older, newer).sections:
        if each.kind == "changed":
            found = each.lines or ()
            assert tuple(x.text for x in found if x.kind != "removed") in shown(newer)
            assert len([x for x in found if x.kind != "added"]) in map(len, shown(older))
        else:
            assert {x.kind for x in each.lines or ()} == {each.kind}
