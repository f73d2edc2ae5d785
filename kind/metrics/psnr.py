"""Peak signal-to-noise ratio."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from kind.metrics.image_arrays import checked_pair


def psnr(output: np.ndarray, target: np.ndarray) -> float:
    """PSNR in decibels of one image of range [0, 1]: 10·log10(1 / mean (output - target)²).

    The mean runs over all pixels and channels together, in float64; scikit-image's
    `peak_signal_noise_ratio(target, output, data_range=1)`.

    Args:
        output: float [H, W, C] (or [H, W]) in [0, 1].
        target: the same shape.

    Returns:
        Decibels; infinite for identical images. A figure over a set of images is the mean of their PSNRs.

    Raises:
        ValueError: when the shapes differ, an image is empty or not floating point, or holds NaN or infinity.
    """
    output, target = checked_pair("PSNR", output, target)
    error = np.mean(np.square(output - target))
    return float("inf") if error == 0 else float(-10.0 * np.log10(error))


def batch_psnr(output: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    """The same for a batch, as a tensor, eagerly or in a graph.

    Args:
        output: float [N, H, W, C] in [0, 1].
        target: the same shape.

    Returns:
        float32 [N], decibels; infinite for identical images.
    """
    difference = tf.cast(output, tf.float64) - tf.cast(target, tf.float64)
    error = tf.reduce_mean(tf.square(difference), axis=[1, 2, 3])
    return tf.cast(-10.0 * tf.math.log(error) / tf.math.log(tf.constant(10.0, tf.float64)), tf.float32)
