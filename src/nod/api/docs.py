"""The API's documentation under `/api/docs`, served whole by this server: no page of it loads
anything from elsewhere.
"""

from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
from litestar import MediaType, Request, Response, Router, get
from litestar.di import NamedDependency
from litestar.exceptions import NotFoundException
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin, OpenAPIRenderPlugin
from litestar.params import FromPath
from litestar.status_codes import HTTP_404_NOT_FOUND

from nod.api import asyncapi, events_page, openapi
from nod.app import Nod

PATH = "/api/docs"

_STATIC = Path(__file__).with_name("static")
_TYPES = {
    "rapidoc-min.js": "text/javascript; charset=utf-8",
    "docs.js": "text/javascript; charset=utf-8",
    "docs.css": "text/css; charset=utf-8",
}
_STRICT = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# The viewer writes style attributes; they are all it needs beyond the strict policy.
_VIEWER = _STRICT.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")

_PAGE = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Nod API</title>
<link rel="stylesheet" href="{PATH}/static/docs.css">
<script src="{PATH}/static/docs.js" defer></script>
<script src="{PATH}/static/rapidoc-min.js" type="module"></script>
</head>
<body class="viewer">
<rapi-doc spec-url="{PATH}/openapi.json" load-fonts="false" render-style="read" sort-tags="false"
 show-header="false" allow-authentication="true" allow-server-selection="false"
 allow-spec-file-load="false" allow-spec-url-load="false" allow-search="true" allow-try="true"
 schema-style="table" use-path-in-nav-bar="false" show-method-in-nav-bar="as-colored-text">
<div slot="nav-logo" class="slot"><b>Nod API</b><a href="{PATH}/events">Frames and webhooks</a>
<a href="{PATH}/openapi.json">openapi.json</a></div>
</rapi-doc>
<noscript>The description for programs is <a href="{PATH}/openapi.json">openapi.json</a>.</noscript>
</body>
</html>
"""


class _Page(OpenAPIRenderPlugin):
    """The viewer, at `/api/docs` itself."""

    def __init__(self) -> None:
        super().__init__(path="/", media_type=MediaType.HTML)

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:  # noqa: ARG002 - the framework's signature
        return _PAGE.encode()


class _Document(JsonRenderPlugin):
    """`openapi.json`, with what the framework cannot know."""

    def __init__(self) -> None:
        super().__init__(media_type=MediaType.JSON)
        self._bytes: bytes | None = None

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        if self._bytes is None:
            self._bytes = self.render_json(request, openapi.complete(openapi_schema))
        return self._bytes


def openapi_config() -> OpenAPIConfig:
    """For `Litestar(openapi_config=…)`: the documents and pages, mounted at `/api/docs`."""
    router = Router(
        PATH,
        route_handlers=[events, asyncapi_document, static],
        include_in_schema=False,
        after_request=_as_problem,
        response_headers={
            "Content-Security-Policy": _VIEWER,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
        },
    )
    return openapi.make_config(openapi_router=router, render_plugins=[_Document(), _Page()])


def _as_problem(response: Response[Any]) -> Response[Any]:
    """The framework's own page for an unknown address gives way to the API's one form of error."""
    if response.status_code == HTTP_404_NOT_FOUND:
        raise NotFoundException
    return response


@get(
    "/events",
    media_type=MediaType.HTML,
    response_headers={"Content-Security-Policy": _STRICT},
    sync_to_thread=False,
)
def events() -> bytes:
    """Frames and webhooks for people."""
    return events_page.page()


@get("/asyncapi.json", sync_to_thread=False)
def asyncapi_document(nod: NamedDependency[Nod]) -> Response[bytes]:
    """Frames and webhooks for programs, AsyncAPI 3.0."""
    document = msgspec.json.encode(asyncapi.document(nod.settings.public_url))
    return Response(document, media_type=MediaType.JSON)


@get("/static/{name:str}", sync_to_thread=False)
def static(name: FromPath[str]) -> Response[bytes]:
    """The viewer and our styles."""
    if name not in _TYPES:
        raise NotFoundException
    headers = {"Content-Type": _TYPES[name], "Cache-Control": "public, max-age=3600"}
    return Response(_read(name), headers=headers)


@lru_cache
def _read(name: str) -> bytes:
    return (_STATIC / name).read_bytes()
