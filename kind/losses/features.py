"""Losses of features φ_j that a frozen network sees in two images; the network is the caller's."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from kind.losses.reduction import averaged

_SMALLEST = 1e-6


def perceptual(
    output: Sequence[tf.Tensor], target: Sequence[tf.Tensor], *, per_image: bool = False
) -> tf.Tensor:
    """Σ_j 1/(C_j·H_j·W_j) · ‖φ_j(output) - φ_j(target)‖²: images should look alike to a classifier.

    Source: Johnson et al., "Perceptual Losses for Real-Time Style Transfer and Super-Resolution", ECCV 2016,
    equation 2.

    Args:
        output: features of the output by layer, float32 [N, H_j, W_j, C_j] each.
        target: those of the target, the same shapes.
        per_image: keep the loss of each image instead of averaging over the batch.

    Returns:
        float32 scalar, or [N]; from 0, which identical images give.
    """
    return tf.add_n([averaged(tf.square(now - then), per_image) for now, then in zip(output, target)])


def relative_features(
    output: Sequence[tf.Tensor], target: Sequence[tf.Tensor], *, per_image: bool = False
) -> tf.Tensor:
    """Mean over j of |φ_j(output) - φ_j(target)| / mean |φ_j(target)|: alike to a detector at every level.

    Source: this project; the idea is that of `perceptual`, in which a detector's first level outweighs all
    others. Here: each level counts by how much it differs from what it is.

    Args:
        output: features of the output by level, float32 [N, H_j, W_j, C_j] each.
        target: those of the target, the same shapes.
        per_image: keep the loss of each image instead of averaging over the batch.

    Returns:
        float32 scalar, or [N]; from 0, which identical images give.
    """
    levels = [
        averaged(tf.abs(now - then), True) / (averaged(tf.abs(then), True) + _SMALLEST)
        for now, then in zip(output, target)
    ]
    return averaged(tf.add_n(levels) / len(levels), per_image)


def texture(
    output: Sequence[tf.Tensor], target: Sequence[tf.Tensor], *, per_image: bool = False
) -> tf.Tensor:
    """Σ_j mean (G_j(output) - G_j(target))², G_j = φ_jᵀφ_j / (H_j·W_j) the Gram matrix of the features.

    The Gram matrix forgets where features are: the loss asks for the same texture, not the same pixels.

    Source: Gatys et al., "Image Style Transfer Using Convolutional Neural Networks", CVPR 2016, equations 3
    to 5. Paper: sums over places. Here: means, so that the loss does not depend on the image's size.

    Args:
        output: features of the output by layer, float32 [N, H_j, W_j, C_j] each.
        target: those of the target; H_j and W_j may differ.
        per_image: keep the loss of each image instead of averaging over the batch.

    Returns:
        float32 scalar, or [N]; from 0, which identical images give.
    """
    return perceptual([_gram(part) for part in output], [_gram(part) for part in target], per_image=per_image)


def _gram(features: tf.Tensor) -> tf.Tensor:
    """Mean products of every two channels: [N, H, W, C] → [N, C, C]."""
    shape = tf.shape(features)
    flat = tf.reshape(features, [shape[0], shape[1] * shape[2], features.shape[-1]])
    return tf.matmul(flat, flat, transpose_a=True) / tf.cast(shape[1] * shape[2], features.dtype)
