"""A client for served models: the embedded server's, and TensorFlow Serving's."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Callable, NamedTuple, Union

import numpy as np

from kind.errors import UserError
from kind.images.header import read_size
from kind.serving.answers import Changes, Detections, changes_of, check_boxes, detections_of, image_of
from kind.serving.errors import ServerError
from kind.serving.installed import GRPC_CLIENT, REST_CLIENT, check_installed
from kind.serving.limits import ANSWER_BYTES, SECONDS

Image = Union[bytes, str, Path]

PROTOCOLS = ("rest", "grpc")

_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 5.0  # seconds before trying again
_JITTER = 0.25  # of a pause, so that clients that were refused together do not retry together


class Decomposed(NamedTuple):
    """Reflectance and illumination, each a PNG file."""

    reflectance: bytes
    illumination: bytes


class Client:
    """Sends images to a server; safe to use from several threads.

    A request that an overloaded server refuses, or that does not reach the server, is retried with
    exponential backoff. A request changes nothing on the server, so a retry is harmless.

    Example:
        >>> with Client("127.0.0.1:8501") as client:
        ...     Path("relit.png").write_bytes(client.enhance("night.jpg", alpha=3.0))
    """

    def __init__(
        self,
        address: str,
        protocol: str = "rest",
        *,
        model: str = "kind",
        version: int | None = None,
        timeout: float = SECONDS,
        retries: int = 5,
        max_bytes: int = ANSWER_BYTES,
    ) -> None:
        """Prepares a connection; nothing is sent yet.

        Args:
            address: "host:port"; for REST also with http:// or https:// in front.
            protocol: "rest", or "grpc", which sends a quarter fewer bytes.
            model: the model's name on the server.
            version: number of a version; None takes the latest.
            timeout: seconds for one call, retries included.
            retries: largest number of retries of a call.
            max_bytes: largest size of an answer.

        Raises:
            ValueError: when the address or a setting makes no sense.
            UserError: packages that the protocol needs are not installed.
        """
        if protocol not in PROTOCOLS:
            raise ValueError(f"protocol expects one of {', '.join(PROTOCOLS)}; received {protocol!r}")
        if not timeout > 0 or retries < 0 or max_bytes < 1:
            raise ValueError(
                "expects timeout > 0, retries >= 0 and max_bytes >= 1, "
                f"received {timeout}, {retries} and {max_bytes}"
            )
        check_installed(GRPC_CLIENT if protocol == "grpc" else REST_CLIENT, f"a client of {protocol}")
        if protocol == "grpc":
            from kind.serving.transport_grpc import GrpcTransport as Transport
        else:
            from kind.serving.transport_rest import RestTransport as Transport
        self._transport = Transport(address, model, version, max_bytes)
        self._timeout, self._retries = timeout, retries

    def enhance(
        self,
        image: Image,
        alpha: float | None = None,
        strength: float = 1.0,
        *,
        brightness: float | None = None,
    ) -> bytes:
        """Enhances an image.

        Args:
            image: the bytes of a JPEG, PNG, GIF or BMP file, or its path.
            alpha: brightness factor (α); None takes the model's default.
            strength: share of the enhanced image, 0 to 1; the rest is the input. Less than 1 only at the
                model's α.
            brightness: mean luma of the enhanced image, 0 to 1, in place of α.

        Returns:
            A PNG file of the same size.

        Raises:
            ValueError: more than one of α, a brightness and a strength below 1 are given.
            ServerError: the server cannot be reached, is overloaded, or refuses the image.
            UserError: the file cannot be read.
        """
        inputs: dict[str, Any] = {"image_bytes": [_bytes_of(image)]}
        wishes = {"alpha": alpha, "brightness": brightness, "strength": None if strength == 1 else strength}
        given = [name for name, value in wishes.items() if value is not None]
        if len(given) > 1:
            raise ValueError(
                f"enhance expects {' or '.join(given)}, not both: the server blends at the model's α"
            )
        signature, more = "serving_default", {}
        if strength != 1:
            signature, more = "blend", {"strength": [float(strength)]}
        elif alpha is not None:
            signature, more = "enhance", {"alpha": [float(alpha)]}
        elif brightness is not None:
            signature, more = "enhance_to_brightness", {"brightness": [float(brightness)]}
        outputs = self._predict(signature, {**inputs, **more}, ("enhanced_bytes",))
        return image_of(outputs, "enhanced_bytes")

    def decompose(self, image: Image) -> Decomposed:
        """Decomposes an image into reflectance and illumination; arguments and errors as for `enhance`."""
        names = ("reflectance_bytes", "illumination_bytes")
        outputs = self._predict("decompose", {"image_bytes": [_bytes_of(image)]}, names)
        return Decomposed(*(image_of(outputs, name) for name in names))

    def detect(self, image: Image) -> Detections:
        """Finds objects in an image; arguments and errors as for `enhance`.

        A model without a detector refuses with the code INVALID_ARGUMENT.
        """
        return self._detections("detect", image, ())[0]

    def enhance_and_detect(self, image: Image) -> tuple[bytes, Detections]:
        """Enhances and detects in one call, which is faster than two; α is the model's default."""
        found, outputs = self._detections("serving_default", image, ("enhanced_bytes",))
        return image_of(outputs, "enhanced_bytes"), found

    def detect_changes(self, before: Image, after: Image) -> Changes:
        """Finds what has changed between two photographs of one place.

        They are compared as they lie; `kind remote changes` registers them first. A model without change
        detection refuses with the code INVALID_ARGUMENT.

        Args:
            before: the bytes of a JPEG, PNG, GIF or BMP file, or its path.
            after: likewise, of the same size and taken from the same place.

        Returns:
            The changes; errors are those of `enhance`.
        """
        inputs = {"before_bytes": [_bytes_of(before)], "after_bytes": [_bytes_of(after)]}
        names = ("probability_bytes", "mask_bytes", "boxes", "areas", "scores", "number")
        changes = changes_of(self._predict("detect_changes", inputs, names))
        _check_boxes(changes.boxes, inputs["before_bytes"][0])
        return changes

    def status(self) -> dict[int, str]:
        """The state of each version of the model, such as {2: "AVAILABLE", 1: "END"}."""
        return self._retrying(self._transport.status)

    def close(self) -> None:
        """Closes the connections."""
        self._transport.close()

    def __enter__(self) -> Client:
        """The client itself, which closes its connections when the block ends."""
        return self

    def __exit__(self, *_: object) -> None:
        """Closes the connections."""
        self.close()

    def _detections(
        self, signature: str, image: Image, more: Sequence[str]
    ) -> tuple[Detections, Mapping[str, Any]]:
        names = ("boxes", "scores", "classes", "class_names", "number")
        data = _bytes_of(image)
        outputs = self._predict(signature, {"image_bytes": [data]}, (*names, *more))
        found = detections_of(outputs)
        _check_boxes(found.boxes, data)
        return found, outputs

    def _predict(self, signature: str, inputs: Mapping[str, Any], names: Sequence[str]) -> Mapping[str, Any]:
        outputs = self._retrying(lambda seconds: self._transport.predict(signature, inputs, names, seconds))
        missing = sorted(set(names) - set(outputs))
        if missing:
            raise ServerError(
                f"the model's signature {signature} has no output {', '.join(missing)}", "FAILED_PRECONDITION"
            )
        return outputs

    def _retrying(self, call: Callable[[float], Any]) -> Any:
        """Calls with the seconds that are left, until it succeeds or the retries are used up."""
        deadline = time.monotonic() + self._timeout
        for attempt in itertools.count():
            try:
                return call(max(deadline - time.monotonic(), 0.001))
            except ServerError as error:
                pause = min(_FIRST_PAUSE * 2**attempt, _LONGEST_PAUSE)
                pause = max(pause, error.pause or 0) * random.uniform(1, 1 + _JITTER)
                is_last = attempt >= self._retries or time.monotonic() + pause >= deadline
                if error.code != "UNAVAILABLE" or is_last:
                    raise
                time.sleep(pause)


def _check_boxes(boxes: np.ndarray, image: bytes) -> None:
    """Raises ServerError when a box lies outside of an image, whichever way the server turns it."""
    try:
        side = max(read_size(image))
    except UserError:  # a format that only the server knows
        return
    check_boxes(boxes, (side, side))


def _bytes_of(image: Image) -> bytes:
    if isinstance(image, (bytes, bytearray, memoryview)):
        return bytes(image)
    try:
        return Path(image).read_bytes()
    except OSError as error:
        raise UserError(f"{image}: cannot be read ({error.strerror}): check the name") from error
