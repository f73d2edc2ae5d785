"""Gray versions of an RGB image, under the two weightings that the published code mixes."""

from __future__ import annotations

import tensorflow as tf

from kind.constants import BT601

# Published: the losses call TensorFlow's rgb_to_grayscale, which rounds BT.601's 0.299 to 0.2989; the fusion
# calls scikit-image's rgb2gray (BT.709). Both are kept; everywhere else gray is `kind.constants.BT601`.
PUBLISHED_BT601 = (0.2989, 0.5870, 0.1140)
PUBLISHED_BT709 = (0.2125, 0.7154, 0.0721)


def gray(image: tf.Tensor, weights: tuple[float, float, float] = PUBLISHED_BT601) -> tf.Tensor:
    """Weighted sum of the colour channels.

    Args:
        image: float [..., 3], RGB.
        weights: of red, green and blue; `PUBLISHED_BT601` in the losses, `PUBLISHED_BT709` in the
            published fusion.

    Returns:
        float [..., 1].
    """
    return tf.tensordot(image, tf.constant(weights, image.dtype), axes=1)[..., tf.newaxis]


def luma(image: tf.Tensor) -> tf.Tensor:
    """BT.601 luma as a sum of products; `gray` is a matrix product, whose last bits differ.

    Args:
        image: float32 [..., 3], RGB.

    Returns:
        float32 [..., 1].
    """
    return tf.reduce_sum(image * tf.constant(BT601), axis=-1, keepdims=True)
