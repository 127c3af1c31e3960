"""How large a picture is, read from its first bytes without decoding it. Pure.

So a page can keep its room before it is there. PNG: W3C, "IHDR"; GIF: GIF89a, "Logical Screen
Descriptor"; WebP: RFC 9649; JPEG: ITU T.81, "Frame header".
"""

# The markers that begin a frame; C4, C8 and CC are other things.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# A photo has some dozens before its frame.
_SEGMENTS = 1_000
# A size beyond what any screen shows is no help to a page.
_MOST = 100_000


def picture_size(data: bytes) -> tuple[int, int] | None:
    """Width and height in pixels; None where the bytes do not say."""
    found = None
    if data.startswith(b"\x89PNG\r\n\x1a\n") and data[12:16] == b"IHDR":
        found = (_big(data[16:20]), _big(data[20:24]))
    elif data.startswith((b"GIF87a", b"GIF89a")):
        found = (_little(data[6:8]), _little(data[8:10]))
    elif data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        found = _webp(data)
    elif data.startswith(b"\xff\xd8"):
        found = _jpeg(data)
    return found if found is not None and min(found) > 0 and max(found) <= _MOST else None


def _webp(data: bytes) -> tuple[int, int] | None:
    match data[12:16]:
        case b"VP8X":
            return _little(data[24:27]) + 1, _little(data[27:30]) + 1
        case b"VP8L":
            bits = _little(data[21:25])
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8 ":
            return _little(data[26:28]) & 0x3FFF, _little(data[28:30]) & 0x3FFF
    return None


def _jpeg(data: bytes) -> tuple[int, int] | None:
    """From segment to segment, each of which tells its length, to the frame's."""
    at = 2
    for _ in range(_SEGMENTS):
        if data[at : at + 1] != b"\xff" or at + 9 > len(data):
            break
        if data[at + 1] in _FRAMES:
            return _big(data[at + 7 : at + 9]), _big(data[at + 5 : at + 7])
        # A marker may be preceded by any number of fill bytes.
        at += 1 if data[at + 1] == 0xFF else 2 + max(2, _big(data[at + 2 : at + 4]))
    return None


def _big(data: bytes) -> int:
    return int.from_bytes(data, "big")


def _little(data: bytes) -> int:
    return int.from_bytes(data, "little")
