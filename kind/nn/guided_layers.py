"""Keras layers of the guided networks: norms, pooling over grids, parts of a learned guided filter."""

from __future__ import annotations

import tensorflow as tf
from tensorflow import keras

from kind.nn.file_schema import real, whole
from kind.nn.known_layers import saved_layer
from kind.nn.spatial import Pointwise
from kind.ops.area import weighted_areas
from kind.ops.bilinear import bilinear_at
from kind.ops.blocks import block_mean

_MOST_RADIUS = 64


class _Float32Layer(keras.layers.Layer):
    """A layer that computes in float32 under any policy: positions and sums need more than 8 bits."""

    def __init__(self, **kwargs):
        super().__init__(**{**kwargs, "dtype": "float32"})


def lengths(tensor: tf.Tensor) -> list[int | tf.Tensor]:
    """Height and width of [N, H, W, C]: numbers where they are known, tensors otherwise."""
    dynamic = tf.shape(tensor)
    return [tensor.shape[axis] or dynamic[axis] for axis in (1, 2)]


@saved_layer("kind", epsilon=real)
class InstanceNormalization(_Float32Layer):
    """Each channel of each image with mean 0 and variance 1 over its pixels; nothing is learnt.

    Input and output: float [N, H, W, C].
    """

    def __init__(self, epsilon: float = 1e-5, **kwargs):
        """Takes what is added to the variance; kwargs as for `Layer`."""
        super().__init__(**kwargs)
        self.epsilon = epsilon

    def call(self, inputs):
        """Normalises `inputs`."""
        mean = tf.reduce_mean(inputs, axis=[1, 2], keepdims=True)
        centred = inputs - mean
        variance = tf.reduce_mean(centred * centred, axis=[1, 2], keepdims=True)
        return centred * tf.math.rsqrt(variance + self.epsilon)

    def get_config(self):
        """What `__init__` takes."""
        return {**super().get_config(), "epsilon": self.epsilon}


@saved_layer("kind", momentum=real, epsilon=real)
class AdaptiveNormalization(Pointwise, _Float32Layer):
    """w₀·x + w₁·BN(x) with learnt w₀ = 0 and w₁ = 1 at the start (Chen et al., ICCV 2017, section 3.1).

    `momentum` is Keras's: moving ← momentum·moving + (1 - momentum)·new. PyTorch's is 1 minus that, so the
    0.999 of the published PyTorch code is 0.001 here: there, the statistics are all but those of the last
    batch. Where the paper says 0.999 it means Keras's. The guided networks take 0.9, see their `Design`.

    Input and output: float [N, H, W, C].
    """

    def __init__(self, momentum: float = 0.001, epsilon: float = 1e-3, **kwargs):
        """Takes Keras's momentum and what is added to the variance; kwargs as for `Layer`."""
        super().__init__(**kwargs)
        self.momentum, self.epsilon = momentum, epsilon
        self.normalise = keras.layers.BatchNormalization(momentum=momentum, epsilon=epsilon, dtype="float32")

    def build(self, input_shape):
        """Makes w₀ and w₁, one number each, and the batch normalisation's weights."""
        self.of_input = self.add_weight("of_input", (1,), initializer="zeros")
        self.of_normalised = self.add_weight("of_normalised", (1,), initializer="ones")
        self.normalise.build(input_shape)
        super().build(input_shape)

    def call(self, inputs, training=None):
        """Mixes `inputs` and what batch normalisation makes of them."""
        return self.of_input * inputs + self.of_normalised * self.normalise(inputs, training=training)

    def get_config(self):
        """What `__init__` takes."""
        return {**super().get_config(), "momentum": self.momentum, "epsilon": self.epsilon}


@saved_layer("kind", cells=whole(1, 64))
class GridPooling(_Float32Layer):
    """Averages over a grid of `cells` rows, and so many columns that the cells are about square.

    A cell goes from ⌊i·H/cells⌋ to ⌈(i + 1)·H/cells⌉, as in PyTorch's adaptive pooling.

    Input: float [N, H, W, C], any size from 1×1. Output: float32 [N, cells, max(1, round(cells·W/H)), C].
    """

    def __init__(self, cells: int, **kwargs):
        """Takes the number of rows; kwargs as for `Layer`."""
        super().__init__(**kwargs)
        self.cells = cells

    def call(self, inputs):
        """Averages `inputs`."""
        height, width = lengths(inputs)
        if isinstance(height, int) and isinstance(width, int):
            columns = max(1, round(self.cells * width / height))
        else:
            share = tf.cast(width, tf.float32) / tf.cast(height, tf.float32)
            columns = tf.maximum(1, tf.cast(tf.round(self.cells * share), tf.int32))
        return weighted_areas(inputs, _cell_weights(height, self.cells), _cell_weights(width, columns))

    def compute_output_shape(self, input_shape):
        """[N, cells, ?, C]."""
        return (input_shape[0], self.cells, None, input_shape[3])

    def get_config(self):
        """What `__init__` takes."""
        return {**super().get_config(), "cells": self.cells}


def _cell_weights(length, cells):
    """Float32 [cells, length]: each row averages the pixels of a cell."""
    cell, pixel = tf.range(cells)[:, tf.newaxis], tf.range(length)[tf.newaxis]
    # Rounded up without a negative number, whose quotient ONNX rounds the other way.
    first, end = cell * length // cells, ((cell + 1) * length + cells - 1) // cells
    inside = tf.cast((pixel >= first) & (pixel < end), tf.float32)
    return inside / tf.reduce_sum(inside, axis=1, keepdims=True)


