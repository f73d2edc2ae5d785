"""The illuminations of two exposures share their strong edges and have no weak ones."""

from __future__ import annotations

import tensorflow as tf

from kind.ops.gradient import normalised_gradient

_SHAPE = 10.0


def mutual_consistency(low: tf.Tensor, high: tf.Tensor, *, per_image: bool = False) -> tf.Tensor:
    """Mean M·exp(-10·M) over x plus y, with M = ∇L_low + ∇L_high: shared edges are strong or none.

    Source: KinD, section 3.2.1.

    The penalty is highest for middling edges: it vanishes where both illuminations are flat and where
    both have the same strong edge.

    Args:
        low: illumination of the dark image, float32 [N, H, W, 1] in [0, 1].
        high: illumination of the bright image, the same shape.
        per_image: normalise the gradients over each image instead of the batch.

    Returns:
        float32 scalar, from 0 to 1 / (5·e) = 0.074.
    """
    total = 0.0
    for axis in ("x", "y"):
        edges = normalised_gradient(low, axis, per_image=per_image) + normalised_gradient(
            high, axis, per_image=per_image
        )
        total += tf.reduce_mean(edges * tf.exp(-_SHAPE * edges))
    return total
