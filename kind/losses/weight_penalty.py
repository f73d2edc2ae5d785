"""Penalties on a network's weights, against overfitting."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf


def l1_weights(weights: Sequence[tf.Tensor]) -> tf.Tensor:
    """Σ |w|: drives weights to 0, so that few are left.

    Source: Tibshirani, "Regression Shrinkage and Selection via the Lasso", JRSS B 1996.

    Args:
        weights: float32 tensors of any shapes, such as a network's kernels.

    Returns:
        float32 scalar; from 0, which weights of 0 give.
    """
    return tf.add_n([tf.reduce_sum(tf.abs(values)) for values in weights])


def l2_weights(weights: Sequence[tf.Tensor]) -> tf.Tensor:
    """½·Σ w²: pulls weights towards 0, large ones most.

    The factor ½ makes the gradient the weight itself, as in weight decay.

    Source: Krogh and Hertz, "A Simple Weight Decay Can Improve Generalization", NeurIPS 1991, equation 1.

    Args:
        weights: float32 tensors of any shapes, such as a network's kernels.

    Returns:
        float32 scalar; from 0, which weights of 0 give.
    """
    return tf.add_n([tf.nn.l2_loss(values) for values in weights])