@saved_layer("kind", factor=whole(1, 64))
class BlockMean(_Float32Layer):
    """Averages over squares of `factor` pixels, counted from the first; see `kind.ops.blocks.block_mean`.

    Input: float [N, H, W, C]. Output: float32 [N, ⌈H / factor⌉, ⌈W / factor⌉, C].
    """

    def __init__(self, factor: int, **kwargs):
        """Takes the side of the squares; kwargs as for `Layer`."""
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, inputs):
        """Averages `inputs`."""
        return block_mean(inputs, self.factor)

    def compute_output_shape(self, input_shape):
        """[N, ?, ?, C]."""
        return (input_shape[0], None, None, input_shape[3])

    def get_config(self):
        """What `__init__` takes."""
        return {**super().get_config(), "factor": self.factor}


@saved_layer("kind")
class ResizedLike(_Float32Layer):
    """The first tensor, resized bilinearly to the height and width of the second.

    Input: [float [N, h, w, C], float [N, H, W, D]]. Output: float32 [N, H, W, C].
    """

    def call(self, inputs):
        """Resizes `inputs[0]`."""
        values, reference = inputs
        return tf.image.resize(values, lengths(reference))

    def compute_output_shape(self, input_shape):
        """[N, H, W, C]."""
        return (*input_shape[1][:3], input_shape[0][3])


@saved_layer("kind", factor=whole(1, 64))
class Enlarged(_Float32Layer):
    """A small tensor at the size of an image, bilinearly: each of its pixels is factor×factor of the image's.

    Paper: from corner to corner (PyTorch's `align_corners`). Here: from centre to centre, because a small
    pixel is the average of a square, in whose middle it lies.

    Input: [float [N, h, w, C], image float [N, H, W, D]] with h = ⌈H / factor⌉; or a part of an image and
    place float32 [N, 4]: row and column of its first pixel, and small pixels to one of the image along the
    height and the width, the same for all N. Output: float32 [N, H, W, C].
    """

    def __init__(self, factor: int, **kwargs):
        """Takes the factor; kwargs as for `Layer`."""
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, inputs):
        """Enlarges `inputs[0]`."""
        values, image, *place = inputs
        height, width = lengths(image)
        if place:
            top, left, down, across = tf.unstack(place[0][0])
            return bilinear_at(values, (top, left), (down, across), (height, width))
        size = [length * self.factor for length in lengths(values)]
        return tf.image.resize(values, size)[:, :height, :width]

    def compute_output_shape(self, input_shape):
        """[N, H, W, C]."""
        return (*input_shape[1][:3], input_shape[0][3])

    def get_config(self):
        """What `__init__` takes."""
        return {**super().get_config(), "factor": self.factor}


@saved_layer("kind", radius=whole(1, _MOST_RADIUS))
class LocalMoments(_Float32Layer):
    """Means, covariance and variance of a guide and of values over squares, by a learnt window.

    The window is a kernel of ones at the start, one for each channel, and is divided by its sum inside the
    image. Paper: 3×3 taps that lie `radius` apart. Here: all (2·radius + 1)², which is the same for 1.

    Input: [guide float [N, H, W, C], values float [N, H, W, C]]. Output: [mean of the guide, mean of the
    values, float32 [N, H, W, C] each; covariance and variance of the guide, float32 [N, H, W, 2·C]].
    """

    def __init__(self, radius: int = 1, **kwargs):
        """Takes the radius in pixels; kwargs as for `Layer`."""
        super().__init__(**kwargs)
        self.radius = radius

    def build(self, input_shape):
        """Makes the window, [side, side, C, 1]."""
        side = 2 * self.radius + 1
        self.window = self.add_weight("window", (side, side, input_shape[0][-1], 1), initializer="ones")
        super().build(input_shape)

    def call(self, inputs):
        """Measures `inputs`."""
        guide, values = inputs
        size = self._sum(tf.ones_like(guide[:1]))
        means = [self._sum(part) / size for part in (guide, values, guide * values, guide * guide)]
        joint = tf.concat([means[2] - means[0] * means[1], means[3] - means[0] * means[0]], axis=-1)
        return means[0], means[1], joint

    def _sum(self, values):
        return tf.nn.depthwise_conv2d(values, self.window, [1, 1, 1, 1], "SAME")

    def compute_output_shape(self, input_shape):
        """Three shapes."""
        guide, values = input_shape
        return tuple(guide), tuple(values), (*guide[:3], 2 * guide[3])

    def get_config(self):
        """What `__init__` takes."""
        return {**super().get_config(), "radius": self.radius}


@saved_layer("kind")
class AppliedSlope(Pointwise, _Float32Layer):
    """A·guide + b, from both side by side.

    Input: [guide float [N, H, W, C], A and b float [N, H, W, 2·C]]. Output: float32 [N, H, W, C].
    """

    def call(self, inputs):
        """Applies `inputs[1]`."""
        guide, both = inputs
        slope, offset = tf.split(both, 2, axis=-1)
        return slope * guide + offset

    def compute_output_shape(self, input_shape):
        """[N, H, W, C]."""
        return input_shape[0]


@saved_layer("kind")
class Detached(Pointwise, keras.layers.Layer):
    """Passes a tensor on, and no gradient back.

    Input and output: any tensor.
    """

    def call(self, inputs):
        """Gives `inputs`."""
        return tf.stop_gradient(inputs)
