"""What makes the app installable: its manifest, its service worker, the page when offline."""

from functools import lru_cache
from pathlib import Path

import msgspec
from litestar import MediaType, Response, get

from nod.web import assets
from nod.web.view import SECURE_HEADERS, render

_WORKER = Path(__file__).with_name("sw.js")


def _manifest() -> dict[str, object]:
    def picture(name: str, size: int, purpose: str) -> dict[str, str]:
        return {
            "src": assets.address(name),
            "sizes": f"{size}x{size}",
            "type": "image/png",
            "purpose": purpose,
        }

    return {
        "id": "/",
        "name": "Nod",
        "short_name": "Nod",
        "description": "Alarms for AI agents, and a way for them to reach their people.",
        "start_url": "/",
        "scope": "/",
        "display": "standalone",
        "background_color": "#faf9f7",
        "theme_color": "#3b5bdb",
        "icons": [
            picture("icon-192.png", 192, "any"),
            picture("icon-512.png", 512, "any"),
            picture("icon-maskable-512.png", 512, "maskable"),
        ],
        "shortcuts": [
            {"name": "Requests", "url": "/requests"},
            {"name": "New task", "url": "/tasks/new"},
        ],
    }


@get("/manifest.webmanifest", sync_to_thread=False, include_in_schema=False)
def manifest() -> Response[bytes]:
    """The web app manifest."""
    return Response(
        msgspec.json.encode(_manifest()),
        headers={**SECURE_HEADERS, "Content-Type": "application/manifest+json"},
    )


@lru_cache(maxsize=1)
def _worker() -> bytes:
    kept = ["/offline", *(assets.address(name) for name in assets.names())]
    head = f"const VERSION = {assets.version()!r};\nconst KEPT = {kept!r};\n"
    return (head + _WORKER.read_text(encoding="utf-8")).encode()


@get("/sw.js", sync_to_thread=False, include_in_schema=False)
def worker() -> Response[bytes]:
    """The service worker, for the whole app."""
    headers = {
        "Content-Type": "text/javascript; charset=utf-8",
        "Cache-Control": "no-cache",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(_worker(), headers=headers)


@get("/offline", sync_to_thread=False, include_in_schema=False)
def offline() -> Response[str]:
    """What is shown for a page that was never seen before the connection went."""
    return Response(
        render("offline.html", now=0, path="/offline"),
        media_type=MediaType.HTML,
        headers=SECURE_HEADERS,
    )


routes = [manifest, worker, offline]
