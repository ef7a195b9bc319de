"""What the edges raise: foreign exceptions become these, once, where they enter.

BackendError
├── Transient             try again later (``retry_after`` seconds, where the other side said so)
│   └── Ambiguous         a write whose outcome is unknown: look before writing again
├── Rejected              a definite no: the same request will never be accepted
├── Conflict              somebody was faster: look again now
└── NotFound              it is not there

Invariant: only an answer that certainly comes from the outside system itself becomes Rejected, Conflict or NotFound.
What a proxy, a broken connection or a half answer says is Transient.
"""

from __future__ import annotations


class BackendError(Exception):
    """Anything an outside system did not do for us. The message is for the user's eyes and holds no secret."""


class Transient(BackendError):
    """It may work later without anybody changing the manifest."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Ambiguous(Transient):
    """A write was sent and nobody knows whether it happened (timeout, 5xx, connection lost)."""


class Rejected(BackendError):
    """Refused for what it is; only a change of the manifest or of the installation helps."""


class Conflict(BackendError):
    """The object exists already, or changed since it was read."""


class NotFound(BackendError):
    """The named object does not exist."""
