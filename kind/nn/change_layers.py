"""Keras layers of change detection: edges of first and second order, differences, gates and attention."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from tensorflow import keras

from kind.nn.file_schema import flag, real
from kind.nn.known_layers import saved_layer
from kind.nn.spatial import Pointwise

_SMALLEST_SIGMA, _LARGEST_SIGMA = 0.3, 4.0
_RADIUS = 8  # of the window of both Gaussians, whatever σ: twice the largest one

_SIDE, _MIDDLE = 3.0, 10.0
_STRAIGHT = np.outer([_SIDE, _MIDDLE, _SIDE], [-1.0, 0.0, 1.0]) / 32.0
_SLANTED = np.array([[-_MIDDLE, -_SIDE, 0.0], [-_SIDE, 0.0, _SIDE], [0.0, _SIDE, _MIDDLE]]) / 32.0
SCHARR = np.stack([_STRAIGHT, _STRAIGHT.T, _SLANTED, np.fliplr(_SLANTED)]).astype(np.float32)
"""Scharr's kernels for differences to the right, down, down right and down left: float32 [4, 3, 3]."""


def repeat_border(images: tf.Tensor, radius: int) -> tf.Tensor:
    """Images, float [N, H, W, C], with the border pixels repeated: no frame becomes an edge."""
    height, width = tf.shape(images)[1], tf.shape(images)[2]
    rows = tf.clip_by_value(tf.range(-radius, height + radius), 0, height - 1)
    columns = tf.clip_by_value(tf.range(-radius, width + radius), 0, width - 1)
    return tf.gather(tf.gather(images, rows, axis=1), columns, axis=2)


@saved_layer("kind")
class ScharrEdges(keras.layers.Layer):
    """Absolute first differences of each channel in four directions; nothing is learnt.

    Scharr, "Optimale Operatoren in der Digitalen Bildverarbeitung", 2000: weights 3, 10, 3. An edge of height
    1 gives 0.5 beside it.

    Input: float [N, H, W, C]. Output: float [N, H, W, 4·C], from 0.
    """

    def call(self, inputs):
        """Filters `inputs` with the border repeated."""
        channels = inputs.shape[-1]
        kernel = np.repeat(SCHARR.transpose(1, 2, 0)[:, :, np.newaxis], channels, axis=2)
        kernel = tf.cast(tf.constant(kernel), inputs.dtype)
        return tf.abs(tf.nn.depthwise_conv2d(repeat_border(inputs, 1), kernel, [1, 1, 1, 1], "VALID"))

    def compute_output_shape(self, input_shape):
        """[N, H, W, 4·C]."""
        return (*input_shape[:3], 4 * input_shape[3])


@saved_layer("kind", inner=real, outer=real, learned=flag)
class GaussianDifference(keras.layers.Layer):
    """Second-order edges: each channel under a narrow Gaussian minus itself under a wide one, without bias.

    Marr and Hildreth, "Theory of Edge Detection", 1980. A flat area gives 0. Both windows reach 8 pixels, so
    that σ can be learnt; σ stays within [0.3, 4].

    Input: float [N, H, W, C]. Output: float [N, H, W, C].
    """

    def __init__(self, inner: float = 1.0, outer: float = 1.6, learned: bool = False, **kwargs):
        """Makes the layer.

        Args:
            inner: σ of the narrow Gaussian in pixels.
            outer: σ of the wide one.
            learned: train both.
            kwargs: as for `Layer`.

        Raises:
            ValueError: when a σ is out of range.
        """
        super().__init__(**kwargs)
        if not all(_SMALLEST_SIGMA <= sigma <= _LARGEST_SIGMA for sigma in (inner, outer)):
            raise ValueError(f"σ expects {_SMALLEST_SIGMA} to {_LARGEST_SIGMA}, received {inner} and {outer}")
        self.inner, self.outer, self.learned = float(inner), float(outer), learned

    def build(self, input_shape):
        """Makes σ, float32 [2], which every optimizer step leaves within its range."""
        self.sigma = self.add_weight(
            "sigma",
            (2,),
            initializer=lambda shape, dtype=None: tf.constant([self.inner, self.outer], dtype),
            constraint=lambda sigma: tf.clip_by_value(sigma, _SMALLEST_SIGMA, _LARGEST_SIGMA),
            trainable=self.learned,
            dtype="float32",
            experimental_autocast=False,
        )
        super().build(input_shape)

    def call(self, inputs):
        """Filters `inputs` with the border repeated."""
        padded = repeat_border(inputs, _RADIUS)
        narrow, wide = (_blurred(padded, sigma) for sigma in tf.unstack(self.sigma))
        return narrow - wide

    def get_config(self):
        """What `__init__` takes."""
        return {**super().get_config(), "inner": self.inner, "outer": self.outer, "learned": self.learned}


def _blurred(padded: tf.Tensor, sigma: tf.Tensor) -> tf.Tensor:
    places = tf.range(-_RADIUS, _RADIUS + 1, dtype=tf.float32)
    window = tf.exp(-0.5 * tf.square(places / sigma))
    window = tf.cast(window / tf.reduce_sum(window), padded.dtype)
    kernel = tf.tile(tf.reshape(window, [-1, 1, 1, 1]), [1, 1, padded.shape[-1], 1])
    rows = tf.nn.depthwise_conv2d(padded, kernel, [1, 1, 1, 1], "VALID")
    return tf.nn.depthwise_conv2d(rows, tf.transpose(kernel, [1, 0, 2, 3]), [1, 1, 1, 1], "VALID")


@saved_layer("kind")
class AbsoluteDifference(Pointwise, keras.layers.Layer):
    """|a - b|: two float [N, H, W, C] → one."""

    def call(self, inputs):
        """Of both inputs."""
        first, second = inputs
        return tf.abs(first - second)

    def compute_output_shape(self, input_shape):
        """The shape of either input."""
        return input_shape[0]


@saved_layer("kind")
class ChannelStatistics(Pointwise, keras.layers.Layer):
    """Mean and maximum over the channels: float [N, H, W, C] → [N, H, W, 2]."""

    def call(self, inputs):
        """Of `inputs`."""
        mean, largest = (f(inputs, axis=-1, keepdims=True) for f in (tf.reduce_mean, tf.reduce_max))
        return tf.concat([mean, largest], axis=-1)

    def compute_output_shape(self, input_shape):
        """[N, H, W, 2]."""
        return (*input_shape[:3], 2)


@saved_layer("kind")
class GatedSum(Pointwise, keras.layers.Layer):
    """main + (1 - gate)·side: three float [N, H, W, C] → one; the main path passes untouched."""

    def call(self, inputs):
        """Of main path, side path and gate."""
        main, side, gate = inputs
        return main + (1.0 - gate) * side

    def compute_output_shape(self, input_shape):
        """The shape of the main path."""
        return input_shape[0]
