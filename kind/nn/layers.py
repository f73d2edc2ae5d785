"""Keras layers used by more than one network, registered so that `.keras` files load without the stages."""

from __future__ import annotations

import tensorflow as tf
from tensorflow import keras

from kind.nn import activations
from kind.nn.file_schema import optional, whole
from kind.nn.known_layers import WIDEST, activation, saved_function, saved_layer
from kind.nn.spatial import Pointwise

leaky_relu = saved_function("kind")(activations.leaky_relu)


@saved_layer("kind", former=[("kind.layers", "CropLike")])
class CropLike(Pointwise, keras.layers.Layer):
    """Cuts the first tensor at the bottom and right to the height and width of the second.

    Upsampling doubles what pooling rounded up, so at odd sizes the result is one row or column too
    large; the published code sets the transposed convolution's output shape, which is this cut.

    Input: [float [N, H', W', C], float [N, H, W, D]] with H' ≥ H and W' ≥ W. Output: float [N, H, W, C].
    """

    def call(self, inputs):
        """Cuts `inputs[0]` to the size of `inputs[1]`."""
        image, reference = inputs
        size = tf.shape(reference)
        return image[:, : size[1], : size[2]]

    def compute_output_shape(self, input_shape):
        """[N, H, W, C]: the size of the second input, the channels of the first."""
        image, reference = input_shape
        return (*reference[:3], image[3])


def leaky_conv(values, filters: int, name: str, size: int = 3):
    """A size×size SAME convolution with bias and leaky ReLU: [N, H, W, C] → [N, H, W, filters]."""
    return keras.layers.Conv2D(filters, size, padding="same", activation=leaky_relu, name=name)(values)


def halve(values, name: str):
    """2×2 max pooling, SAME: [N, H, W, C] → [N, ⌈H/2⌉, ⌈W/2⌉, C]."""
    return keras.layers.MaxPooling2D(2, padding="same", name=name)(values)


def up_and_join(values, skip, filters: int, name: str):
    """Doubles `values` by a 2×2 transposed convolution without bias and joins it with `skip`.

    Args:
        values: Keras tensor [N, ⌈H/2⌉, ⌈W/2⌉, C].
        skip: Keras tensor [N, H, W, D].
        filters: channels after upsampling.
        name: of the transposed convolution; the cut and the join are named after it.

    Returns:
        Keras tensor [N, H, W, filters + D], the upsampled channels first.
    """
    doubled = keras.layers.Conv2DTranspose(filters, 2, strides=2, use_bias=False, name=name)(values)
    cut = CropLike(name=f"{name}_cut")([doubled, skip])
    return keras.layers.Concatenate(name=f"{name}_join")([cut, skip])


def sigmoid_head(values, filters: int, size: int, name: str):
    """A size×size convolution and a sigmoid, always computed in float32: [N, H, W, filters] in (0, 1)."""
    logits = keras.layers.Conv2D(filters, size, padding="same", name=f"{name}_logits")(values)
    return keras.layers.Activation("sigmoid", dtype="float32", name=name)(logits)


@saved_layer(
    "kind",
    former=[("kind.layers", "JoinConvolution")],
    filters=whole(1, WIDEST),
    activation=optional(activation),
)
class JoinConvolution(Pointwise, keras.layers.Layer):
    """A 1×1 convolution with bias over the channels of several tensors, which are never concatenated.

    It equals `Concatenate` and a 1×1 `Conv2D` with the same kernel, but adds up one convolution for
    each input: at full resolution the concatenation would be the network's largest tensor by far.

    Input: a list of float [N, H, W, Cᵢ]. Output: float [N, H, W, filters].
    """

    def __init__(self, filters: int, activation=None, **kwargs):
        """Takes the number of output channels and any Keras activation; kwargs as for `Layer`."""
        super().__init__(**kwargs)
        self.filters = filters
        self.activation = keras.activations.get(activation)

    def build(self, input_shape):
        """Makes one kernel [1, 1, ΣCᵢ, filters] for all inputs, in their order, and one bias [filters]."""
        self.widths = [shape[-1] for shape in input_shape]
        self.kernel = self.add_weight("kernel", (1, 1, sum(self.widths), self.filters))
        self.bias = self.add_weight("bias", (self.filters,), initializer="zeros")
        super().build(input_shape)

    def call(self, inputs):
        """Adds up the inputs' convolutions and the bias, and activates the sum."""
        total = None
        for values, kernel in zip(inputs, tf.split(self.kernel, self.widths, axis=2)):
            part = tf.nn.conv2d(values, kernel, strides=1, padding="VALID")
            total = part if total is None else total + part
        return self.activation(total + self.bias)

    def compute_output_shape(self, input_shape):
        """[N, H, W, filters]."""
        return (*input_shape[0][:-1], self.filters)

    def get_config(self):
        """What `__init__` takes."""
        activation = keras.activations.serialize(self.activation)
        return {**super().get_config(), "filters": self.filters, "activation": activation}


@saved_layer("kind", former=[("kind.layers", "After")])
class After(Pointwise, keras.layers.Layer):
    """Passes the first tensor on, unchanged, once the second one has been computed.

    Branches that need much memory can so be made to run one after another: left alone, TensorFlow runs
    them side by side and keeps the intermediate results of all.

    Input: [any tensor, any other tensor]. Output: the first.
    """

    def call(self, inputs):
        """Gives `inputs[0]` when `inputs[1]` is there."""
        values, finished = inputs
        with tf.control_dependencies([finished]):
            return tf.identity(values)

    def compute_output_shape(self, input_shape):
        """The shape of the first input."""
        return input_shape[0]
