"""Two images should agree at every scale."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from kind.losses.reduction import averaged
from kind.ops.gaussian import filter_separably

_KERNEL = np.float32([1, 4, 6, 4, 1]) / 16


def laplacian_pyramid(
    output: tf.Tensor, target: tf.Tensor, *, levels: int = 5, per_image: bool = False
) -> tf.Tensor:
    """Σ_j mean |L_j(output) - L_j(target)| over the levels of Laplacian pyramids, their last one included.

    Source: Bojanowski et al., "Optimizing the Latent Space of Generative Networks", ICML 2018, equation 3;
    its factor 4^j makes each level's sum over pixels a mean. Pyramid: Burt and Adelson, "The Laplacian
    Pyramid as a Compact Image Code", IEEE Transactions on Communications 1983.

    Args:
        output: float32 [N, H, W, C].
        target: the same shape.
        levels: how often the size is halved.
        per_image: average over each image instead of the batch.

    Returns:
        float32 scalar, or [N]; from 0, which identical images give.
    """
    values = output - target  # the pyramid is linear: one of the difference does
    total = 0.0
    for _ in range(levels):
        coarse = filter_separably(_wider(_wider(values)), _KERNEL)[:, ::2, ::2]
        total += averaged(tf.abs(values - _expanded(coarse, tf.shape(values))), per_image)
        values = coarse
    return total + averaged(tf.abs(values), per_image)


def _expanded(coarse: tf.Tensor, shape: tf.Tensor) -> tf.Tensor:
    """Twice the size, cut to `shape`: zeros between the pixels, filtered with twice the kernel each way."""
    padded = _wider(coarse)
    size = tf.shape(padded)
    channels = coarse.shape[-1]
    spread = tf.pad(padded[:, :, tf.newaxis, :, tf.newaxis], [[0, 0], [0, 0], [0, 1], [0, 0], [0, 1], [0, 0]])
    spread = tf.reshape(spread, [size[0], 2 * size[1], 2 * size[2], channels])
    return filter_separably(spread, 2 * _KERNEL)[:, : shape[1], : shape[2]]


def _wider(image: tf.Tensor) -> tf.Tensor:
    """The image with its outermost pixels repeated once; any size from 1×1."""
    return tf.pad(image, [[0, 0], [1, 1], [1, 1], [0, 0]], "SYMMETRIC")
