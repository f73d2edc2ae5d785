"""What a server takes from its clients, and how long both sides wait; needs no TensorFlow."""

from __future__ import annotations

from dataclasses import dataclass

from kind.constants import MAX_PIXELS

REQUEST_BYTES = 64 << 20
ANSWER_BYTES = 320 << 20
"""The largest answer that a client takes: reflectance and illumination of the most pixels, as base64."""
LONGEST_NAME = 200
"""Characters of the name of a model, a label or a signature."""
GRACE = 8.0
"""Seconds in which requests that have arrived are answered once a server is told to stop."""
SECONDS = 60.0
"""How long one call may take: a client gives up then, and a server answers that it is late."""


@dataclass(frozen=True)
class Limits:
    """What requests may ask for.

    Attributes:
        request_bytes: of a message or body.
        pixels: of all images of a request together.
        seconds: from the header of a request to its answer.
        in_flight: requests that may be on their way at the same time; half as many from one address.
        bodies: so many times `request_bytes` may be in memory of all requests, and `ANSWER_BYTES` of gRPC
            answers that are being sent; half as much from one address.
        rows: largest batch size of a request, whatever its rows hold.
        connections: of each of the two ports; on the HTTP port half as many from one address.
        silence: seconds for a whole header, between two parts of a body, and for a part of the answer to be
            taken.
    """

    request_bytes: int = REQUEST_BYTES
    pixels: int = MAX_PIXELS
    seconds: float = SECONDS
    in_flight: int = 256
    bodies: int = 16
    rows: int = 4096
    connections: int = 512
    silence: float = 15.0
