"""What an enhancement does to colours and highlights, against the truth or against its own input."""

from __future__ import annotations

import math

import numpy as np
from skimage.color import rgb2lab

from kind.metrics.image_arrays import checked_pair

_BLOWN = 254 / 255
_NOT_BLOWN = 250 / 255
_BORDER = 8  # pixels
_COLOURFUL = 5.0  # CIELAB chroma from which a hue means something


def blown_share(output: np.ndarray, reference: np.ndarray) -> float:
    """Share of pixels with a channel of at least 254 of 255 where the reference has none above 250.

    Args:
        output: float [H, W, 3], sRGB in [0, 1].
        reference: the same shape.

    Returns:
        From 0 to 1.

    Raises:
        ValueError: when the shapes differ; so do the others below.
    """
    output, reference = checked_pair("blown pixels", output, reference)
    return float(((output.max(axis=-1) >= _BLOWN) & (reference.max(axis=-1) <= _NOT_BLOWN)).mean())


def chroma_ratio(output: np.ndarray, reference: np.ndarray) -> float:
    """Mean CIELAB chroma as a part of the reference's; arguments as of `blown_share`."""
    chroma, true = (_chroma(rgb2lab(image)) for image in checked_pair("chroma", output, reference))
    return float(chroma.mean() / max(true.mean(), 1e-6))


def hue_shift(output: np.ndarray, reference: np.ndarray) -> float:
    """Mean difference in CIELAB hue, in degrees, of pixels that are colourful in both; arguments as above.

    Returns:
        From 0 to 180; NaN where no pixel is colourful.
    """
    images = [rgb2lab(image) for image in checked_pair("hue", output, reference)]
    colourful = np.logical_and(*(_chroma(image) > _COLOURFUL for image in images))
    if not colourful.any():
        return math.nan
    angles = [np.arctan2(image[..., 2], image[..., 1])[colourful] for image in images]
    difference = np.angle(np.exp(1j * (angles[0] - angles[1])))
    return float(np.degrees(np.abs(difference)).mean())


def border_error(output: np.ndarray, reference: np.ndarray) -> float:
    """Mean absolute error in the outer 8 pixels as a part of the rest's; arguments as above.

    Returns:
        1 where the border is as good as the rest; NaN of images that are too small or equal.
    """
    output, reference = checked_pair("border error", output, reference)
    error = np.abs(output - reference)
    inside = error[_BORDER:-_BORDER, _BORDER:-_BORDER]
    if not inside.size or not inside.any():
        return math.nan
    outer = (error.sum() - inside.sum()) / (error.size - inside.size)
    return float(outer / inside.mean())


def _chroma(lab: np.ndarray) -> np.ndarray:
    return np.hypot(lab[..., 1], lab[..., 2])
