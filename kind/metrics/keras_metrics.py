"""Image metrics as Keras metrics, for `model.compile`."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf
from tensorflow import keras

from kind.metrics.psnr import batch_psnr
from kind.ops.ssim import ssim


class _MeanOverImages(keras.metrics.Mean):
    """The mean of a figure over all images since the last reset."""

    _of_each: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Adds a batch.

        Args:
            y_true: targets, float [N, H, W, C] in [0, 1].
            y_pred: predictions, the same shape.
            sample_weight: of each image, [N], or None.
        """
        target = tf.cast(y_true, y_pred.dtype)
        return super().update_state(self._of_each(y_pred, target), sample_weight)


@keras.utils.register_keras_serializable(package="kind")
class PSNR(_MeanOverImages):
    """Mean PSNR of images of range [0, 1] in decibels: `kind.metrics.psnr.psnr` of each, averaged.

    Infinite as soon as one image equals its target.

    Example:
        >>> model.compile("adam", "mse", metrics=[kind.metrics.PSNR(), kind.metrics.SSIM()])
    """

    _of_each = staticmethod(batch_psnr)

    def __init__(self, name: str = "psnr", dtype=None) -> None:
        """Takes Keras's name and type."""
        super().__init__(name=name, dtype=dtype)


@keras.utils.register_keras_serializable(package="kind")
class SSIM(_MeanOverImages):
    """Mean SSIM of images of range [0, 1]: `kind.metrics.ssim.ssim` of each, averaged; 1 for identical ones.

    Both sides of the images have at least 11 pixels.
    """

    _of_each = staticmethod(ssim)

    def __init__(self, name: str = "ssim", dtype=None) -> None:
        """Takes Keras's name and type."""
        super().__init__(name=name, dtype=dtype)
