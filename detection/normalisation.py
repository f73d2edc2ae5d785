"""Statistics for batch normalisations that were folded into convolutions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from tensorflow import keras


def measure_statistics(net: keras.Model, images: Sequence[tf.Tensor]) -> None:
    """Gives all batch normalisations the statistics of what they see, without changing the outputs.

    A folded normalisation keeps a scale and a shift and no statistics. With mean 0 and variance 1 in their
    place, the first training step, which normalises by its own batch, would compute another function. Here
    mean and variance are measured, and scale and shift are changed so that inference stays as it was.

    Args:
        net: a functional model with one input; changed in place.
        images: float32 [N, H, W, 3] each, as the network takes them; sizes may differ. All count alike.
    """
    layers = [layer for layer in net.layers if isinstance(layer, keras.layers.BatchNormalization)]
    inner = keras.Model(net.input, [layer.input for layer in layers])
    moments = [
        [tf.nn.moments(values, [0, 1, 2]) for values in inner(image, training=False)] for image in images
    ]
    for number, layer in enumerate(layers):
        means, variances = (np.array([image[number][part] for image in moments]) for part in (0, 1))
        mean = means.mean(axis=0)
        variance = (variances + (means - mean) ** 2).mean(axis=0)
        gamma, beta, old_mean, old_variance = layer.get_weights()
        # Halves, as files of half precision store them: the outputs stay as they are there, too.
        mean, variance = (part.astype(np.float16).astype(np.float32) for part in (mean, variance))
        gain = gamma / np.sqrt(old_variance + layer.epsilon)
        layer.set_weights(
            [gain * np.sqrt(variance + layer.epsilon), beta + gain * (mean - old_mean), mean, variance]
        )
