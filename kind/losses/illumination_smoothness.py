"""Illumination should change only where the image does."""

from __future__ import annotations

import tensorflow as tf

from kind.ops.colour import gray
from kind.ops.gradient import normalised_gradient

_SMALLEST_GRADIENT = 0.01


def illumination_smoothness(
    illumination: tf.Tensor, image: tf.Tensor, *, per_image: bool = False
) -> tf.Tensor:
    """Mean |∇L / max(∇gray(S), 0.01)| over x plus y: illumination has edges only where the image has.

    Source: KinD, section 3.2.1.

    Args:
        illumination: L, float32 [N, H, W, 1] in [0, 1].
        image: S, float32 [N, H, W, 3] in [0, 1].
        per_image: normalise the gradients over each image instead of the batch.

    Returns:
        float32 scalar, from 0, which flat illuminations approach, to 200.
    """
    grey = gray(image)
    total = 0.0
    for axis in ("x", "y"):
        numerator = normalised_gradient(illumination, axis, per_image=per_image)
        denominator = normalised_gradient(grey, axis, per_image=per_image)
        total += tf.reduce_mean(tf.abs(numerator / tf.maximum(denominator, _SMALLEST_GRADIENT)))
    return total
