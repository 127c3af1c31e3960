"""What commands print."""

from datetime import UTC, datetime

import pytest

from nod.cli.output import distance, moment, show_fields, show_table, show_text

NOW = datetime(2025, 9, 1, 6, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "now"),
        (59, "in 59 s"),
        (61, "in 1 min 1 s"),
        (2 * 3600 + 51 * 60 + 7, "in 2 h 51 min"),
        (86_400, "in 1 d"),
        (86_400 + 60, "in 1 d"),
        (-3 * 86_400 - 3600, "3 d 1 h ago"),
    ],
)
def test_distances_are_in_the_two_largest_units(seconds: int, words: str) -> None:
    assert distance(seconds) == words


def test_a_time_is_shown_from_now_and_in_utc() -> None:
    assert moment("2025-09-01T09:00:00Z", NOW) == "in 2 h 51 min (2025-09-01 09:00 UTC)"
    assert moment("2025-09-01T11:00:00+02:00", NOW) == "in 2 h 51 min (2025-09-01 09:00 UTC)"
    assert moment(None) == "-"


def test_columns_are_aligned_and_each_row_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    show_table(("ID", "TEXT", "END"), [["1", "two\nlines", "x"], ["22", "", "y"]], "nothing")
    assert capsys.readouterr().out == "ID  TEXT       END\n1   two lines  x\n22  -          y\n"


def test_an_empty_list_says_so_beside_the_output(capsys: pytest.CaptureFixture[str]) -> None:
    show_table(("ID",), [], "nothing yet")
    assert capsys.readouterr() == ("", "nothing yet\n")


def test_fields_with_several_lines_stand_below_their_name(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show_fields([("id", "1"), ("status", "failed"), ("prompt", "a\nb")])
    assert capsys.readouterr().out == "id:      1\nstatus:  failed\nprompt:\n\na\nb\n\n"


def test_control_characters_are_not_passed_on(capsys: pytest.CaptureFixture[str]) -> None:
    show_text("a\x1b[31m\x9b\tb\n\x00")
    assert capsys.readouterr().out == "a\ufffd[31m\ufffd\tb\n\ufffd\n"
