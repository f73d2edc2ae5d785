"""Layers that fold squares of pixels into channels and back: networks then work at a fraction of the size."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from tensorflow import keras

from kind.nn.file_schema import optional, whole
from kind.nn.known_layers import saved_function, saved_layer

_side = whole(1, 64)


@saved_function("kind")
def square_root(values: tf.Tensor) -> tf.Tensor:
    """√x of x ≥ 0, whose gradient is not defined at 0: for network inputs. It spreads out what is dark."""
    return tf.sqrt(values)


@saved_layer(
    "kind",
    former=[("kind.subpixel", "Fold"), ("kind.nn.subpixel", "Fold")],
    side=_side,
    multiple=optional(whole(1, 1024)),
)
class SpaceToDepth(keras.layers.Layer):
    """Moves each square of `side`×`side` pixels into the channels of one; nothing is lost.

    Height and width that are no multiple of `multiple` are first made one, by repeating the last row and
    column. With the coarsest stride of a network as the multiple, all its levels have even sizes, and a
    tile of an image is padded like the image.

    Input: float [N, H, W, C]. Output: float [N, ⌈H/multiple⌉·multiple/side, the same of W, side²·C].
    """

    def __init__(self, side: int, multiple: int | None = None, **kwargs):
        """Takes the side of a square in pixels, and a multiple of it (by default itself)."""
        super().__init__(**kwargs)
        self.side = side
        self.multiple = multiple or side

    def call(self, inputs):
        """Folds `inputs`."""
        if inputs.shape[1] and inputs.shape[2]:
            is_odd = any(side % self.multiple for side in inputs.shape[1:3])
            whole = self._filled(inputs) if is_odd else inputs
        else:
            is_odd = tf.reduce_any(tf.shape(inputs)[1:3] % self.multiple > 0)
            whole = tf.cond(is_odd, lambda: self._filled(inputs), lambda: inputs)
            whole = tf.ensure_shape(whole, [None, None, None, inputs.shape[-1]])
        return tf.nn.space_to_depth(whole, self.side)

    def _filled(self, inputs: tf.Tensor) -> tf.Tensor:
        """With the last row and column repeated until both sides are multiples."""
        shape = [known or size for known, size in zip(inputs.shape, tf.unstack(tf.shape(inputs)))]
        # Not `-size % multiple`: the remainder of a negative number is negative in ONNX Runtime.
        missing = [(self.multiple - size % self.multiple) % self.multiple for size in shape[1:3]]
        taller = tf.concat([inputs, tf.tile(inputs[:, -1:], [1, missing[0], 1, 1])], axis=1)
        return tf.concat([taller, tf.tile(taller[:, :, -1:], [1, 1, missing[1], 1])], axis=2)

    def compute_output_shape(self, input_shape):
        """[N, ⌈H/multiple⌉·multiple/side, the same of W, side²·C]."""
        batch, *sides, channels = input_shape
        whole = [None if side is None else -(-side // self.multiple) * self.multiple for side in sides]
        sides = [None if side is None else side // self.side for side in whole]
        return (batch, *sides, self.side**2 * channels)

    def get_config(self):
        """What `__init__` takes."""
        return {**super().get_config(), "side": self.side, "multiple": self.multiple}

    def input_span(self, first, last):
        """See `kind.nn.spatial`: whole squares."""
        return self.side * first, self.side * last + self.side - 1

    def output_grid(self, scale, multiple):
        """See `kind.nn.spatial`."""
        return scale / self.side, self.multiple // self.side


@saved_layer("kind", former=[("kind.subpixel", "Unfold"), ("kind.nn.subpixel", "Unfold")], side=_side)
class DepthToSpace(keras.layers.Layer):
    """The way back: channels become squares of pixels, cut to the size of another tensor.

    Input: [float [N, H', W', side²·C], any [N, H, W, D]] with H' ≥ H/side, W' ≥ W/side.
    Output: float [N, H, W, C].
    """

    def __init__(self, side: int, **kwargs):
        """Takes the side of a square in pixels; kwargs as for `Layer`."""
        super().__init__(**kwargs)
        self.side = side

    def call(self, inputs):
        """Unfolds `inputs[0]` to the size of `inputs[1]`."""
        folded, like = inputs
        size = tf.shape(like)
        return tf.nn.depth_to_space(folded, self.side)[:, : size[1], : size[2]]

    def compute_output_shape(self, input_shape):
        """[N, H, W, C]."""
        folded, like = input_shape
        return (*like[:3], folded[3] // self.side**2)

    def get_config(self):
        """What `__init__` takes."""
        return {**super().get_config(), "side": self.side}

    def input_span(self, first, last):
        """See `kind.nn.spatial`: the squares that the pixels lie in."""
        return first // self.side, last // self.side

    def output_grid(self, scale, multiple):
        """See `kind.nn.spatial`; cut to any size, so of no known multiple."""
        return scale * self.side, 1


@saved_layer("kind", former=[("kind.subpixel", "Spread"), ("kind.nn.subpixel", "Spread")], side=_side)
class FoldedBilinearUpsampling(keras.layers.Layer):
    """Bilinear upsampling by `side`, in folded form: each pixel's square of upsampled values as channels.

    `DepthToSpace` would give what bilinear upsampling gives; pixels past the border repeat the last one.

    Input: float [N, H, W, 1]. Output: float [N, H, W, side²].
    """

    def __init__(self, side: int, **kwargs):
        """Takes the factor; kwargs as for `Layer`."""
        super().__init__(**kwargs)
        self.side = side

    def call(self, inputs):
        """Upsamples `inputs` by a fixed 3×3 convolution."""
        wide = tf.concat([inputs[:, :1], inputs, inputs[:, -1:]], axis=1)
        wide = tf.concat([wide[:, :, :1], wide, wide[:, :, -1:]], axis=2)
        return tf.nn.conv2d(wide, tf.constant(self._kernel(), inputs.dtype), strides=1, padding="VALID")

    def _kernel(self) -> np.ndarray:
        """Weights of the three neighbours along each axis for each place in the square: [3, 3, 1, side²]."""
        places = (np.arange(self.side) + 0.5) / self.side - 0.5  # of the pixel's centre
        line = np.stack([np.maximum(-places, 0), 1 - np.abs(places), np.maximum(places, 0)])  # [3, side]
        return np.einsum("ra,cb->rcab", line, line).reshape(3, 3, 1, self.side**2)

    def compute_output_shape(self, input_shape):
        """[N, H, W, side²]."""
        return (*input_shape[:3], self.side**2)

    def get_config(self):
        """What `__init__` takes."""
        return {**super().get_config(), "side": self.side}

    def input_span(self, first, last):
        """See `kind.nn.spatial`: one neighbour at either side."""
        return first - 1, last + 1

    def output_grid(self, scale, multiple):
        """See `kind.nn.spatial`."""
        return scale, multiple
