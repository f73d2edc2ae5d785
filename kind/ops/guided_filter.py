"""The guided filter: edges of a guide, values of another image."""

from __future__ import annotations

import tensorflow as tf


def box_mean(values: tf.Tensor, radius: int) -> tf.Tensor:
    """Mean over squares of (2·radius + 1)² pixels, of those pixels that lie in the image.

    Args:
        values: float [N, H, W, C].
        radius: in pixels, from 0 on.

    Returns:
        The same shape.
    """
    return tf.nn.avg_pool2d(values, 2 * radius + 1, 1, "SAME")


def guided_coefficients(
    guide: tf.Tensor, values: tf.Tensor, radius: int, epsilon: float
) -> tuple[tf.Tensor, tf.Tensor]:
    """A and b for which A·guide + b is close to `values` in each square (He et al., PAMI 2013, eq. 5, 6).

    Args:
        guide: I, float [N, H, W, C], or one channel for all of `values`.
        values: p, float [N, H, W, C].
        radius: of the squares, in pixels.
        epsilon: regularisation, in squared units of the guide: where it varies by less, values are averaged.

    Returns:
        A = (mean(I·p) - mean(I)·mean(p)) / (var(I) + ε) and b = mean(p) - A·mean(I), float [N, H, W, C].
    """
    mean_guide, mean_values = box_mean(guide, radius), box_mean(values, radius)
    covariance = box_mean(guide * values, radius) - mean_guide * mean_values
    variance = box_mean(guide * guide, radius) - mean_guide * mean_guide
    slope = covariance / (variance + epsilon)
    return slope, mean_values - slope * mean_guide


def guided_filter(guide: tf.Tensor, values: tf.Tensor, radius: int, epsilon: float) -> tf.Tensor:
    """Smooths values but for the edges of a guide (He et al., PAMI 2013, algorithm 1).

    Args:
        guide: float [N, H, W, C], or one channel.
        values: float [N, H, W, C].
        radius: in pixels.
        epsilon: see `guided_coefficients`.

    Returns:
        mean(A)·guide + mean(b), float [N, H, W, C].
    """
    slope, offset = guided_coefficients(guide, values, radius, epsilon)
    return box_mean(slope, radius) * guide + box_mean(offset, radius)


def guided_upsampling(
    guide: tf.Tensor, small_guide: tf.Tensor, values: tf.Tensor, radius: int, epsilon: float
) -> tf.Tensor:
    """Carries a small result to full size along the edges of the full image (He and Sun, 2015).

    Args:
        guide: the full image, float [N, H, W, C].
        small_guide: the same, averaged down, float [N, h, w, C].
        values: the result at the small size, float [N, h, w, C].
        radius: in pixels of the small image.
        epsilon: see `guided_coefficients`.

    Returns:
        float [N, H, W, C].
    """
    slope, offset = guided_coefficients(small_guide, values, radius, epsilon)
    size = tf.shape(guide)[1:3]
    slope, offset = (tf.image.resize(box_mean(part, radius), size) for part in (slope, offset))
    return slope * guide + offset
