"""Estimates the shift between two pictures of one scene, independent of their brightness."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import fft
from scipy.ndimage import gaussian_filter, maximum_filter

FARTHEST = 32
SMALLEST_SIDE = 4 * FARTHEST
_LARGEST_SIDE = 1024

_FINE, _COARSE, _CONTRAST = 1.0, 6.0, 12.0  # standard deviations in pixels
_DARKEST = 4 / 255  # added before the logarithm: read-out noise must not become contrast
_FLAT = 0.05  # added to the local contrast, in nepers: flat areas stay flat
_OUTLIER = 3.0
_AS_HIGH = 0.9  # of the highest peak: fences and grilles agree with themselves at every bar


class Shift(NamedTuple):
    """An estimated translation.

    Attributes:
        down: pixels by which the second picture's content lies lower than the first's.
        right: likewise to the right.
        agreement: correlation of the two pictures' structure after the shift, at most 1; low values mean that
            there is nothing to register: other scenes, or noise alone.
    """

    down: float
    right: float
    agreement: float

    @property
    def pixels(self) -> float:
        """Length of the shift."""
        return float(np.hypot(self.down, self.right))


def estimate_shift(first: np.ndarray, second: np.ndarray) -> Shift:
    """Registers two pictures of different exposure by the correlation of their local structure.

    Structure is a band-passed logarithm over its local contrast: brightness, gamma and vignetting drop out,
    as a Retinex model wants it. Of the peaks of the circular correlation under a Hann window that are about
    as high as the highest, the one nearest to no shift is taken, and refined by a parabola. Sides beyond 1024
    pixels are judged by the middle.

    Args:
        first: float32 [H, W] gray in [0, 1], both sides at least 128.
        second: the same shape.

    Returns:
        The shift, found within ±32 pixels each way, to a few hundredths of a pixel where the pictures agree.

    Raises:
        ValueError: on other shapes.

    Example:
        >>> picture = np.random.default_rng(0).random((200, 300), np.float32)
        >>> round(estimate_shift(picture, np.roll(picture, 3, axis=1)).right)
        3
    """
    if first.shape != second.shape or first.ndim != 2 or min(first.shape) < SMALLEST_SIDE:
        raise ValueError(
            f"a shift expects gray pictures of one size from {SMALLEST_SIDE}x{SMALLEST_SIDE} on; received "
            f"{list(first.shape)} and {list(second.shape)}"
        )
    first, second = _structure(_middle(first)), _structure(_middle(second))
    spectrum = fft.rfft2(first).conj() * fft.rfft2(second)
    correlation = fft.irfft2(spectrum, s=first.shape)
    edge = FARTHEST + 1  # one more than is searched, for the parabola
    near = np.roll(correlation, (edge, edge), axis=(0, 1))[: 2 * edge + 1, : 2 * edge + 1]
    row, column = _nearest_peak(near)
    around = near[row - 1 : row + 2, column - 1 : column + 2]
    down = row - edge + _summit(around[:, 1])
    right = column - edge + _summit(around[1])
    return Shift(float(down), float(right), float(around[1, 1]))


def _nearest_peak(correlation: np.ndarray) -> tuple[int, int]:
    """Row and column of the peak that is nearest to the middle, the rim left out."""
    inside = correlation[1:-1, 1:-1]
    peaks = (correlation == maximum_filter(correlation, 3))[1:-1, 1:-1]
    peaks[np.unravel_index(inside.argmax(), inside.shape)] = True  # on a slope to the rim there is no other
    rows, columns = np.nonzero(peaks & (inside >= _AS_HIGH * inside.max()))
    nearest = np.argmin((rows - FARTHEST) ** 2 + (columns - FARTHEST) ** 2)
    return rows[nearest] + 1, columns[nearest] + 1


def _middle(picture: np.ndarray) -> np.ndarray:
    top, left = (max(side - _LARGEST_SIDE, 0) // 2 for side in picture.shape)
    return picture[top : top + _LARGEST_SIDE, left : left + _LARGEST_SIDE]


def _structure(picture: np.ndarray) -> np.ndarray:
    """Band-passed, of even contrast, windowed, and of length 1 (or 0 when the picture is flat)."""
    logarithm = np.log(picture.astype(np.float32) + np.float32(_DARKEST))
    band = gaussian_filter(logarithm, _FINE) - gaussian_filter(logarithm, _COARSE)
    contrast = np.sqrt(gaussian_filter(band * band, _CONTRAST))
    band = np.clip(band / (contrast + _FLAT), -_OUTLIER, _OUTLIER)
    window = np.outer(*(np.hanning(side + 2)[1:-1] for side in picture.shape)).astype(np.float32)
    band = (band - np.average(band, weights=window)) * window
    return band / max(float(np.linalg.norm(band)), 1e-12)


def _summit(three: np.ndarray) -> float:
    """Where the parabola through three neighbouring values is highest, from the middle one."""
    before, middle, after = three
    bend = before - 2 * middle + after
    return float(np.clip((before - after) / (2 * bend), -0.5, 0.5)) if bend < 0 else 0.0
