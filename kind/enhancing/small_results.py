"""A result at a fraction of the resolution, carried to full size by the guided filter: for any variant."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from kind.enhancing.enhancer import Enhancer
from kind.enhancing.given_images import Picture, as_levels
from kind.images.pixels import in_unit_range
from kind.ops.blocks import block_mean_array
from kind.ops.guided_filter import guided_upsampling


def relit_from_small(
    enhancer: Enhancer,
    image: Picture,
    factor: int,
    alpha: float | None = None,
    *,
    radius: int = 2,
    epsilon: float = 1e-4,
) -> np.ndarray:
    """Enhances a smaller version of an image, and carries the result to full size along the image's edges.

    The networks take about 1 / factor² of the time. What they do to detail, such as taking noise away, is
    lost at the scale of the pixels: the image's own detail comes back, brighter. Each channel is guided by
    itself.

    Args:
        enhancer: of any variant.
        image: one image, as an enhancer takes it.
        factor: side of the squares that are averaged, from 1 on.
        alpha: see `Enhancer.__call__`.
        radius: of the filter, in pixels of the smaller version.
        epsilon: see `kind.ops.guided_filter.guided_coefficients`.

    Returns:
        float32 [H, W, 3] in [0, 1].

    Raises:
        ValueError: on a factor below 1, or what an enhancer raises.
    """
    if factor < 1:
        raise ValueError(f"factor expects 1 or more; received {factor}")
    levels = np.asarray(as_levels(image))
    small = block_mean_array(levels, factor)
    relit = np.asarray(enhancer(small, alpha, parts=("relit",)).relit)
    full = in_unit_range(levels[np.newaxis])
    carried = guided_upsampling(
        tf.convert_to_tensor(full),
        tf.constant(small[np.newaxis]),
        tf.constant(relit[np.newaxis]),
        radius,
        epsilon,
    )
    return np.clip(carried[0].numpy(), 0.0, 1.0)
