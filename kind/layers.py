"""Keras layers used by more than one network, registered so that `.keras` files load without the stages."""

from __future__ import annotations

import tensorflow as tf
from tensorflow import keras

LEAK = 0.2


@keras.utils.register_keras_serializable("kind")
def leaky_relu(values: tf.Tensor) -> tf.Tensor:
    """max(0.2·x, x), the activation of all three networks."""
    return tf.nn.leaky_relu(values, LEAK)


@keras.utils.register_keras_serializable("kind")
class CropLike(keras.layers.Layer):
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
