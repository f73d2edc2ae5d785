"""Structural similarity as a figure of merit."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from kind.constants import BT601
from kind.metrics.image_arrays import checked_pair
from kind.ops.ssim import WINDOW
from kind.ops.ssim import ssim as batch_ssim


def ssim(output: np.ndarray, target: np.ndarray) -> float:
    """SSIM of one image of range [0, 1], per colour channel and then averaged.

    Window 11×11, Gaussian of σ 1.5, placed only where it fits, population covariance (Wang et al., IEEE
    TIP 2004, eq. 13): scikit-image's `structural_similarity` with `gaussian_weights=True, sigma=1.5,
    use_sample_covariance=False, data_range=1, channel_axis=2`. `kind.ops.ssim` computes it, which is the
    training loss as well.

    Args:
        output: float [H, W, C] (or [H, W]) in [0, 1], both sides at least 11.
        target: the same shape.

    Returns:
        At most 1, which identical images reach.

    Raises:
        ValueError: when a side is shorter than the window, the shapes differ, or see `checked_image`.
    """
    output, target = checked_pair("SSIM", output, target)
    if min(output.shape[:2]) < WINDOW:
        raise ValueError(
            f"SSIM expects at least {WINDOW}x{WINDOW} pixels, the size of its window; "
            f"received {output.shape[0]}x{output.shape[1]}"
        )
    if output.ndim == 2:
        output, target = output[..., np.newaxis], target[..., np.newaxis]
    images = [tf.constant(image[np.newaxis], tf.float32) for image in (output, target)]
    return float(batch_ssim(*images)[0])


def ssim_gray(output: np.ndarray, target: np.ndarray) -> float:
    """SSIM of the gray versions (BT.601 luma) of two colour images: a different, higher number.

    Papers that call OpenCV's or MATLAB's gray conversion first quote this one. It must never share a
    column with `ssim`.

    Args:
        output: float [H, W, 3], RGB in [0, 1], both sides at least 11.
        target: the same shape.

    Returns:
        At most 1.

    Raises:
        ValueError: see `ssim`; and on other than three channels.
    """
    output, target = checked_pair("SSIM-gray", output, target)
    if output.shape[2:] != (3,):
        raise ValueError(f"SSIM-gray expects RGB images [H, W, 3]; received {list(output.shape)}")
    return ssim(output @ np.array(BT601), target @ np.array(BT601))
