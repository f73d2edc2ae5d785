"""The visual state-space block: every pixel sees the whole image, at a cost that is linear in its pixels."""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf
from tensorflow import keras

from kind.nn.file_schema import whole
from kind.nn.known_layers import saved_layer
from kind.ops.selective_scan import four_ways, four_ways_back, selective_scan

STATES = 4
"""Numbers that a channel remembers along a direction."""

_SMALLEST_STEP, _LARGEST_STEP = 1e-3, 0.1  # Δ at the start
_DIRECTIONS = 4


@saved_layer("kind", states=whole(1, 64))
class SelectiveScan2D(keras.layers.Layer):
    """Selective scans of an image in four directions, summed, plus the image times a learnt factor.

    Liu et al., "VMamba: Visual State Space Model", NeurIPS 2024, section 4.2. It computes in float32 under
    any policy: products of many factors below 1 have no room in bfloat16.

    Input and output: float [N, H, W, C].
    """

    def __init__(self, states: int = STATES, **kwargs):
        """Takes the numbers that a channel remembers; kwargs as for `Layer`."""
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.states = states

    def build(self, input_shape):
        """Makes, for each direction: C → (r, B, C), r → Δ, log(-A); and D, the factor of the input."""
        channels, states = input_shape[-1], self.states
        self.rank = max(1, channels // 16)
        shape = (_DIRECTIONS, channels, self.rank + 2 * states)
        self.project = self.add_weight("project", shape, initializer="glorot_uniform")
        spread = keras.initializers.RandomUniform(-(self.rank**-0.5), self.rank**-0.5)
        self.step = self.add_weight("step", (_DIRECTIONS, self.rank, channels), initializer=spread)
        self.step_bias = self.add_weight("step_bias", (_DIRECTIONS, channels), initializer=_step_bias)
        self.log_decay = self.add_weight("log_decay", (_DIRECTIONS, channels, states), initializer=_log_decay)
        self.direct = self.add_weight("direct", (channels,), initializer="ones")
        super().build(input_shape)

    def call(self, inputs):
        """Scans `inputs`."""
        height, width, channels = tf.shape(inputs)[1], tf.shape(inputs)[2], inputs.shape[-1]
        ways = four_ways(inputs)  # [4, N, L, C]
        projected = tf.einsum("knlc,kcr->knlr", ways, self.project)
        steps, into, out_of = tf.split(projected, [self.rank, self.states, self.states], axis=-1)
        steps = tf.einsum("knlr,krc->knlc", steps, self.step) + self.step_bias[:, tf.newaxis, tf.newaxis]
        count = tf.shape(inputs)[0]
        decay = tf.repeat(-tf.exp(self.log_decay), count, axis=0)  # [4·N, C, S]
        flat = [self._flat(part) for part in (ways, tf.nn.softplus(steps), into, out_of)]
        found = selective_scan(flat[0], flat[1], decay, flat[2], flat[3])
        found = tf.reshape(found, [_DIRECTIONS, count, -1, channels])
        return four_ways_back(found, height, width) + self.direct * inputs

    @staticmethod
    def _flat(part: tf.Tensor) -> tf.Tensor:
        """[4, N, L, C] → [4·N, L, C]."""
        shape = tf.shape(part)
        return tf.reshape(part, [shape[0] * shape[1], shape[2], part.shape[-1]])

    def get_config(self):
        """What `__init__` takes."""
        return {**super().get_config(), "states": self.states}


def _step_bias(shape, dtype=None):
    """What softplus makes a Δ of, spread evenly in the logarithm from 0.001 to 0.1."""
    steps = np.exp(np.linspace(math.log(_SMALLEST_STEP), math.log(_LARGEST_STEP), shape[-1]))
    return tf.constant(np.broadcast_to(np.log(np.expm1(steps)), shape), dtype)


def _log_decay(shape, dtype=None):
    """A = -1, -2, …, -S for every channel."""
    return tf.constant(np.broadcast_to(np.log(np.arange(1, shape[-1] + 1)), shape), dtype)


def state_space_block(values, name: str):
    """A residual block: norm, 3×3 depthwise convolution, selective scans, and a gate of the input.

    Args:
        values: Keras tensor [N, H, W, C].
        name: its layers are named after it.

    Returns:
        Keras tensor [N, H, W, C].
    """
    layers, channels = keras.layers, values.shape[-1]
    normal = layers.LayerNormalization(epsilon=1e-5, name=f"{name}_norm")(values)
    inner = layers.Conv2D(channels, 1, use_bias=False, name=f"{name}_in")(normal)
    gate = layers.Conv2D(channels, 1, use_bias=False, activation="swish", name=f"{name}_gate")(normal)
    inner = layers.DepthwiseConv2D(3, padding="same", activation="swish", name=f"{name}_depthwise")(inner)
    scanned = SelectiveScan2D(name=f"{name}_scan")(inner)
    scanned = layers.LayerNormalization(epsilon=1e-5, name=f"{name}_scan_norm")(scanned)
    gated = layers.Multiply(name=f"{name}_gated")([scanned, gate])
    out = layers.Conv2D(channels, 1, use_bias=False, name=f"{name}_out")(gated)
    return layers.Add(name=f"{name}_sum")([values, out])
