"""Losses of edges."""

from __future__ import annotations

import tensorflow as tf

from kind.losses.pixel import l1
from kind.losses.reduction import averaged
from kind.ops.gradient import forward_difference


def total_variation(output: tf.Tensor, *, per_image: bool = False) -> tf.Tensor:
    """Mean |∇x| + |∇y|: smooths noise and keeps steps.

    Source: Rudin et al., "Nonlinear Total Variation Based Noise Removal Algorithms", Physica D 1992. Paper:
    √(∇x² + ∇y²). Here: the anisotropic form.

    Args:
        output: float32 [N, H, W, C].
        per_image: average over each image instead of the batch.

    Returns:
        float32 scalar, or [N]; from 0, which constant images give.
    """
    slope = tf.abs(forward_difference(output, "x")) + tf.abs(forward_difference(output, "y"))
    return averaged(slope, per_image)


def sobel(output: tf.Tensor, target: tf.Tensor, *, per_image: bool = False) -> tf.Tensor:
    """Mean |S(output) - S(target)|, S the Sobel filters of x and y with the border reflected.

    Source: Sobel and Feldman, "A 3×3 Isotropic Gradient Operator for Image Processing", 1968.

    Args:
        output: float32 [N, H, W, C], H and W at least 2.
        target: the same shape.
        per_image: average over each image instead of the batch.

    Returns:
        float32 scalar, or [N]; from 0, which identical images give.
    """
    return l1(tf.image.sobel_edges(output), tf.image.sobel_edges(target), per_image=per_image)
