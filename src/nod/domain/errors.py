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


class NodError(Exception):
    """Base of every error that is meant for the caller; `detail` says what to do about it."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class InvalidInput(NodError):
    """A field is missing or has a value that cannot be accepted."""


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
