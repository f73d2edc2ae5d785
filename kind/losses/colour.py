"""Losses of colour, beside brightness or texture."""

from __future__ import annotations

import tensorflow as tf

from kind.losses.mse import mse
from kind.losses.reduction import averaged
from kind.ops.gaussian import gaussian_blur

_SMALLEST_PRODUCT = 1e-4
_SMALLEST_AREA = 1e-6
_SIGMA, _RADIUS = 3.0, 10


def colour_angle(output: tf.Tensor, target: tf.Tensor, *, per_image: bool = False) -> tf.Tensor:
    """Mean angle between the RGB vectors of output and target: colour whatever the brightness.

    Source: Wang et al., "Underexposed Photo Enhancement Using Deep Illumination Estimation", CVPR 2019,
    equation 5. Paper: sum. Here: mean, by atan2(|a × b|, a·b + 1e-4): its slope is finite, and colours too
    dark to tell count little.

    Args:
        output: float32 [N, H, W, 3] in [0, 1].
        target: the same shape.
        per_image: average over each image instead of the batch.

    Returns:
        float32 scalar, or [N]; radians from 0, which equal colours of any brightness give, to π/2.
    """
    cross = tf.linalg.cross(output, target)
    area = tf.sqrt(tf.reduce_sum(tf.square(cross), axis=-1) + _SMALLEST_AREA**2) - _SMALLEST_AREA
    product = tf.reduce_sum(output * target, axis=-1) + _SMALLEST_PRODUCT
    return averaged(tf.math.atan2(area, product), per_image)


def blurred_colour(output: tf.Tensor, target: tf.Tensor, *, per_image: bool = False) -> tf.Tensor:
    """Mean (G(output) - G(target))², G a Gaussian blur of σ 3 over 21×21 pixels: colour without texture.

    Source: Ignatov et al., "DSLR-Quality Photos on Mobile Devices with Deep Convolutional Networks", ICCV
    2017, equations 1 and 2. Paper: sum. Here: mean, with the border repeated.

    Args:
        output: float32 [N, H, W, 3] in [0, 1].
        target: the same shape.
        per_image: average over each image instead of the batch.

    Returns:
        float32 scalar, or [N]; from 0, which identical images give.
    """
    blurred = (gaussian_blur(image, _SIGMA, _RADIUS / _SIGMA) for image in (output, target))
    return mse(*blurred, per_image=per_image)
