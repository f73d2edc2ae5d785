"""What every metric demands of the arrays it is given."""

from __future__ import annotations

import numpy as np


def checked_pair(metric: str, output: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two images of one shape as float64.

    Args:
        metric: the name that the errors begin with.
        output: float [H, W, C] or [H, W].
        target: the same shape.

    Returns:
        Both, float64.

    Raises:
        ValueError: see `checked_image`; and when the shapes differ.
    """
    output, target = checked_image(metric, output), checked_image(metric, target)
    if output.shape != target.shape:
        raise ValueError(
            f"{metric} expects two images of one size; received {list(output.shape)} and {list(target.shape)}"
        )
    return output, target


def checked_image(metric: str, image: np.ndarray) -> np.ndarray:
    """One image as float64.

    Args:
        metric: the name that the errors begin with.
        image: float [H, W, C] or [H, W].

    Returns:
        The image, float64.

    Raises:
        ValueError: when the image is empty, of another rank, not floating point (integers would be taken
            for the range [0, 1]), or holds NaN or infinity.
    """
    image = np.asarray(image)
    if image.ndim not in (2, 3) or image.size == 0:
        raise ValueError(f"{metric} expects an image [H, W, C] or [H, W]; received shape {list(image.shape)}")
    if not np.issubdtype(image.dtype, np.floating):
        raise ValueError(f"{metric} expects floats in [0, 1]; received {image.dtype}")
    if not np.isfinite(image).all():
        raise ValueError(f"{metric} expects finite values; received an image with NaN or infinity")
    return image.astype(np.float64)
