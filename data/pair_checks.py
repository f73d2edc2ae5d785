"""Checks of one image pair."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kind.constants import BT601
from kind.data.pairs import Pair
from kind.data.registration import FARTHEST, SMALLEST_SIDE, Shift, estimate_shift
from kind.data.scenes import scene_signature
from kind.images.photo import ImageError, read_photo

SHIFTED = 1.0
"""Pixels from which on a pair counts as shifted: its edges then teach blur."""
UNRELATED = 0.25
"""Agreement below which two pictures have nothing in common. LOL's pairs, the darkest ones too, have 0.45 and
more, pictures of different scenes well below 0.2."""
WHITE = 0.25
"""Part of the pixels that may have a channel at its upper limit (LOL: up to 0.13)."""
BLACK = 0.5
"""Part of the pixels that may be 0 in all channels (LOL's dark images: up to 0.38)."""
CONSTANT = 1 / 255
"""Range of values up to which a picture counts as constant."""

_LUMA = np.array(BT601, np.float32)  # green has the least noise


class Finding(NamedTuple):
    """Something suspicious.

    Attributes:
        kind: a key of `data.doctor.KINDS`.
        files: the files it is about; none where `detail` names the file and the place in it.
        detail: what was seen, in words.
        values: what was measured, by name.
    """

    kind: str
    files: tuple[Path, ...]
    detail: str
    values: dict[str, float] = {}


@dataclass(frozen=True, eq=False)
class Measured:
    """The measurements of one pair.

    Attributes:
        pair: which one.
        findings: about this pair alone.
        digests: SHA-256 of the low and the high image's pixels; None for one that is unreadable or constant.
        signature: of the high image, see `data.scenes`; None without a readable one, or when it is constant.
        means: mean values of the readable images, in [0, 1], by side.
        shift: of the high image against the low one; None where it cannot be estimated.
        sizes: heights and widths of the readable images, by side.
    """

    pair: Pair
    findings: list[Finding] = field(default_factory=list)
    digests: dict[str, str] = field(default_factory=dict)
    signature: np.ndarray | None = None
    means: dict[str, float] = field(default_factory=dict)
    shift: Shift | None = None
    sizes: dict[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def shorter_side(self) -> int | None:
        """The shortest side of both images, in pixels; None when none is readable."""
        return min((min(size) for size in self.sizes.values()), default=None)


def check_pair(pair: Pair) -> Measured:
    """Checks the pixels of one pair.

    Args:
        pair: two files, which may be damaged or of different sizes.

    Returns:
        What was measured, and the findings of the kinds unreadable, doubtful, size, constant, clipped,
        brighter, unrelated, shifted and not compared.
    """
    findings: list[Finding] = []
    pictures = {side: read_image(getattr(pair, side), findings) for side in ("low", "high")}
    pictures = {side: pixels for side, pixels in pictures.items() if pixels is not None}
    grays = {side: pixels @ _LUMA for side, pixels in pictures.items()}
    means = {side: float(gray.mean()) for side, gray in grays.items()}
    textured = {
        side: pixels
        for side, pixels in pictures.items()
        if not is_constant(getattr(pair, side), pixels, findings)
    }
    for side, pixels in textured.items():
        _check_clipping(getattr(pair, side), pixels, findings)
    if len(pictures) == 2:
        _check_brightness(pair, means, findings)
        _check_size(pair, pictures, findings)
    return Measured(
        pair,
        findings,
        {side: pixel_digest(pixels) for side, pixels in textured.items()},
        scene_signature(grays["high"]) if "high" in textured else None,
        means,
        _check_shift(pair, grays, findings) if len(textured) == 2 else None,
        {side: pixels.shape[:2] for side, pixels in pictures.items()},
    )


def read_image(path: Path, findings: list[Finding]) -> np.ndarray | None:
    """float32 [H, W, 3] in [0, 1]; None of what cannot be read, which becomes a finding."""
    try:
        photo = read_photo(path)
        findings += [Finding("doubtful", (path,), note) for note in photo.notes]
        return photo.pixels
    except ImageError as error:
        findings.append(Finding("unreadable", (path,), str(error).removeprefix(f"{path}: ")))
        return None


def pixel_digest(pixels: np.ndarray) -> str:
    """SHA-256 of an image's size and pixels."""
    return sha256(repr(pixels.shape).encode() + np.ascontiguousarray(pixels).tobytes()).hexdigest()


def is_constant(path: Path, pixels: np.ndarray, findings: list[Finding]) -> bool:
    """Whether an image has one value everywhere, which becomes a finding."""
    if float(np.ptp(pixels, axis=(0, 1)).max()) > CONSTANT:
        return False
    value = float(pixels.mean())
    findings.append(Finding("constant", (path,), f"one value everywhere: {value:.3f}", {"mean": value}))
    return True


def _check_clipping(path: Path, pixels: np.ndarray, findings: list[Finding]) -> None:
    white = float((pixels >= 1).any(axis=2).mean())
    black = float((pixels <= 0).all(axis=2).mean())
    for part, limit, word in ((white, WHITE, "white"), (black, BLACK, "black")):
        if part > limit:
            findings.append(Finding("clipped", (path,), f"{part:.0%} of the pixels {word}", {word: part}))


def _check_brightness(pair: Pair, means: dict[str, float], findings: list[Finding]) -> None:
    if means["low"] >= means["high"] > 0:
        detail = f"mean {means['low']:.3f} in low, {means['high']:.3f} in high"
        findings.append(Finding("brighter", (pair.low, pair.high), detail, dict(means)))


def _check_size(pair: Pair, pictures: dict[str, np.ndarray], findings: list[Finding]) -> None:
    low, high = (f"{pixels.shape[1]}x{pixels.shape[0]}" for pixels in pictures.values())
    if low != high:
        findings.append(Finding("size", (pair.low, pair.high), f"{low} in low, {high} in high"))


def _check_shift(pair: Pair, grays: dict[str, np.ndarray], findings: list[Finding]) -> Shift | None:
    low, high = grays["low"], grays["high"]
    if low.shape != high.shape:
        return None
    if min(low.shape) < SMALLEST_SIDE:
        detail = f"{low.shape[1]}x{low.shape[0]}: neither shift nor kinship can be told below {SMALLEST_SIDE}"
        findings.append(Finding("not compared", (pair.low, pair.high), f"{detail} pixels"))
        return None
    shift = estimate_shift(low, high)
    files, values = (pair.low, pair.high), {**shift._asdict(), "pixels": shift.pixels}
    if shift.agreement < UNRELATED:
        detail = f"no structure in common (agreement {shift.agreement:.2f}) within {FARTHEST} pixels"
        findings.append(Finding("unrelated", files, detail, values))
        return None
    if shift.pixels >= SHIFTED:
        detail = f"{shift.pixels:.1f} pixels: high lies {_direction(shift)} of low"
        findings.append(Finding("shifted", files, detail, values))
    return shift


def _direction(shift: Shift) -> str:
    """In words, such as 1.5 down, 0.4 left."""
    down = f"{abs(shift.down):.1f} {'down' if shift.down > 0 else 'up'}"
    right = f"{abs(shift.right):.1f} {'right' if shift.right > 0 else 'left'}"
    return f"{down}, {right}"
