"""The size of a picture is read from its head, as Pillow reads it, whatever comes after."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from nod.domain.picture_size import picture_size


def encoded(kind: str, size: tuple[int, int], mode: str = "RGB", **options: object) -> bytes:
    held = io.BytesIO()
    Image.new(mode, size).save(held, kind, **options)
    return held.getvalue()


@pytest.mark.parametrize("size", [(1, 1), (3, 500), (640, 480)])
@pytest.mark.parametrize(
    ("kind", "mode", "options"),
    [
        ("PNG", "RGB", {}),
        ("GIF", "P", {}),
        ("GIF", "P", {"comment": b"89a"}),
        ("JPEG", "RGB", {}),
        ("JPEG", "L", {"progressive": True, "comment": b"x" * 70, "exif": b"Exif\0\0" + bytes(90)}),
        ("WEBP", "RGB", {}),
        ("WEBP", "RGB", {"lossless": True}),
        ("WEBP", "RGBA", {"exif": b"Exif\0\0" + bytes(9)}),
    ],
)
def test_the_size_is_what_pillow_reads(
    kind: str, mode: str, options: dict[str, object], size: tuple[int, int]
) -> None:
    assert picture_size(encoded(kind, size, mode, **options)) == size


def png(width: int, chunk: bytes = b"IHDR") -> bytes:
    return b"\x89PNG\r\n\x1a\n" + bytes(4) + chunk + width.to_bytes(4, "big") + b"\0\0\0\5"


def test_a_size_that_no_screen_shows_is_none() -> None:
    assert picture_size(png(100_000)) == (100_000, 5)
    assert picture_size(png(100_001)) is None
    assert picture_size(png(2**24 + 5)) is None


@pytest.mark.parametrize(
    "between",
    [b"\xff", b"\xff\xff", b"\xff\xfe\0\2", b"\xff\xfe\2\xbc" + b"x" * 698],
    ids=["a fill byte", "two fill bytes", "an empty comment", "a long comment"],
)
def test_what_stands_before_the_frame_is_passed_over(between: bytes) -> None:
    photo = encoded("JPEG", (8, 9))
    assert picture_size(photo[:2] + between + photo[2:]) == (8, 9)


def test_the_size_of_a_photo_is_known_as_soon_as_its_bytes_are_there() -> None:
    photo = encoded("JPEG", (8, 9))
    there = photo.index(b"\xff\xc0") + 9  # marker, length, depth, height and width
    assert picture_size(photo[:there]) == (8, 9)
    assert picture_size(photo[: there - 1]) is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x89PNG\r\n\x1a\npixels",
        png(0),
        png(5, b"CgBI"),
        b"GIF89a",
        b"RIFF....WEBPVP9 " + bytes(20),
        b"RIFF....WEBPVP8 ",
        b"RIFF....WAVEVP8X" + bytes(20),
        b"\xff\xd8\xff",
        b"\xff\xd8\xff\xe0\0\0" + bytes(20),
        b"\xff\xd8" + b"\xff" * 50,
        b"\xff\xd8" + b"\xff" * 5_000,
        encoded("BMP", (2, 2)),
    ],
)
def test_what_does_not_say_has_no_size(data: bytes) -> None:
    assert picture_size(data) is None


@given(st.sampled_from(["PNG", "GIF", "JPEG", "WEBP"]), st.data())
def test_broken_bytes_are_read_without_an_error(kind: str, data: st.DataObject) -> None:
    whole = encoded(kind, (5, 7))
    cut = data.draw(st.integers(0, len(whole)))
    found = picture_size(whole[:cut] + data.draw(st.binary(max_size=40)))
    assert found is None or min(found) > 0
