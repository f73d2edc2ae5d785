"""Cross-entropies of class scores and labels. All take logits, whose logarithms never overflow."""

from __future__ import annotations

import tensorflow as tf

from kind.losses.reduction import averaged


def binary_cross_entropy(logits: tf.Tensor, labels: tf.Tensor, *, per_image: bool = False) -> tf.Tensor:
    """Mean -(y·log p + (1 - y)·log(1 - p)) with p = σ(logit).

    Source: Good, "Rational Decisions", JRSS B 1952; Bishop, "Pattern Recognition and Machine Learning", 4.90.

    Args:
        logits: float32 [N, ...].
        labels: y, float32 in [0, 1], the same shape.
        per_image: average over each sample instead of the batch.

    Returns:
        float32 scalar, or [N]; from the labels' entropy, which p = y gives: 0 for labels of 0 or 1.
    """
    return averaged(tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits), per_image)


def class_cross_entropy(logits: tf.Tensor, labels: tf.Tensor, *, per_image: bool = False) -> tf.Tensor:
    """Mean -log softmax(logits) at the label's class.

    Source: Bishop, "Pattern Recognition and Machine Learning", equation 4.108.

    Args:
        logits: float32 [N, ..., K].
        labels: class numbers from 0 to K - 1, integers [N, ...].
        per_image: average over each sample instead of the batch.

    Returns:
        float32 scalar, or [N]; from 0, which certain and right logits approach; log K for equal ones.
    """
    return averaged(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits), per_image)


def focal(
    logits: tf.Tensor,
    labels: tf.Tensor,
    *,
    gamma: float = 2.0,
    alpha: float = 0.25,
    per_image: bool = False,
) -> tf.Tensor:
    """Mean -α_t·(1 - p_t)^γ·log p_t: binary cross-entropy in which easy samples count little.

    p_t is the probability of the true class, α_t is α for label 1 and 1 - α for label 0.

    Source: Lin et al., "Focal Loss for Dense Object Detection", ICCV 2017, equation 5.

    Args:
        logits: float32 [N, ...].
        labels: float32, 0 or 1, the same shape; values between mix the two.
        gamma: γ, from 0, where this is α-balanced cross-entropy.
        alpha: α, in [0, 1].
        per_image: average over each sample instead of the batch.

    Returns:
        float32 scalar, or [N]; from 0, which certain and right logits approach.
    """
    # log p = -softplus(-z) and log(1 - p) = -softplus(z): powers become products, finite for every logit.
    of_one, of_zero = tf.nn.softplus(-logits), tf.nn.softplus(logits)
    positive = alpha * tf.exp(-gamma * of_zero) * of_one
    negative = (1.0 - alpha) * tf.exp(-gamma * of_one) * of_zero
    return averaged(labels * positive + (1.0 - labels) * negative, per_image)
