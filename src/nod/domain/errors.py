"""What can go wrong, as one tree. Each error says in a sentence what to do about it.

    NodError
    ├── InvalidInput       a field is missing or wrong                    400
    ├── NotAuthenticated   credentials are missing or wrong               401
    ├── Forbidden          known, but not allowed                         403
    ├── NotFound           no such thing, or somebody else's              404
    ├── Conflict           the thing is in another state than needed      409
    ├── TooLarge           more bytes or characters than the limit        413
    ├── TooMany            a rate or number is used up; try again later   429
    └── Unavailable        Nod cannot store or answer now; try again      503

The HTTP status stands in `api/problems.py`, which is the only place that knows HTTP.
"""

from collections.abc import Iterator
from contextlib import contextmanager


class NodError(Exception):
    """Base of every error that is meant for the caller; `detail` says what to do about it."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class InvalidInput(NodError):
    """A field is missing or has a value that cannot be accepted.

    `problem` says what is wrong. Where `field` is given, the name of the field at fault, `detail`
    begins with it ("timeout_s must be …"); a form has its own label in its place.
    """

    def __init__(self, problem: str, *, field: str | None = None) -> None:
        super().__init__(problem if field is None else f"{field} {problem}")
        self.problem = problem
        self.field = field


class OutOfRange(InvalidInput):
    """A number is not between its bounds, which are in the unit that the field's name ends with."""

    def __init__(self, field: str, least: int, most: int, got: int) -> None:
        super().__init__(f"must be between {least} and {most}; got {got}", field=field)
        self.least = least
        self.most = most


@contextmanager
def about(field: str) -> Iterator[None]:
    """What is refused in here is refused because of this field, if none is named yet."""
    try:
        yield
    except InvalidInput as error:
        error.field = error.field or field
        raise


class NotAuthenticated(NodError):
    """The credentials are missing or wrong."""


class Forbidden(NodError):
    """The caller is known, but may not do this."""


class NotFound(NodError):
    """There is no such thing, or it belongs to somebody else."""


class Conflict(NodError):
    """The thing is not in the state this needs."""


class TooLarge(NodError):
    """The input is larger than the limit it names."""


class TooMany(NodError):
    """A rate or a number is used up. `retry_after` is in seconds."""

    def __init__(self, detail: str, *, retry_after: int) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class Unavailable(NodError):
    """Nod cannot store or answer right now (disk full, database locked, shutting down)."""
