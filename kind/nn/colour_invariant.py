"""The colour-invariant convolution as a layer whose scale is learned."""

from __future__ import annotations

import tensorflow as tf
from tensorflow import keras

from kind.nn.file_schema import choice, flag, real
from kind.nn.known_layers import saved_layer
from kind.ops.colour_invariants import INVARIANTS, LARGEST_SCALE, invariant_edges


@saved_layer("kind", invariant=choice(*INVARIANTS), scale=real, repeat_border=flag)
class CIConv2d(keras.layers.Layer):
    """Edges that do not depend on the illumination, at a scale that is learned (see `kind.ops`).

    Lengyel et al., "Zero-Shot Day-Night Domain Adaptation with a Physics Prior", ICCV 2021. It computes in
    float32 under any policy: squares of ratios have no room in bfloat16.

    Input: float [N, H, W, 3], RGB in [0, 1]. Output: float32 [N, H, W, 1], mean 0 and variance 1 in each
    image, unbounded: what learns to give it must not end in a sigmoid.

    Example:
        >>> CIConv2d("W")(tf.zeros([1, 8, 8, 3])).shape
        TensorShape([1, 8, 8, 1])
    """

    def __init__(self, invariant: str = "W", scale: float = 0.0, repeat_border: bool = False, **kwargs):
        """Makes the layer.

        Args:
            invariant: one of `kind.ops.colour_invariants.INVARIANTS`.
            scale: to start from; σ = 2^scale pixels, from -2.5 to 2.5.
            repeat_border: see `kind.ops.colour_invariants.invariant_edges`.
            kwargs: as for `Layer`.

        Raises:
            ValueError: on another invariant or a scale out of range.
        """
        super().__init__(**{**kwargs, "dtype": "float32"})
        if invariant not in INVARIANTS:
            raise ValueError(f"invariant expects one of {', '.join(INVARIANTS)}; received {invariant!r}")
        if not abs(scale) <= LARGEST_SCALE:
            raise ValueError(f"scale expects -{LARGEST_SCALE} to {LARGEST_SCALE}, received {scale}")
        self.invariant = invariant
        self.initial_scale = float(scale)
        self.repeat_border = repeat_border

    def build(self, input_shape):
        """Makes the scale, float32 [1], which every optimizer step leaves within its range."""
        self.scale = self.add_weight(
            "scale",
            (1,),
            initializer=keras.initializers.Constant(self.initial_scale),
            constraint=lambda scale: tf.clip_by_value(scale, -LARGEST_SCALE, LARGEST_SCALE),
        )
        super().build(input_shape)

    def call(self, inputs):
        """Finds the edges."""
        return invariant_edges(inputs, self.invariant, self.scale[0], repeat_border=self.repeat_border)

    def compute_output_shape(self, input_shape):
        """[N, H, W, 1]."""
        return (*input_shape[:3], 1)

    def get_config(self):
        """What `__init__` takes."""
        return {
            **super().get_config(),
            "invariant": self.invariant,
            "scale": self.initial_scale,
            "repeat_border": self.repeat_border,
        }
