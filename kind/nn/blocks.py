"""Parts of which the networks of our own are built; what they are named after names their layers."""

from __future__ import annotations

from tensorflow import keras

from kind.nn.layers import leaky_conv, leaky_relu


def small():
    """Starts a head near zero: the untrained network only exposes."""
    return keras.initializers.RandomNormal(stddev=1e-3)


def block(values, name: str):
    """Two 3×3 convolutions around which the input goes unchanged: [N, H, W, C] → [N, H, W, C]."""
    width = values.shape[-1]
    inner = leaky_conv(values, width, f"{name}_1_of_2")
    inner = keras.layers.Conv2D(width, 3, padding="same", name=f"{name}_2_of_2")(inner)
    total = keras.layers.Add(name=f"{name}_add")([values, inner])
    return keras.layers.Activation(leaky_relu, name=name)(total)


def halved(values, width: int, name: str):
    """A 3×3 convolution with stride 2: [N, H, W, C] → [N, H/2, W/2, width]."""
    convolve = keras.layers.Conv2D(width, 3, strides=2, padding="same", activation=leaky_relu, name=name)
    return convolve(values)


def steered(values, summary, name: str):
    """Scales and shifts each channel by what the summary says of the whole photograph (FiLM)."""
    width = values.shape[-1]
    scale = keras.layers.Dense(width, bias_initializer="ones", name=f"{name}_scale")(summary)
    shift = keras.layers.Dense(width, name=f"{name}_shift")(summary)
    scale = keras.layers.Reshape((1, 1, width), name=f"{name}_scale_plane")(scale)
    shift = keras.layers.Reshape((1, 1, width), name=f"{name}_shift_plane")(shift)
    values = keras.layers.Multiply(name=f"{name}_scaled")([values, scale])
    return keras.layers.Add(name=f"{name}_steered")([values, shift])
