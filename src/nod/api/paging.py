"""Lists in pages: newest first, and the address of the next page in `Link` (RFC 8288)."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar
from urllib.parse import urlencode

from litestar import Request, Response
from litestar.params import Parameter

from nod.domain.errors import InvalidInput
from nod.domain.limits import Limits

T = TypeVar("T")
Out = TypeVar("Out")

Limit = Annotated[int | None, Parameter(query="limit", description="entries of one page")]
Cursor = Annotated[
    str | None, Parameter(query="cursor", description="where the page begins; as Link gave it")
]


def page_size(limit: int | None, limits: Limits) -> int:
    """How many entries the page has. Raises InvalidInput outside of 1 to `page_items`."""
    if limit is None:
        return min(50, limits.page_items)
    if not 1 <= limit <= limits.page_items:
        raise InvalidInput(f"limit must be between 1 and {limits.page_items}; got {limit}")
    return limit


def seq_cursor(cursor: str | None, newest: int) -> int:
    """The number below which the page's entries are. Raises InvalidInput."""
    if cursor is None:
        return newest
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 19):
        raise bad_cursor()
    return int(cursor)


def bad_cursor() -> InvalidInput:
    """What to say of a cursor that no page gave."""
    return InvalidInput("cursor must be taken from the Link header of the page before")


def page(
    request: Request[Any, Any, Any],
    found: Sequence[T],
    size: int,
    show: Callable[[T], Out],
    cursor_of: Callable[[T], str],
) -> Response[list[Out]]:
    """The first `size` entries; one more in `found` means that there is another page."""
    shown = found[:size]
    headers = {}
    if len(found) > size:
        headers["Link"] = f'<{_next_url(request, cursor_of(shown[-1]))}>; rel="next"'
    return Response([show(each) for each in shown], headers=headers)


def _next_url(request: Request[Any, Any, Any], cursor: str) -> str:
    query = [
        (name, value) for name, value in request.query_params.multi_items() if name != "cursor"
    ]
    public_url = request.app.state.nod.settings.public_url
    return f"{public_url}{request.url.path}?{urlencode([*query, ('cursor', cursor)])}"
