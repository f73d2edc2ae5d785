"""Errors in the dark regions of a photograph count more."""

from __future__ import annotations

import tensorflow as tf

from kind.constants import BT601
from kind.losses.reduction import averaged
from kind.ops.colour import gray


def region(
    output: tf.Tensor,
    target: tf.Tensor,
    *,
    dark_weight: float = 4.0,
    bright_weight: float = 1.0,
    dark_share: float = 0.4,
    per_image: bool = False,
) -> tf.Tensor:
    """w_L · mean |d| over the darkest 40 % of an image's pixels + w_H · mean |d| over the others.

    Source: Lv et al., "MBLLEN: Low-light Image/Video Enhancement Using CNNs", BMVC 2018, equation 18. Paper:
    leaves open whose darkest pixels. Here: the target's by luma, because they stay the same while training.

    Args:
        output: float32 [N, H, W, 3] in [0, 1].
        target: the same shape.
        dark_weight: w_L.
        bright_weight: w_H.
        dark_share: which part of the pixels is dark, in (0, 1); pixels as bright as the last one join them.
        per_image: keep the loss of each image instead of averaging over the batch.

    Returns:
        float32 scalar, or [N]; from 0, which identical images give.
    """
    errors = tf.reduce_mean(tf.abs(output - target), axis=-1)  # [N, H, W]
    shape = [tf.shape(target)[0], -1]
    luma = tf.reshape(gray(target, BT601), shape)
    errors = tf.reshape(errors, shape)
    count = tf.maximum(tf.cast(dark_share * tf.cast(tf.shape(luma)[1], tf.float32), tf.int32), 1)
    brightest = tf.sort(luma, axis=1)[:, count - 1, tf.newaxis]
    dark = tf.stop_gradient(tf.cast(luma <= brightest, output.dtype))
    of_dark, of_bright = _mean_where(errors, dark), _mean_where(errors, 1.0 - dark)
    return averaged(dark_weight * of_dark + bright_weight * of_bright, per_image)


def _mean_where(values: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Mean over the places where the mask is 1, 0 where there are none: [N, P] → [N]."""
    return tf.reduce_sum(values * mask, axis=1) / tf.maximum(tf.reduce_sum(mask, axis=1), 1.0)
