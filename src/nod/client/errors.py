"""What can go wrong on the client's side, as one tree.

    NodError
    ├── ConfigError               no credentials, or an address that is none
    ├── ConnectError              the server could not be reached
    ├── WebhookVerificationError  a webhook that is not from Nod, or too old
    └── ApiError                  the server said no; `status`, `detail`, `retryable`
        ├── BadRequest            400  a field is missing or wrong
        ├── AuthError             401  wrong id or secret (also close codes 4001, 4003, 4004)
        ├── Forbidden             403  known, but not allowed
        ├── NotFound              404  no such thing, or another agent's
        ├── Conflict              409  the thing is in another state
        ├── TooLarge              413  more bytes than the limit
        ├── RateLimited           429  `retry_after` seconds
        └── ServerError           5xx, and answers that are not Nod's

`retryable` tells whether the same call can succeed later without being changed.
"""


class NodError(Exception):
    """Base of every error of this package; `detail` is a sentence a human can act on."""

    retryable = False

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class ConfigError(NodError):
    """The credentials are missing, or the server's address cannot be used."""


class ConnectError(NodError):
    """The server could not be reached, or the connection broke before it answered."""

    retryable = True


class WebhookVerificationError(NodError):
    """The webhook is not from Nod, was changed on the way, or is too old."""


class ApiError(NodError):
    """The server answered, and said no. `status` is the HTTP status."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


class BadRequest(ApiError):
    """A field is missing or has a value that cannot be accepted."""


class AuthError(ApiError):
    """The agent's id or secret is wrong; trying again cannot help."""


class Forbidden(ApiError):
    """The agent is known, but may not do this."""


class NotFound(ApiError):
    """There is no such thing, or it belongs to another agent."""


class Conflict(ApiError):
    """The thing is not in the state this needs."""


class TooLarge(ApiError):
    """The input is larger than the limit it names."""


class RateLimited(ApiError):
    """Too many calls; try again after `retry_after` seconds."""

    retryable = True

    def __init__(self, status: int, detail: str, retry_after: float) -> None:
        super().__init__(status, detail)
        self.retry_after = retry_after


class ServerError(ApiError):
    """The server, or a proxy before it, failed. `retry_after` is in seconds, if it was said."""

    def __init__(self, status: int, detail: str, retry_after: float | None = None) -> None:
        super().__init__(status, detail)
        self.retryable = status >= 500
        self.retry_after = retry_after
