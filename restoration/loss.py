"""What the restoration networks are trained for."""

from __future__ import annotations

import tensorflow as tf

from kind.losses.gradient_difference import gradient_difference
from kind.losses.mse import mse
from kind.losses.ssim_loss import ssim_loss
from kind.ops.colour import gray
from kind.restoration.config import RestorationConfig

TERMS = ("mse", "ssim_loss", "gradient")
"""Names of the loss's terms, in the order in which they are logged; KinD++ has no "gradient"."""


def restoration_target(
    reflectance_high: tf.Tensor,
    *,
    scale: float = RestorationConfig.target_scale,
    power: float = RestorationConfig.target_power,
) -> tf.Tensor:
    """What the restored reflectance should be: (scale · R_high)^power.

    Paper: R_high itself. Here: a power of 1.2 (and a scale of 0.99 in KinD++), a contrast tweak of the
    published code.

    Args:
        reflectance_high: reflectance of the bright image, float32 [N, H, W, 3] in [0, 1].
        scale: 1 in KinD, 0.99 in KinD++.
        power: of both.

    Returns:
        float32 [N, H, W, 3] in [0, 1].
    """
    return tf.pow(scale * reflectance_high, power)


def restoration_loss(
    restored: tf.Tensor,
    target: tf.Tensor,
    *,
    with_gradient: bool = RestorationConfig.gradient_term,
    per_image: bool = RestorationConfig.per_image,
) -> dict[str, tf.Tensor]:
    """The terms of KinD's restoration loss (equation 4) and their sum.

    Args:
        restored: float32 [N, H, W, 3] in [0, 1], H and W at least 11.
        target: the same shape.
        with_gradient: include the gradient term: KinD does, KinD++ does not.
        per_image: normalise gradients over each image; the published form takes the whole batch.

    Returns:
        float32 scalars by name: "loss", the sum, and `TERMS`, the last one only `with_gradient`.
    """
    terms = [mse(restored, target), ssim_loss(restored, target)]
    if with_gradient:
        terms.append(gradient_difference(gray(restored), gray(target), per_image=per_image))
    return {"loss": tf.add_n(terms), **dict(zip(TERMS, terms))}
