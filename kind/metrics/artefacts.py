"""Noise and halos that an enhancement leaves or makes, without knowledge of the truth."""

from __future__ import annotations

import math

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

from kind.constants import BT601
from kind.metrics.image_arrays import checked_pair

_SMOOTH = 2.0  # pixels, standard deviation
_FLATTEST = 0.25  # share of the dark half
_STRONGEST = 0.02  # share of pixels that are strong edges
_NEAR, _FAR = 3.0, 12.0  # pixels from an edge
_SAME = 0.03  # luma
_FLOOR = 0.01


def flat_noise(output: np.ndarray, dark: np.ndarray) -> float:
    """Noise of the output in flat, dark regions of the input.

    Regions are the flattest quarter (by the gradient of luma smoothed with σ = 2 pixels) of the darker
    half of the input.

    Args:
        output: float [H, W, 3], sRGB in [0, 1].
        dark: the image before enhancement, the same shape.

    Returns:
        Standard deviation of luma around itself smoothed with σ = 2 pixels, in levels of 255.

    Raises:
        ValueError: when the shapes differ.
    """
    luma, dark_luma = (image @ np.array(BT601) for image in checked_pair("noise", output, dark))
    smooth = gaussian_filter(dark_luma, _SMOOTH, mode="nearest")
    slope = np.hypot(*_gradient(smooth))
    is_dark = smooth <= np.median(smooth)
    flat = is_dark & (slope <= np.quantile(slope[is_dark], _FLATTEST))
    return float(255 * (luma - gaussian_filter(luma, _SMOOTH, mode="nearest"))[flat].std())


def halo_strength(output: np.ndarray, dark: np.ndarray) -> float:
    """How much the gain changes beside strong edges where the input does not change.

    From each strong edge (the 2 % of pixels with the largest gradient of luma smoothed with σ = 1) one
    walks along the gradient, to either side, to 3 and to 12 pixels. Where the input has about the same
    luma at both, a gain that follows edges is the same too.

    Args:
        output: float [H, W, 3], sRGB in [0, 1].
        dark: the image before enhancement, the same shape.

    Returns:
        Mean absolute difference of log₂ of the gain of luma, 0 for a gain that is the same everywhere; NaN
        where the image has no such edge.

    Raises:
        ValueError: when the shapes differ.
    """
    luma, dark_luma = (image @ np.array(BT601) for image in checked_pair("halos", output, dark))
    smooth = gaussian_filter(dark_luma, 1.0, mode="nearest")
    rows, columns = _gradient(smooth)
    slope = np.hypot(rows, columns)
    places = np.argwhere(slope >= max(np.quantile(slope, 1 - _STRONGEST), 1e-3))
    if not len(places):
        return math.nan
    normal = np.stack([rows, columns], axis=-1)[tuple(places.T)] / slope[tuple(places.T)][:, np.newaxis]
    gain = np.log2((gaussian_filter(luma, 1.0, mode="nearest") + _FLOOR) / (smooth + _FLOOR))
    found = []
    for side in (-1, 1):
        near, far = (places + side * distance * normal for distance in (_NEAR, _FAR))
        inside = ((far >= 0) & (far <= np.array(luma.shape) - 1)).all(axis=1)
        near, far = near[inside].T, far[inside].T
        values = [map_coordinates(image, place, order=1) for image in (smooth, gain) for place in (near, far)]
        same = np.abs(values[0] - values[1]) < _SAME
        found.append(np.abs(values[2] - values[3])[same])
    found = np.concatenate(found)
    return float(found.mean()) if found.size else math.nan


def _gradient(image: np.ndarray) -> list[np.ndarray]:
    """Along rows and columns; zeros along an axis of one pixel."""
    return [
        np.gradient(image, axis=axis) if image.shape[axis] > 1 else np.zeros_like(image) for axis in (0, 1)
    ]
