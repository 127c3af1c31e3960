"""Who may say that a server that was killed is gone: whoever has its place now."""

import socket
from pathlib import Path

import pytest

from nod.store.place import Place


def test_whoever_is_next_knows_who_was_there_before(tmp_path: Path) -> None:
    first = Place(tmp_path, "node_1")
    assert first.former is None
    first.leave()
    first.leave()
    second = Place(tmp_path, "node_2")
    assert second.former == "node_1"
    second.leave()


def test_a_place_that_is_taken_stays_with_whoever_has_it(tmp_path: Path) -> None:
    first = Place(tmp_path, "node_1")
    second = Place(tmp_path, "node_2")
    assert second.former is None
    second.leave()
    first.leave()
    assert Place(tmp_path, "node_3").former == "node_1"


def test_a_directory_that_was_copied_to_another_machine_is_another_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Place(tmp_path, "node_1").leave()
    monkeypatch.setattr(socket, "gethostname", lambda: "elsewhere")
    assert Place(tmp_path, "node_2").former is None


@pytest.mark.parametrize("text", ["", "one two three", "\xff"])
def test_a_note_that_says_nothing_is_written_anew(tmp_path: Path, text: str) -> None:
    (tmp_path / "node").write_bytes(text.encode("latin-1"))
    Place(tmp_path, "node_1").leave()
    assert Place(tmp_path, "node_2").former == "node_1"


def test_a_directory_that_is_not_there_is_no_place(tmp_path: Path) -> None:
    place = Place(tmp_path / "missing", "node_1")
    assert place.former is None
    place.leave()
