"""What can go wrong between us and the API server, sorted by what the caller should do next.

    NotConfigured        no cluster to talk to: no kubeconfig, a broken one, or a credentials plugin that failed
    ApiError             a request did not do what it asked for
    ├── Conflict         the object is not what we saw: read it again, then decide again
    ├── NotFound         it does not exist
    ├── Gone             this resourceVersion is forgotten: list again
    ├── Denied           we may not (403), or are not known (401): a person has to act
    ├── Invalid          the request itself is wrong: repeating it cannot help
    └── Unavailable      no answer, too late, overloaded, or not the API server that answered: try later

Callers catch `ApiError` around one request and the subclass they can do something about. After `Unavailable` a write
may or may not have happened; every write of ours therefore carries a test that makes its repetition harmless.
"""


class NotConfigured(Exception):
    """Nothing to connect to; the message says where was looked."""


class ApiError(Exception):
    """A failed request. `status` is 0 when nothing came back; `retry_after` is the server's own wish, in seconds."""

    def __init__(
        self, status: int, reason: str, message: str, retry_after: float | None = None, request: str = ""
    ) -> None:
        super().__init__(status, reason, message)
        self.status = status
        self.reason = reason
        self.message = message
        self.retry_after = retry_after
        self.request = request

    def __str__(self) -> str:
        code = f"{self.status} {self.reason}".strip() if self.status else self.reason
        return f"{self.request}: {self.message} ({code})" if self.request else f"{self.message} ({code})"


class Conflict(ApiError):
    """409 (also AlreadyExists), or a `test` of a JSON Patch that did not hold."""


class NotFound(ApiError):
    """404."""


class Gone(ApiError):
    """410, as a status or as the last event of a watch."""


class Denied(ApiError):
    """403 or 401."""


class Invalid(ApiError):
    """Any other 4xx: 400, 405, 413, 415, 422."""


class Unavailable(ApiError):
    """No answer, a broken one, 408, 429, 5xx."""
