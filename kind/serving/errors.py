"""What goes wrong between a client and a server."""

from __future__ import annotations

from kind.errors import UserError

_LONGEST_ECHO = 200


def echoed(text: str) -> str:
    """What somebody else wrote, as a message repeats it: one line of at most 200 printable characters.

    Control characters, which could rewrite a terminal, and those that turn the direction of writing are
    escaped.
    """
    shown = (each if each.isprintable() else ascii(each)[1:-1] for each in text[:_LONGEST_ECHO])
    return "".join(shown)[:_LONGEST_ECHO]


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
