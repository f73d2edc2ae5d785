"""Samples taken apart by a frozen decomposition as they are drawn."""

from __future__ import annotations

import tensorflow as tf
from tensorflow import keras

from kind.data.batches import Prepare
from kind.ops.area import area_resized
from kind.ops.light import expose, matching_stops


def decomposing(
    decom: keras.Model, side: int | None = None, then: Prepare | None = None, *, exposed: bool = False
) -> Prepare:
    """A last step for samples of a mixture that a stage with `needs_decom` learns from.

    A crop is taken apart on its own, so its decomposition differs from the whole image's near its border.

    Args:
        decom: image → [reflectance, illumination].
        side: average both images down to squares of so many pixels first.
        then: a further step.
        exposed: bring the dark image to the brightness of the bright one first, in linear light.

    Returns:
        A function from `{low, high, …}`, float32 [H, W, 3], and a seed, int32 [2], to
        `{reflectance_low, illumination_low, reflectance_high, illumination_high}`, float32 [H, W, 3 or 1],
        with `side` also the images that were taken apart, `low` and `high`, or what `then` makes of it.
    """

    def take_apart(sample: dict[str, tf.Tensor], seed: tf.Tensor) -> dict[str, tf.Tensor]:
        low, high = sample["low"], sample["high"]
        if exposed:
            stops = matching_stops(low[tf.newaxis], high[tf.newaxis])
            low = expose(low, stops)
        both = tf.stack([low, high])
        if side:
            both = area_resized(both, side, side)
        parts = zip(("reflectance", "illumination"), decom(both, training=False))
        taken = {
            f"{name}_{which}": part[at] for name, part in parts for at, which in enumerate(("low", "high"))
        }
        if side:
            taken |= {"low": both[0], "high": both[1]}
        return then(taken, seed) if then else taken

    return take_apart
