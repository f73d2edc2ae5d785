"""What the illumination adjustment network is trained for."""

from __future__ import annotations

import tensorflow as tf

from kind.illumination.config import AdjustmentConfig
from kind.losses.gradient_difference import gradient_difference
from kind.losses.mse import mse

TERMS = ("mse", "gradient")
"""Names of the loss's terms, in the order in which they are logged."""

_EPSILON = 1e-4


def brightness_ratio(low: tf.Tensor, high: tf.Tensor) -> tf.Tensor:
    """mean(L_low / (L_high + 1e-4)) of each image: float32 [N] from two float32 [N, H, W, 1]."""
    return tf.reduce_mean(low / (high + _EPSILON), axis=[1, 2, 3])


def adjustment_loss(
    adjusted: tf.Tensor,
    target: tf.Tensor,
    *,
    signed: bool = AdjustmentConfig.signed_gradient,
    per_image: bool = False,
) -> dict[str, tf.Tensor]:
    """The terms of KinD's adjustment loss (equation 5) and their sum.

    Args:
        adjusted: the network's illumination, float32 [N, H, W, 1] in [0, 1].
        target: the illumination of the other exposure, the same shape.
        signed: compare signed gradients, as KinD++ does.
        per_image: normalise gradients over each image; the published form takes the whole batch.

    Returns:
        float32 scalars by name: "loss", the sum, and `TERMS`.
    """
    terms = (
        mse(adjusted, target),
        gradient_difference(adjusted, target, signed=signed, per_image=per_image),
    )
    return {"loss": tf.add_n(terms), **dict(zip(TERMS, terms))}
