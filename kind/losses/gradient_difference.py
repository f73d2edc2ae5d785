"""Two images should have the same edges."""

from __future__ import annotations

import tensorflow as tf

from kind.ops.gradient import normalised_gradient


def gradient_difference(
    output: tf.Tensor, target: tf.Tensor, *, signed: bool = False, per_image: bool = False
) -> tf.Tensor:
    """Mean squared difference of the normalised gradients, x plus y.

    Source: KinD, equations 4 and 5.

    Args:
        output: float32 [N, H, W, 1] in [0, 1].
        target: the same shape.
        signed: compare signed gradients, as KinD++'s adjustment loss does.
        per_image: normalise the gradients over each image instead of the batch.

    Returns:
        float32 scalar, from 0, which identical images give, to 2.
    """
    total = 0.0
    for axis in ("x", "y"):
        of_output = normalised_gradient(output, axis, signed=signed, per_image=per_image)
        of_target = normalised_gradient(target, axis, signed=signed, per_image=per_image)
        total += tf.reduce_mean(tf.square(of_output - of_target))
    return total
