"""Structural similarity at several scales (Wang et al., Asilomar 2003), differentiable."""

from __future__ import annotations

import tensorflow as tf

from kind.ops.ssim import WINDOW, ssim_maps

EXPONENTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""The published ones, from the finest scale to the coarsest."""

SMALLEST_SIDE = WINDOW * 2 ** (len(EXPONENTS) - 1)
"""Pixels: the window still fits after four halvings."""

_SMALLEST = 1e-6


def ms_ssim(first: tf.Tensor, second: tf.Tensor, *, simplified: bool = False) -> tf.Tensor:
    """MS-SSIM of images of range [0, 1] over five scales, per channel and then averaged.

    Π_j (mean cs_j)^(w_j) over the finer scales times (mean SSIM)^(w_5) at the coarsest, cs the contrast and
    structure part of SSIM; each scale averages 2×2 pixels of the one before, as the authors' code does. Means
    below 1e-6 count as 1e-6: a negative one has no such power.

    Args:
        first: float32 [N, H, W, C] in [0, 1], with H and W at least 176.
        second: the same shape.
        simplified: all exponents w are 1.

    Returns:
        float32 [N], 1 for identical images.

    Raises:
        ValueError: when a statically known side is too short; the message says the smallest size.
        tf.errors.InvalidArgumentError: when a side known only in the graph is.
    """
    for side in (first.shape[1], first.shape[2]):
        if side is not None and side < SMALLEST_SIDE:
            raise ValueError(
                f"MS-SSIM expects images of at least {SMALLEST_SIDE}x{SMALLEST_SIDE}, received "
                f"{first.shape[1]}x{first.shape[2]}: after four halvings its window does not fit"
            )
    message = f"MS-SSIM expects at least {SMALLEST_SIDE}x{SMALLEST_SIDE} pixels"
    check = tf.debugging.assert_greater_equal(tf.shape(first)[1:3], SMALLEST_SIDE, message=message)
    with tf.control_dependencies([check] if check is not None else []):  # None where it runs eagerly
        first = tf.identity(first)
    product = 1.0
    for scale, exponent in enumerate(EXPONENTS):
        luminance, structure = ssim_maps(first, second)
        if scale == len(EXPONENTS) - 1:
            structure *= luminance
        mean = tf.maximum(tf.reduce_mean(structure, axis=[1, 2]), _SMALLEST)  # [N, C]
        product *= mean if simplified else tf.pow(mean, exponent)
        first, second = (tf.nn.avg_pool2d(image, 2, 2, "VALID") for image in (first, second))
    return tf.reduce_mean(product, axis=-1)
