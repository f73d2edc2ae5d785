"""Grey versions of an RGB image, under the two weightings that the published code mixes."""

from __future__ import annotations

import tensorflow as tf

# ITU-R BT.601 as TensorFlow's rgb_to_grayscale has it (losses); BT.709 as scikit-image's rgb2gray (fusion).
BT601 = (0.2989, 0.5870, 0.1140)
BT709 = (0.2125, 0.7154, 0.0721)


def gray(image: tf.Tensor, weights: tuple[float, float, float] = BT601) -> tf.Tensor:
    """Weighted sum of the colour channels.

    Args:
        image: float [..., 3], RGB.
        weights: of red, green and blue; `BT601` in the losses, `BT709` in the published fusion.

    Returns:
        float [..., 1].
    """
    return tf.tensordot(image, tf.constant(weights, image.dtype), axes=1)[..., tf.newaxis]
