"""What is kept of a command's output, and that nothing is left out in silence."""

import re

from hypothesis import given
from hypothesis import strategies as st

from nod.worker.capture import Capture, gap, shorten


@given(st.lists(st.binary(max_size=40)), st.integers(0, 30), st.integers(0, 30))
def test_the_beginning_and_the_end_are_kept_and_the_gap_is_counted(
    chunks: list[bytes], head_bytes: int, tail_bytes: int
) -> None:
    capture = Capture(head_bytes, tail_bytes)
    for chunk in chunks:
        capture.add(chunk)
    whole = b"".join(chunks)
    missing = len(whole) - head_bytes - tail_bytes
    expected = _text(whole)
    if missing > 0:
        end = whole[len(whole) - tail_bytes :]
        expected = _text(whole[:head_bytes]) + gap(missing) + _text(end)
    assert capture.text() == expected


def _text(data: bytes) -> str:
    return data.decode(errors="replace").replace("\x00", "\ufffd")


def test_memory_stays_bounded_whatever_is_printed() -> None:
    capture = Capture(1_000, 1_000)
    for _ in range(1_000):
        capture.add(b"x" * 10_000)
    assert len(capture.text()) < 2_200
    assert "9998000 bytes left out" in capture.text()


@given(st.text(max_size=2_000), st.integers(200, 3_000))
def test_a_shortened_text_fits_and_says_what_is_missing(text: str, limit_bytes: int) -> None:
    short = shorten(text, limit_bytes)
    assert len(short.encode()) <= limit_bytes
    if short != text:
        head, count, tail = re.split(r"\n\n\[… (\d+) bytes left out here[^\]]*\]\n\n", short)
        assert text.startswith(head)
        assert text.endswith(tail)
        # A character cut in two at either side is missing too; it is at most 3 bytes more.
        assert 0 <= len(text.encode()) - len((head + tail).encode()) - int(count) <= 6
