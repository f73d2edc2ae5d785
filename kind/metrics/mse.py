"""Mean squared error."""

from __future__ import annotations

import numpy as np

from kind.metrics.image_arrays import checked_pair


def mse(output: np.ndarray, target: np.ndarray) -> float:
    """Mean (output - target)² over all pixels and channels, in units of the range [0, 1].

    Args:
        output: float [H, W, C] (or [H, W]) in [0, 1].
        target: the same shape.

    Returns:
        0 for identical images, at most 1.

    Raises:
        ValueError: when the shapes differ, or see `checked_image`.
    """
    output, target = checked_pair("MSE", output, target)
    return float(np.mean(np.square(output - target)))
