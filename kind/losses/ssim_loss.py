"""One minus structural similarity."""

from __future__ import annotations

import tensorflow as tf

from kind.ops.ssim import ssim


def ssim_loss(output: tf.Tensor, target: tf.Tensor, *, per_image: bool = False) -> tf.Tensor:
    """1 - SSIM: structure in windows of 11×11 pixels rather than single values.

    Source: Wang et al., "Image Quality Assessment", IEEE TIP 2004; as a term, KinD, equation 4.

    Args:
        output: float32 [N, H, W, C] in [0, 1], H and W at least 11.
        target: the same shape.
        per_image: keep the loss of each image instead of averaging over the batch.

    Returns:
        float32 scalar, or [N]; 0 for identical images.
    """
    similarity = ssim(output, target)
    return 1.0 - (similarity if per_image else tf.reduce_mean(similarity))
