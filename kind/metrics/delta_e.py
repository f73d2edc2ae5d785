"""Difference in colour as it is seen."""

from __future__ import annotations

import numpy as np
from skimage.color import deltaE_ciede2000, rgb2lab

from kind.metrics.image_arrays import checked_pair


def delta_e2000(output: np.ndarray, target: np.ndarray) -> float:
    """Mean CIEDE2000 colour difference over all pixels, from sRGB under D65.

    Sharma et al., "The CIEDE2000 Color-Difference Formula", Color Research and Application 2005;
    scikit-image's `deltaE_ciede2000`, all weights 1.

    Args:
        output: float [H, W, 3], sRGB in [0, 1].
        target: the same shape.

    Returns:
        0 for identical images; about 1 is just noticeable, black against white is 100.

    Raises:
        ValueError: on other than three channels, when the shapes differ, or see `checked_image`.
    """
    output, target = checked_pair("ΔE2000", output, target)
    if output.shape[2:] != (3,):
        raise ValueError(f"ΔE2000 expects RGB images [H, W, 3]; received {list(output.shape)}")
    return float(np.mean(deltaE_ciede2000(rgb2lab(target), rgb2lab(output))))
