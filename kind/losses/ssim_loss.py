"""One minus structural similarity."""

from __future__ import annotations

import tensorflow as tf

from kind.ops.ssim import ssim


def ssim_loss(output: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    """1 - SSIM, averaged over the batch (KinD, equation 4).

    Args:
        output: float32 [N, H, W, C] in [0, 1], H and W at least 11.
        target: the same shape.

    Returns:
        float32 scalar, 0 for identical images.
    """
    return 1.0 - tf.reduce_mean(ssim(output, target))
