"""Visual information fidelity, in the pixel domain."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from kind.constants import BT601
from kind.metrics.image_arrays import checked_pair

SMALLEST_SIDE = 41
"""Pixels: the last scale's window still fits."""

_SCALES = 4
_NOISE = 2.0  # variance of the visual system's noise, of images of range [0, 255]
_EPSILON = 1e-10


def vif(output: np.ndarray, target: np.ndarray) -> float:
    """VIF in the pixel domain (VIFp) of luma: how much of the target's information the output shows.

    Sheikh and Bovik, "Image Information and Visual Quality", IEEE TIP 2006, as their `vifp_mscale` computes
    it over four scales; above 1 where the output has more contrast.

    Args:
        output: float [H, W, 3] (or [H, W]) in [0, 1], both sides at least 41.
        target: the same shape.

    Returns:
        From 0; 1 for identical images; NaN for another image where the target is constant.

    Raises:
        ValueError: when a side is below 41, the shapes differ, or see `checked_image`.
    """
    output, target = checked_pair("VIF", output, target)
    if min(output.shape[:2]) < SMALLEST_SIDE:
        raise ValueError(
            f"VIF expects at least {SMALLEST_SIDE}x{SMALLEST_SIDE} pixels; "
            f"received {output.shape[0]}x{output.shape[1]}"
        )
    if np.array_equal(output, target):
        return 1.0
    ours, theirs = (255 * _luma(image) for image in (output, target))
    shown, given = 0.0, 0.0
    for scale in range(_SCALES):
        window = _window(2 ** (_SCALES - scale) + 1)
        if scale:
            ours, theirs = (_filtered(image, window)[::2, ::2] for image in (ours, theirs))
        information = _information(ours, theirs, window)
        shown, given = shown + information[0], given + information[1]
    return float(shown / given) if given else float("nan")


def _information(ours: np.ndarray, theirs: np.ndarray, window: np.ndarray) -> tuple[float, float]:
    """Information of one scale in the output, and in the target."""
    mean, true_mean = _filtered(ours, window), _filtered(theirs, window)
    variance = np.maximum(_filtered(ours**2, window) - mean**2, 0)
    true_variance = np.maximum(_filtered(theirs**2, window) - true_mean**2, 0)
    covariance = _filtered(ours * theirs, window) - mean * true_mean
    gain = covariance / (true_variance + _EPSILON)
    rest = variance - gain * covariance
    flat = true_variance < _EPSILON
    gain[flat], rest[flat], true_variance[flat] = 0, variance[flat], 0
    empty = variance < _EPSILON
    gain[empty], rest[empty] = 0, 0
    inverted = gain < 0
    rest[inverted], gain[inverted] = variance[inverted], 0
    rest = np.maximum(rest, _EPSILON)
    shown = np.log10(1 + gain**2 * true_variance / (rest + _NOISE)).sum()
    return shown, np.log10(1 + true_variance / _NOISE).sum()


def _window(side: int) -> np.ndarray:
    """A Gaussian of σ = side / 5, of sum 1: [side]; the square window is its product with itself."""
    positions = np.arange(side) - side // 2
    window = np.exp(-0.5 * (positions / (side / 5)) ** 2)
    return window / window.sum()


def _filtered(image: np.ndarray, window: np.ndarray) -> np.ndarray:
    """The image under the window, where it fits."""
    reach = len(window) // 2
    for axis in (0, 1):
        image = ndimage.correlate1d(image, window, axis)
    return image[reach:-reach, reach:-reach]


def _luma(image: np.ndarray) -> np.ndarray:
    return image @ np.array(BT601) if image.ndim == 3 else image
