"""Styles, scripts and pictures of the app, served by Nod itself.

The address of each carries a digest of them all, so a browser keeps what it has for good and asks
anew after an upgrade. The style sheets go out as one, in the order of their names' list.
"""

import gzip
import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from litestar import Request, Response, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

_HERE = Path(__file__).with_name("static")
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}
_SHEETS = "app.css"
_FOR_GOOD = "public, max-age=31536000, immutable"


class Asset(NamedTuple):
    """One file as it goes out."""

    media_type: str
    plain: bytes
    zipped: bytes


@lru_cache(maxsize=1)
def _assets() -> dict[str, Asset]:
    files = {
        path.relative_to(_HERE).as_posix(): path.read_bytes()
        for path in sorted(_HERE.rglob("*"))
        if path.suffix in _TYPES
    }
    sheets = [files.pop(name) for name in list(files) if name.startswith("css/")]
    files[_SHEETS] = b"\n".join(sheets)
    return {
        name: Asset(_TYPES[Path(name).suffix], data, gzip.compress(data, 9, mtime=0))
        for name, data in files.items()
    }


@lru_cache(maxsize=1)
def version() -> str:
    """A digest of all assets."""
    digest = hashlib.sha256()
    for name, asset in sorted(_assets().items()):
        digest.update(name.encode() + b"\0" + asset.plain)
    return digest.hexdigest()[:12]


def address(name: str) -> str:
    """Where a page finds the asset `name`."""
    return f"/static/{version()}/{name}"


def names() -> list[str]:
    """All assets, for the service worker."""
    return sorted(_assets())


@get("/static/{digest:str}/{name:path}", sync_to_thread=False, include_in_schema=False)
def asset(
    request: Request[Any, Any, Any], digest: FromPath[str], name: FromPath[str]
) -> Response[bytes]:
    """One asset. An address of a former version gives the present one, and is not kept."""
    found = _assets().get(name.lstrip("/"))
    if found is None:
        raise NotFoundException
    headers = {
        "Content-Type": found.media_type,
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": _FOR_GOOD if digest == version() else "no-cache",
        "Vary": "Accept-Encoding",
    }
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(found.zipped, headers={**headers, "Content-Encoding": "gzip"})
    return Response(found.plain, headers=headers)
