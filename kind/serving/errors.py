"""What goes wrong between a client and a server."""

from __future__ import annotations

from kind.errors import UserError


class ServerError(UserError):
    """A server that cannot be reached, or that refuses a request.

    Attributes:
        code: the gRPC status code by name, such as "INVALID_ARGUMENT"; "UNAVAILABLE" when the server cannot
            be reached or is overloaded.
        pause: seconds after which the server asks to be tried again, or None.
    """

    def __init__(self, message: str, code: str, pause: float | None = None) -> None:
        """Keeps all three."""
        super().__init__(message)
        self.code, self.pause = code, pause
