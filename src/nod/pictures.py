"""Pictures from people, made anew: what goes on is pixels that Pillow drew, and nothing else.

A file from a phone tells where it was taken, and one made for the purpose may be a small program or
a few bytes that unfold to gigabytes. So each is looked at before it is decoded (which of the four
formats, how many pixels), decoded in a thread, one at a time, scaled down, and written again as
PNG or JPEG. Of an animation that is its first frame.
"""

import asyncio
import io
from dataclasses import dataclass

from PIL import Image, ImageOps

from nod.domain.errors import InvalidInput, TooLarge
from nod.domain.limits import MIB, Limits

# Pillow's own guard only warns at first; ours stands before the first pixel is decoded.
Image.MAX_IMAGE_PIXELS = None

_FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
_PHOTOS = ("JPEG", "MPO", "WEBP")  # MPO: a JPEG with a second picture behind it
_NO_PICTURE = "that is not a picture which Nod can read; send a PNG, JPEG, WebP or GIF"
_QUALITY = 86


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that was made anew, with its size in pixels."""

    media_type: str
    data: bytes
    width: int
    height: int


class Pictures:
    """Makes pictures anew, outside of the event loop. One at a time: each takes memory."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._turn = asyncio.Semaphore(1)

    async def clean(self, data: bytes) -> Picture:
        """The picture. Raises InvalidInput for what is none, TooLarge."""
        async with self._turn:
            return await asyncio.to_thread(clean, data, self._limits)


def clean(data: bytes, limits: Limits) -> Picture:
    """The picture, decoded and written again. Raises InvalidInput for what is none, TooLarge."""
    if len(data) > limits.upload_bytes:
        raise TooLarge(f"a picture may have at most {_mib(limits.upload_bytes)}; send less")
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as opened:
            return _made_anew(opened, limits)
    except (InvalidInput, TooLarge):
        raise
    except Exception as error:  # decoders raise whatever the broken bytes lead them to
        raise InvalidInput(_NO_PICTURE) from error


def _made_anew(opened: Image.Image, limits: Limits) -> Picture:
    width, height = opened.size
    if width * height > limits.upload_pixels:
        raise TooLarge(
            f"a picture may have at most {limits.upload_pixels:,} pixels;"
            f" this one has {width * height:,}"
        )
    is_photo = opened.format in _PHOTOS
    side = limits.picture_side_px
    opened.draft("RGB", (side, side))  # a JPEG is then decoded no larger than is needed
    small = _small(opened, side)
    # How the camera was held is the one thing that metadata say and the pixels need.
    ImageOps.exif_transpose(small, in_place=True)
    drawn = _in_colours(small)
    drawn.thumbnail((side, side))
    # A new canvas: nothing that came with the file goes along.
    plain = Image.new(drawn.mode, drawn.size)
    plain.paste(drawn)
    kind, made = _encoded(plain, limits, is_photo=is_photo)
    return Picture(kind, made, *plain.size)


def _small(opened: Image.Image, side: int) -> Image.Image:
    """The picture decoded, and at once made small: a large one takes 4 bytes a pixel."""
    is_plain = opened.mode in ("RGB", "RGBA", "L", "LA", "CMYK")
    whole = opened if is_plain else _in_colours(opened)
    factor = max(whole.size) // side
    return whole.reduce(factor) if factor > 1 else whole


def _in_colours(image: Image.Image) -> Image.Image:
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _encoded(plain: Image.Image, limits: Limits, *, is_photo: bool) -> tuple[str, bytes]:
    """As PNG where that keeps what is drawn or clear, as JPEG for photos and what is too large."""
    if plain.mode == "RGBA" or not is_photo:
        made = _saved(plain, "PNG")
        if len(made) <= limits.image_bytes:
            return "image/png", made
    ground = Image.new("RGB", plain.size, "white")
    ground.paste(plain, mask=plain.getchannel("A") if plain.mode == "RGBA" else None)
    made = _saved(ground, "JPEG", quality=_QUALITY, optimize=True)
    if len(made) > limits.image_bytes:
        raise TooLarge(f"a picture may take at most {_mib(limits.image_bytes)}; send a smaller one")
    return "image/jpeg", made


def _saved(image: Image.Image, kind: str, **options: int | bool) -> bytes:
    held = io.BytesIO()
    image.save(held, kind, **options)
    return held.getvalue()


def _mib(size_bytes: int) -> str:
    return f"{size_bytes / MIB:g} MiB"
