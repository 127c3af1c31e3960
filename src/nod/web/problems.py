"""Errors as pages, as a toast in the page that asked, or as the way to the sign-in page."""

from urllib.parse import quote

import structlog
from litestar import Response

from nod.api.problems import problem
from nod.domain.errors import NotAuthenticated
from nod.web.view import AnyRequest, part_wanted, respond

_log = structlog.get_logger("nod.web")

_TITLES = {
    400: "That did not work",
    401: "Sign in first",
    403: "That is not allowed",
    404: "There is nothing here",
    409: "That is not possible now",
    413: "That is too large",
    429: "Too many tries",
    503: "Nod cannot answer now",
}


def answer(request: AnyRequest, error: Exception) -> Response[bytes]:
    """What a person sees of an error: its sentence, which says what to do."""
    part = part_wanted(request)
    if isinstance(error, NotAuthenticated) and request.url.path != "/login":
        return _sign_in(request, part)
    found = problem(error)
    if found.fault:
        route = request.scope.get("path_template", "unknown")
        _log.error("a page failed", method=request.method, route=route, exc_info=error)
    detail = found.detail[:1].upper() + found.detail[1:] + "."
    values = {"title": _TITLES.get(found.status, "Nod made a mistake"), "detail": detail}
    if part is None:
        made = respond(request, "problem.html", status=found.status, now=0, **values)
    else:
        made = respond(request, "toast.html", status=found.status, kind="bad", text=detail)
        made.headers.update({"HX-Retarget": "#toasts", "HX-Reswap": "beforeend"})
    made.headers.update(found.headers)
    return made


def _sign_in(request: AnyRequest, part: str | None) -> Response[bytes]:
    if part is not None:
        return Response(b"", status_code=401, headers={"HX-Redirect": "/login"})
    wanted = "/"
    if request.method == "GET":
        query = f"?{request.url.query}" if request.url.query else ""
        wanted = request.url.path + query
    headers = {"Location": f"/login?next={quote(wanted)}"}
    return Response(b"", status_code=303, headers=headers)
