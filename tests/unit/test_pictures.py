"""What a person uploads is drawn anew: pixels go on, and nothing else."""

import io
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from nod.domain.errors import InvalidInput, TooLarge
from nod.domain.limits import Limits
from nod.pictures import Pictures, clean

PLACE = "48.8584 N, 2.2945 E"


def encoded(
    kind: str, size: tuple[int, int] = (40, 20), mode: str = "RGB", **options: object
) -> bytes:
    held = io.BytesIO()
    Image.new(mode, size, "navy").save(held, kind, **options)
    return held.getvalue()


def seen(data: bytes) -> Image.Image:
    opened = Image.open(io.BytesIO(data))
    opened.load()
    return opened


@pytest.mark.parametrize(
    ("kind", "media_type"),
    [("PNG", "image/png"), ("JPEG", "image/jpeg"), ("WEBP", "image/jpeg"), ("GIF", "image/png")],
)
def test_the_four_formats_are_drawn_anew_with_their_size(kind: str, media_type: str) -> None:
    made = clean(encoded(kind), Limits())
    assert (made.media_type, made.width, made.height) == (media_type, 40, 20)
    assert seen(made.data).size == (40, 20)
    red, green, blue = seen(made.data).convert("RGB").getpixel((20, 10))  # type: ignore[misc]
    assert max(red, green) < 10 < 110 < blue < 145


def test_where_a_photo_was_taken_does_not_go_along_and_it_stands_upright() -> None:
    exif = Image.Exif()
    exif[0x010E] = PLACE  # ImageDescription
    exif[0x0112] = 6  # Orientation: turned by a quarter
    photo = encoded("JPEG", exif=exif.tobytes(), comment=PLACE.encode())
    assert PLACE.encode() in photo
    made = clean(photo, Limits())
    assert (made.width, made.height) == (20, 40)
    assert PLACE.encode() not in made.data
    assert not seen(made.data).getexif()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_large_photo_stands_upright_too(kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    made = clean(encoded(kind, (400, 200), exif=exif.tobytes()), Limits(picture_side_px=50))
    assert (made.width, made.height) == (25, 50)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "I;16", "RGB", "RGBA"])
def test_every_way_to_write_colours_is_read_large_and_small(mode: str) -> None:
    held = io.BytesIO()
    Image.new(mode, (90, 30)).save(held, "PNG")
    for side in (20, 90):
        made = clean(held.getvalue(), Limits(picture_side_px=side))
        assert made.width == side
        assert seen(made.data).mode == ("RGBA" if mode in ("LA", "RGBA") else "RGB")


def test_texts_in_a_png_and_bytes_behind_it_do_not_go_along() -> None:
    told = PngImagePlugin.PngInfo()
    told.add_text("Comment", PLACE)
    made = clean(encoded("PNG", pnginfo=told) + b"<script>alert(1)</script>", Limits())
    assert PLACE.encode() not in made.data
    assert b"script" not in made.data


def test_what_is_clear_stays_clear() -> None:
    held = io.BytesIO()
    Image.new("RGBA", (4, 4), (0, 0, 0, 0)).save(held, "WEBP", lossless=True)
    made = clean(held.getvalue(), Limits())
    assert made.media_type == "image/png"
    assert seen(made.data).getpixel((0, 0)) == (0, 0, 0, 0)


def test_of_an_animation_the_first_frame_goes_on() -> None:
    frames = [Image.new("RGB", (8, 8), each) for each in ("red", "green", "blue")]
    held = io.BytesIO()
    frames[0].save(held, "GIF", save_all=True, append_images=frames[1:])
    made = clean(held.getvalue(), Limits())
    assert seen(made.data).convert("RGB").getpixel((0, 0)) == (255, 0, 0)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"\x89PNG\r\n\x1a\npixels",
        b"GIF89a" + bytes(20),
        encoded("PNG")[:60],
        encoded("JPEG")[:200],
        encoded("WEBP")[:40],
        encoded("BMP"),
        encoded("TIFF"),
        encoded("ICO"),
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    ],
)
def test_what_is_none_of_them_or_broken_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidInput, match="send a PNG, JPEG, WebP or GIF"):
        clean(data, Limits())


@given(st.sampled_from(["PNG", "JPEG", "WEBP", "GIF"]), st.data())
def test_broken_bytes_are_a_picture_or_refused_in_words(kind: str, data: st.DataObject) -> None:
    whole = bytearray(encoded(kind, (30, 20)))
    for _ in range(data.draw(st.integers(1, 6))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        made = clean(bytes(whole), Limits(upload_pixels=1_000_000))
    except (InvalidInput, TooLarge):
        return
    assert seen(made.data).size == (made.width, made.height)


def test_a_picture_of_upload_pixels_is_taken_and_one_pixel_more_is_not() -> None:
    limits = Limits(upload_pixels=800)
    assert clean(encoded("PNG", (40, 20)), limits).width == 40
    with pytest.raises(TooLarge, match="at most 800 pixels; this one has 840"):
        clean(encoded("PNG", (40, 21)), limits)


def test_a_few_bytes_that_unfold_to_gigabytes_are_refused_before_they_do() -> None:
    side = 60_000
    head = side.to_bytes(4, "big") * 2 + bytes([8, 2, 0, 0, 0])
    bomb = b"\x89PNG\r\n\x1a\n" + b"".join(
        len(body).to_bytes(4, "big") + name + body + zlib.crc32(name + body).to_bytes(4, "big")
        for name, body in [(b"IHDR", head), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b"")]
    )
    with pytest.raises(TooLarge, match="3,600,000,000"):
        clean(bomb, Limits())


def test_an_upload_of_upload_bytes_is_taken_and_one_byte_more_is_not() -> None:
    data = encoded("PNG")
    assert clean(data, Limits(upload_bytes=len(data))).width == 40
    with pytest.raises(TooLarge, match="a picture may have at most"):
        clean(data, Limits(upload_bytes=len(data) - 1))


@pytest.mark.parametrize(("size", "becomes"), [((64, 32), (64, 32)), ((66, 33), (64, 32))])
def test_a_picture_is_scaled_down_to_picture_side_px(
    size: tuple[int, int], becomes: tuple[int, int]
) -> None:
    made = clean(encoded("JPEG", size), Limits(picture_side_px=64))
    assert (made.width, made.height) == becomes


def test_a_drawing_too_large_as_png_goes_as_jpeg_and_one_too_large_as_that_is_refused() -> None:
    noise = Image.effect_noise((200, 200), 90).convert("RGB")
    noise.putalpha(128)
    held = io.BytesIO()
    noise.save(held, "PNG")
    whole = clean(held.getvalue(), Limits())
    assert whole.media_type == "image/png"
    made = clean(held.getvalue(), Limits(image_bytes=len(whole.data) - 1))
    assert made.media_type == "image/jpeg"
    with pytest.raises(TooLarge, match="may take at most"):
        clean(held.getvalue(), Limits(image_bytes=len(made.data) - 1))


async def test_a_picture_is_made_outside_of_the_event_loop() -> None:
    made = await Pictures(Limits()).clean(encoded("PNG"))
    assert made.media_type == "image/png"
