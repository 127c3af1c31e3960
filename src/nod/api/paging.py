"""Lists in pages, newest first. The address of the next page is in `Link` (RFC 8288)."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar
from urllib.parse import urlencode

from litestar import Response

from nod.domain.errors import InvalidInput
from nod.domain.instant import Instant
from nod.domain.limits import Limits
from nod.domain.model import Run

T = TypeVar("T")
V = TypeVar("V")

_DEFAULT = 50
_AFTER_ALL: tuple[Instant, str] = (1 << 62, "")


def page_size(limit: int | None, limits: Limits) -> int:
    """How many entries a page has. Raises InvalidInput outside of 1 to `page_items`."""
    if limit is None:
        return min(_DEFAULT, limits.page_items)
    if not 1 <= limit <= limits.page_items:
        raise InvalidInput(f"limit must be between 1 and {limits.page_items}; got {limit}")
    return limit


def next_link(path: str, query: Mapping[str, object]) -> dict[str, str]:
    """The header that names the next page; what is None in the query is left out."""
    given = {name: str(value) for name, value in query.items() if value is not None}
    return {"Link": f'<{path}?{urlencode(given)}>; rel="next"'}


def page(
    found: Sequence[T],
    size: int,
    show: Callable[[T], V],
    cursor: Callable[[T], object],
    path: str,
    **query: object,
) -> Response[list[V]]:
    """The first `size` of what was found; that there is more means that another page follows.

    So callers look for one entry more than they show. `cursor` says where the page after an entry
    begins, `path` and `query` how this page was asked for.
    """
    shown = found[:size]
    headers = {}
    if len(found) > size:
        headers = next_link(path, {**query, "cursor": cursor(shown[-1])})
    return Response([show(each) for each in shown], headers=headers)


def run_cursor(run: Run) -> str:
    """Where the page after this run begins."""
    return f"{run.scheduled_for}.{run.id}"


def read_run_cursor(cursor: str | None) -> tuple[Instant, str]:
    """The run that the page before ended with, as the store asks for it. Raises InvalidInput."""
    if cursor is None:
        return _AFTER_ALL
    at, _, run_id = cursor.partition(".")
    return _number(at), run_id


def read_seq_cursor(cursor: str | None, newest: int) -> int:
    """The number below which the page's entries are. Raises InvalidInput."""
    return newest if cursor is None else _number(cursor)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise InvalidInput("cursor must be taken from the Link header of the page before")
    return int(text)
