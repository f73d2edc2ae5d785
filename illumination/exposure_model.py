"""The exposure head: the decomposition of a dark photograph → α, how much brighter it should be."""

from __future__ import annotations

from tensorflow import keras

from kind.nn.exposure_layers import SoftHistogram
from kind.nn.layers import leaky_conv, leaky_relu

_WIDTHS = (16, 32, 48)
_BINS = 24
_GLOBAL_WIDTH = 64


def exposure_net() -> keras.Model:
    """Builds the exposure head, about 40,000 parameters; our own, from no paper.

    KinD leaves α to the user. The head sees what the decomposition makes of a thumbnail of the whole
    photograph: three strided convolutions over R and L, and histograms of their product.

    Returns:
        A model named "exposure" from [reflectance float32 [N, H, W, 3], illumination float32 [N, H, W, 1]],
        both in [0, 1], of a thumbnail (it is trained on 128×128), to log α, float32 [N, 1], 0 or more.
    """
    reflectance = keras.Input((None, None, 3), name="reflectance")
    illumination = keras.Input((None, None, 1), name="illumination")
    values = keras.layers.Concatenate(name="join")([reflectance, illumination])
    for number, width in enumerate(_WIDTHS, start=1):
        values = keras.layers.MaxPooling2D(2, padding="same", name=f"pool_{number}")(
            leaky_conv(values, width, f"conv_{number}")
        )
    product = keras.layers.Multiply(dtype="float32", name="product")([reflectance, illumination])
    features = [
        keras.layers.GlobalAveragePooling2D(dtype="float32", name="mean")(values),
        keras.layers.GlobalMaxPooling2D(dtype="float32", name="largest")(values),
        SoftHistogram(_BINS, name="histogram")(product),
        keras.layers.GlobalAveragePooling2D(dtype="float32", name="mean_illumination")(illumination),
    ]
    summary = keras.layers.Concatenate(dtype="float32", name="summary")(features)
    for number in (1, 2):
        name = f"dense_{number}"
        dense = keras.layers.Dense(_GLOBAL_WIDTH, activation=leaky_relu, dtype="float32", name=name)
        summary = dense(summary)
    log_alpha = keras.layers.Dense(1, activation="softplus", dtype="float32", name="log_alpha")(summary)
    return keras.Model([reflectance, illumination], log_alpha, name="exposure")
