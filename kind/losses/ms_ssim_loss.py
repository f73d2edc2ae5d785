"""One minus structural similarity at several scales."""

from __future__ import annotations

import tensorflow as tf

from kind.losses.reduction import averaged
from kind.ops.ms_ssim import ms_ssim


def ms_ssim_loss(
    output: tf.Tensor, target: tf.Tensor, *, simplified: bool = False, per_image: bool = False
) -> tf.Tensor:
    """1 - MS-SSIM over five scales.

    Source: Wang et al., "Multi-Scale Structural Similarity for Image Quality Assessment", Asilomar 2003,
    equation 7; simplified: Zhao et al., "Loss Functions for Image Restoration with Neural Networks", IEEE TCI
    2017, section III.D.

    Args:
        output: float32 [N, H, W, C] in [0, 1], H and W at least 176.
        target: the same shape.
        simplified: all exponents are 1 (α = β = 1) instead of the published ones.
        per_image: keep the loss of each image instead of averaging over the batch.

    Returns:
        float32 scalar, or [N]; from 0, which identical images give, to 1.

    Raises:
        ValueError: when a statically known side is below 176; see `kind.ops.ms_ssim`.
    """
    return averaged(1.0 - ms_ssim(output, target, simplified=simplified), per_image)
