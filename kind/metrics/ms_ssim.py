"""Structural similarity at several scales as a figure of merit."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from kind.metrics.image_arrays import checked_pair
from kind.ops.ms_ssim import ms_ssim as batch_ms_ssim


def ms_ssim(output: np.ndarray, target: np.ndarray) -> float:
    """MS-SSIM of one image of range [0, 1] over five scales, per channel and then averaged.

    Wang et al., "Multi-Scale Structural Similarity for Image Quality Assessment", Asilomar 2003, with the
    published exponents; `kind.ops.ms_ssim` computes it, which is the training loss as well.

    Args:
        output: float [H, W, C] (or [H, W]) in [0, 1], both sides at least 176.
        target: the same shape.

    Returns:
        At most 1, which identical images reach.

    Raises:
        ValueError: when a side is below 176, the shapes differ, or see `checked_image`.
    """
    output, target = checked_pair("MS-SSIM", output, target)
    if output.ndim == 2:
        output, target = output[..., np.newaxis], target[..., np.newaxis]
    images = [tf.constant(image[np.newaxis], tf.float32) for image in (output, target)]
    return float(batch_ms_ssim(*images)[0])
