"""Refusals in the server's form: a gRPC status as JSON (grpc-gateway v2), and the other form of the upload endpoints.

Invariant: HTTP status follows from the gRPC code as grpc-gateway maps it; note that a "bad request" of the server is
ABORTED, which HTTP shows as 409.
"""

from __future__ import annotations

from typing import Any

INVALID_ARGUMENT, NOT_FOUND, ALREADY_EXISTS, PERMISSION_DENIED = 3, 5, 6, 7
FAILED_PRECONDITION, ABORTED, INTERNAL, UNAUTHENTICATED, RESOURCE_EXHAUSTED = 9, 10, 13, 16, 8
_HTTP = {
    INVALID_ARGUMENT: 400,
    NOT_FOUND: 404,
    ALREADY_EXISTS: 409,
    PERMISSION_DENIED: 403,
    RESOURCE_EXHAUSTED: 429,
    FAILED_PRECONDITION: 400,
    ABORTED: 409,
    INTERNAL: 500,
    UNAUTHENTICATED: 401,
}


class Problem(Exception):
    """Raised by a handler; becomes the response."""

    def __init__(self, code: int, message: str, external: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.external = external or message

    @property
    def status(self) -> int:
        return _HTTP[self.code]

    def body(self) -> dict[str, Any]:
        detail = {"@type": "type.googleapis.com/google.rpc.Status", "code": self.code, "message": self.external}
        return {"code": self.code, "message": self.message, "details": [detail]}


class UploadProblem(Problem):
    """What /pipelines/upload* answer: no code, two texts."""

    def body(self) -> dict[str, Any]:
        return {"error_message": self.message, "error_details": self.message}


def invalid(context: str, message: str) -> Problem:
    return Problem(INVALID_ARGUMENT, f"{context}: Invalid input error: {message}", message)


def not_found(context: str, kind: str, name: str) -> Problem:
    external = f"{kind} {name} not found"
    return Problem(NOT_FOUND, f"{context}: ResourceNotFoundError: {external}", external)


def exists(context: str, message: str) -> Problem:
    return Problem(ALREADY_EXISTS, f"{context}: Already exist error: {message}", message)


def internal(message: str) -> Problem:
    return Problem(INTERNAL, message, "Internal Server Error")
